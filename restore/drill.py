"""A restore drill: a backup goes into a throwaway server, its rows are counted, and nothing of it stays."""

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from hashlib import file_digest
from itertools import chain
from pathlib import Path

from fixtures import archive as archives
from fixtures.archive import Archive
from fixtures.drills import RestoreDeclared
from fixtures.measure.dump_statements import qualified
from fixtures.measure.restore_messages import Complaint, Harm, complaints
from reports.requirement import Breach, Unverified
from restore.container import ContainerThrowaway
from restore.drill_report import Disposal, DrillReport, Phase, Restored
from restore.leftovers import Lease, LeaseRefusedError
from restore.server import ADMINISTRATOR, EmbeddedThrowaway, Finished, ThrowawayServer, restriction_key

RESTORER = "constancia_restorer"
COUNTER = "constancia_counter"  # counts where the sandbox holds no superuser: what a dump slips in gains nothing by it
DATABASE = "drill"
EMBEDDED_EXTENSIONS = ("plpgsql", "vector")  # whose code we know to come with the wheel
SOON = 60.0  # seconds that a small statement may take
COUNTING = 3600.0  # seconds that counting all tables may take
# What PostgreSQL takes as a database's encoding; a dump in any other is converted to UTF8.
ENCODINGS = re.compile(
    r"UTF8|SQL_ASCII|LATIN\d+|WIN\d+|KOI8[RU]|ISO_8859_[5-8]|EUC_(JP|CN|KR|TW|JIS_2004)|MULE_INTERNAL", re.ASCII
)
# Letters beyond ASCII are letters to CHECK constraints and indexes only where the locale says so.
PREPARE = """
{roles}
SELECT pg_catalog.format('CREATE DATABASE {database} OWNER {restorer} TEMPLATE template0 ENCODING {encoding}'
    ' LC_COLLATE ''C'' LC_CTYPE %L', CASE WHEN '{encoding}' = 'UTF8' AND EXISTS (SELECT FROM pg_catalog.pg_collation
    WHERE collname = 'C.utf8') THEN 'C.UTF-8' ELSE 'C' END) \\gexec
\\connect {database}
GRANT ALL ON SCHEMA public TO PUBLIC;
{extensions}
SELECT name FROM pg_catalog.pg_available_extensions;
"""
TABLES = """
SELECT pg_catalog.json_build_array(n.nspname, c.relname, c.relkind, rn.nspname, rc.relname,
       EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
               AND d.objid = c.oid AND d.deptype = 'e'))
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_class rc ON c.relispartition AND rc.oid = pg_catalog.pg_partition_root(c.oid)
LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
AND n.nspname !~ '^pg_(toast|temp_)' ORDER BY n.nspname, c.relname;
"""


def run(path: Path, declared: RestoreDeclared, *, swept: tuple[str, ...] = ()) -> DrillReport:
    """Restore a backup as declared, and say what came of it. The server is gone when this returns or raises.

    Args:
        path: the backup, on this machine.
        declared: what kind of server, which images, how long it may take.
        swept: what the sweep at the start of this run found.

    Raises:
        Unverified: when the backup cannot be read here, or no server is to be had.
    """
    drill = _Drill(path, declared, swept)
    try:
        with drill.phase("read the backup"):
            archive = archives.read(path)
            major = archive.major
    except Breach as damage:
        return drill.report(sha256=_digest(path), damage=damage)
    if "connect" in archive.dumps[0].commands:
        raise Unverified(
            f"restoring {path.name}",
            came_back="it makes its database itself (pg_dump --create), and a drill restores into its own",
            remedy="Let the backup job leave out --create",
        )
    container = declared.server == "container"
    try:
        with Lease(container=container) as lease:
            server: ThrowawayServer = (
                ContainerThrowaway(major, declared.images, lease.id)
                if container
                else EmbeddedThrowaway(major, lease.folder)
            )
            lease.disposed = False
            try:
                report = drill.through(archive, server)
            finally:
                lease.disposed = not server.left
    except LeaseRefusedError as refused:
        raise Unverified(
            "taking a lease for the drill", came_back=str(refused), remedy="Set TMPDIR to a folder that is safe to use"
        ) from None
    files = f"folder {lease.folder}"
    there = lease.folder.exists()
    return replace(
        report,
        disposal=Disposal(
            gone=(*server.gone, *(() if container or there else (files,))),
            left=(*server.left, *((files,) if there else ())),
        ),
    )


def not_held(reason: Breach, declared: RestoreDeclared, *, swept: tuple[str, ...] = ()) -> DrillReport:
    """What to say where there is no backup to restore: as of a damaged one, and so there is nothing to dispose of."""
    return _Drill(Path("no backup"), declared, swept).report(sha256="none: there is no backup", damage=reason)


class _Drill:
    """One drill under way."""

    def __init__(self, path: Path, declared: RestoreDeclared, swept: tuple[str, ...]) -> None:
        self._path = path
        self._declared = declared
        self._swept = swept
        self._phases: list[Phase] = []

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a part of the drill."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self._phases.append(Phase(name, time.monotonic() - begun))

    def report(self, *, sha256: str, damage: Breach | None = None) -> DrillReport:
        """What is known when nothing was restored yet."""
        return DrillReport(
            file=self._path.name,
            sha256=sha256,
            archive=None,
            damage=damage,
            hindrance=None,
            server="",
            isolation=(),
            roles_created=(),
            complaints=(),
            restored=Restored(),
            phases=tuple(self._phases),
            disposal=Disposal((), ()),
            swept=self._swept,
        )

    def through(self, archive: Archive, server: ThrowawayServer) -> DrillReport:
        """Start the server, restore, count, and dispose of it."""
        report = replace(self.report(sha256=archive.sha256), archive=archive)
        with self.phase("start the server"):
            server.__enter__()
        try:
            report = replace(report, server=server.description, isolation=server.isolation)
            roles, offered = _prepare(server, archive)
            report = replace(report, roles_created=roles)
            missing = _missing_extensions(server, archive, offered, self._declared)
            if missing is None:
                found, restored = self._restored(archive, server)
                report = replace(report, complaints=found, restored=restored)
                missing = _hindrance(found, server, archive)
            report = replace(report, hindrance=missing)
        except Breach as damage:  # found when the backup was read again; what is left of the server is to be told too
            report = replace(report, damage=damage)
        except Unverified as hindrance:
            report = replace(report, hindrance=hindrance)
        finally:
            with self.phase("dispose of the server"):
                server.__exit__(None, None, None)
        return replace(report, phases=tuple(self._phases))

    def _restored(self, archive: Archive, server: ThrowawayServer) -> tuple[tuple[Complaint, ...], Restored]:
        with self.phase("copy the backup in"):
            inside = server.put(f"backup.{archive.format}", archive.unpacked(), archive.unpacked_size)
        with self.phase("restore"):
            found = _restore(server, archive, inside, self._declared.time_limit.total_seconds())
        with self.phase("count"):
            counted, restored = _counted(server, archive)
        return (*found, *counted), restored


def _digest(path: Path) -> str:
    """SHA-256 of a damaged backup, so that the record names what was damaged."""
    with suppress(OSError), path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
    return "none: it cannot be read as a file"


def _sql(
    server: ThrowawayServer,
    statements: str,
    *,
    database: str = DATABASE,
    user: str = ADMINISTRATOR,
    encoding: str = "UTF8",
    seconds: float = SOON,
) -> Finished:
    """Run statements of ours, unaligned, without headers.

    A dump can set parameters of its database for everybody: what an operator in our queries means, and who we are, is
    therefore said as the session begins, which goes before such a setting.
    """
    text = statements.encode(errors="surrogateescape")
    script = server.put("statements.sql", iter([text]), len(text))
    ours = "-c search_path=pg_catalog -c role=none -c row_security=on -c default_transaction_read_only=off"
    entry = f"host={server.socket_dir} user={user} dbname={database} client_encoding={encoding} options='{ours}'"
    return server.run("psql", "-X", "-A", "-t", "-q", "-d", entry, "-f", script, seconds=seconds)


def _prepare(server: ThrowawayServer, archive: Archive) -> tuple[tuple[str, ...], set[str]]:
    """Make the restoring role, the database, and the roles that the dump names.

    Which rights the dump's roles had besides those on its tables it does not say: they get all that the sandbox allows,
    because lacking one is no fault of the backup.

    Returns:
        The dump's roles that were made, and the extensions that the server has to offer.

    Raises:
        Unverified: when the server does not let us.
    """
    roles = [
        each
        for each in archive.dumps[0].roles
        if not each.startswith("pg_") and each not in (ADMINISTRATOR, RESTORER, COUNTER)
    ]
    encoding = archive.dumps[0].encoding if ENCODINGS.fullmatch(archive.dumps[0].encoding) else "UTF8"
    if server.holds_superuser:
        made = [f"CREATE ROLE {name} SUPERUSER {login};" for name, login in _logins(roles)]
        extensions = []
    else:
        made = [f"CREATE ROLE {name} NOSUPERUSER BYPASSRLS {login};" for name, login in _logins(roles)]
        made += [f"CREATE ROLE {COUNTER} NOSUPERUSER BYPASSRLS LOGIN;", f"GRANT pg_read_all_data TO {COUNTER};"]
        # It can hand things over only to roles that it is a member of, and make only extensions that trust it.
        made += [f"GRANT {_everywhere(each)} TO {RESTORER};" for each in roles]
        made += [f"GRANT pg_read_all_data, pg_write_all_data TO {_everywhere(each)};" for each in roles]
        extensions = [
            f"CREATE EXTENSION IF NOT EXISTS {_everywhere(name)} SCHEMA public;"
            for name, schema in archive.dumps[0].extensions.items()
            if schema == "public" and name in EMBEDDED_EXTENSIONS
        ]
    script = PREPARE.format(
        roles="\n".join(made),
        database=DATABASE,
        restorer=RESTORER,
        encoding=encoding,
        extensions="\n".join(extensions),
    )
    finished = _sql(server, script, database="postgres")
    if finished.err or finished.code:
        raise Unverified(
            "preparing the throwaway database",
            came_back=finished.err.strip()[:300] or f"psql ended with code {finished.code} and without a word",
            remedy=f"See whether {server.description} is a PostgreSQL that works",
        )
    return tuple(roles), set(finished.out.splitlines())


def _logins(roles: list[str]) -> list[tuple[str, str]]:
    """The roles to make, quoted, each with whether it may log in: only the one that restores."""
    return [(RESTORER, "LOGIN"), *((_everywhere(each), "NOLOGIN") for each in roles)]


def _missing_extensions(
    server: ThrowawayServer, archive: Archive, offered: set[str], declared: RestoreDeclared
) -> Unverified | None:
    """The reason not to begin: an extension that the server does not have is the image's fault, not the backup's."""
    missing = sorted(set(archive.dumps[0].extensions) - offered)
    if not missing:
        return None
    image = f'images = {{ {archive.major} = "IMAGE" }}'
    remedy = f"Name an image that has it: {image}"
    return Unverified(
        f"restoring {archive.path.name}",
        came_back=f"the extension {', '.join(missing)} is missing in {server.description}",
        remedy=remedy if declared.server == "container" else f'{remedy}, with server = "container"',
    )


def _restore(server: ThrowawayServer, archive: Archive, inside: str, seconds: float) -> tuple[Complaint, ...]:
    """Restore the backup that lies inside; the errors that were made of it."""
    entry = ("-h", server.socket_dir, "-U", RESTORER, "-d", DATABASE)
    if archive.format == "custom":
        jobs = str(max(2, os.cpu_count() or 1))  # from two on rows are copied without the WAL
        finished = server.run("pg_restore", *entry, "-j", jobs, inside, seconds=seconds)
    else:
        # One transaction, for the same reason, with a savepoint before each statement: so every error is seen, and a
        # harmless one does not end it. The restriction comes first: what follows can use no command of psql.
        finished = server.run(
            *("psql", "-X", "-q", "-o", "/dev/null", "-b", "-1", *entry),
            *("-v", "ON_ERROR_STOP=0", "-v", "ON_ERROR_ROLLBACK=on"),
            *("-c", f"\\restrict {restriction_key()}", "-f", inside),
            seconds=seconds,
        )
    found = complaints(finished.err, superuser=server.holds_superuser)
    return tuple(chain(found, _beyond_messages(finished, seconds, told=bool(found))))


def _beyond_messages(finished: Finished, seconds: float, *, told: bool) -> Iterator[Complaint]:
    """What else went wrong, besides what was complained of."""
    if finished.timed_out:
        yield Complaint(Harm.HARMFUL, f"given up after the time limit of {seconds:.0f} s", 1)
    elif finished.code and not told:
        yield Complaint(Harm.HARMFUL, f"the restore ended with code {finished.code} and without a word", 1)
    if finished.cut:
        yield Complaint(Harm.HARMFUL, "more messages than can be looked at", 1)


def _hindrance(found: tuple[Complaint, ...], server: ThrowawayServer, archive: Archive) -> Unverified | None:
    """Why the errors of a restore do not tell about the backup, but about the server; None when they do."""
    by_harm = {each.harm: each for each in reversed(found)}
    what = f"restoring {archive.path.name}"
    if (unknown := by_harm.get(Harm.RESTRICTION)) is not None:
        return Unverified(
            what,
            came_back=f"psql in {server.description} is too old to be restricted ({unknown.text})",
            remedy="Name an image with PostgreSQL 18, 17.6, 16.10, 15.14, 14.19, 13.22 or newer",
        )
    if (refused := by_harm.get(Harm.REFUSED)) is not None:
        return Unverified(
            what,
            came_back=f"{server.description} lets no superuser in, and the dump needs one: {refused.text}",
            remedy='Restore in a container: server = "container"',
        )
    if (missing := by_harm.get(Harm.EXTENSION)) is not None:
        return Unverified(
            what,
            came_back=f"{missing.text}, in {server.description}",
            remedy=f'Name an image that has it: images = {{ {archive.major} = "IMAGE" }}',
        )
    return None


def _counted(server: ThrowawayServer, archive: Archive) -> tuple[tuple[Complaint, ...], Restored]:
    """Count every table exactly, as a role that no policy hides a row from."""
    user = ADMINISTRATOR if server.holds_superuser else COUNTER
    # Names in a database without an encoding are bytes: taken for UTF8, the server would refuse them.
    encoding = "SQL_ASCII" if archive.dumps[0].encoding == "SQL_ASCII" else "UTF8"
    listed = _sql(server, TABLES, user=user, encoding=encoding)
    # Whole lines; JSON has every line feed of a name escaped, and no other character ends a line.
    tables = [json.loads(line) for line in listed.out.split("\n")[:-1]]
    names = [_readable(qualified(schema, table)) for schema, table, *_ in tables]
    # Of a table with children only its own rows, as it is dumped; a partitioned one has none of its own.
    only = ["" if kind == "p" else "ONLY " for _, _, kind, *_ in tables]
    counts = "\n".join(
        f"SELECT {number}, pg_catalog.count(*) FROM {which}{_everywhere(schema, table)};"  # noqa: S608 -- names are quoted
        for number, (which, (schema, table, *_)) in enumerate(zip(only, tables, strict=True))
    )
    finished = _sql(server, counts, user=user, encoding=encoding, seconds=COUNTING)
    rows = {names[int(number)]: int(count) for number, count in (line.split("|") for line in finished.out.splitlines())}
    errors = (*complaints(listed.err, superuser=True), *complaints(finished.err, superuser=True))
    if finished.timed_out or listed.timed_out:
        errors = (*errors, Complaint(Harm.HARMFUL, f"counting given up after {COUNTING:.0f} s", 1))
    if finished.cut or listed.cut:
        errors = (*errors, Complaint(Harm.HARMFUL, "more tables than can be counted", 1))
    return errors, Restored(
        rows=rows,
        within={
            name: _readable(qualified(root_schema, root))
            for name, (_, _, _, root_schema, root, _) in zip(names, tables, strict=True)
            if root is not None
        },
        of_extensions=frozenset(name for name, table in zip(names, tables, strict=True) if table[-1]),
    )


def _readable(name: str) -> str:
    """A name, the bytes of it that are no text spelt out as in the dump's (see `dump_statements.decoded`)."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _everywhere(*names: str) -> str:
    """A name in SQL with every identifier quoted, so that no keyword is in the way."""
    return ".".join('"' + each.replace('"', '""') + '"' for each in names)
