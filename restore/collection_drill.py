"""The drill of collections: tables are made from the definitions of an archive, and compared with those of a dump.

Of the dump only the structure is restored, beside the tables that were made from the definitions, in one throwaway
server. What those tables hold is not the archive's matter: rows come from the dump.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fixtures import archive as archives
from fixtures.archive import Archive
from fixtures.drills import RestoreDeclared
from fixtures.measure.dump import Contents
from fixtures.measure.nocobase_collections import (
    Column,
    Definition,
    Kind,
    MalformedError,
    definition_of,
    differences,
    not_shown,
)
from fixtures.measure.restore_messages import Complaint, Harm
from fixtures.recreation import Definitions, Recreation
from reports.requirement import Breach, Unverified, Value
from restore.loading import Load, hindrance, load, put
from restore.parts import databases
from restore.sandbox import RESTORER, NoAnswerError, Sandbox, faults, identifier, literal
from restore.server import Finished, ThrowawayServer
from restore.throwaway import leased, room_for, throwaway

SCRATCH = "constancia_recreated"  # the database that the tables are made in
SOON = 60.0  # seconds that making a table may take
MAKE_SCRATCH = (
    f"CREATE DATABASE {SCRATCH} OWNER {RESTORER} TEMPLATE template0 ENCODING UTF8 LC_COLLATE 'C' LC_CTYPE 'C';"
)
NOT_IN_DUMP = "the dump does not hold it: its rows could not be brought back"
ROWS_BEGIN = re.compile(rb"^-- Data for Name: ", re.MULTILINE)  # as pg_dump begins the rows of each table
LONGEST_MARK = len("-- Data for Name: ")
LONGEST_STRUCTURE = 1 << 26  # bytes
RELATIONS = {Kind.TABLE: "'r', 'p'", Kind.VIEW: "'v', 'm'"}
COLUMNS = """
SELECT pg_catalog.json_build_array(a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
       EXISTS (SELECT FROM pg_catalog.pg_index i
               WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey)),
       (SELECT pg_catalog.json_agg(e.enumlabel) FROM pg_catalog.pg_enum e WHERE e.enumtypid = a.atttypid))
FROM pg_catalog.pg_attribute a
WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid = (
    SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = CAST({table} AS pg_catalog.name) AND c.relkind IN ({kinds})
    AND CAST({schema} AS pg_catalog.name) IN ('', n.nspname) AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    ORDER BY n.nspname <> 'public', n.nspname LIMIT 1
) ORDER BY a.attnum;
"""


@dataclass(frozen=True)
class Recreated:
    """What became of one declared collection.

    Attributes:
        name: the collection's.
        fields: how many its definition has; None where there is no definition.
        outcome: what was done, for the record: "recreated with 7 columns", "not recreated: a query".
        findings: what is wrong with it, a phrase each.
        unproven: what could not be told, a sentence each.
    """

    name: str
    fields: int | None
    outcome: str
    findings: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()


@dataclass(frozen=True)
class CollectionsReport:
    """What the drill of collections came to.

    Attributes:
        archive: the file name of the archive with the definitions.
        dump: of the dump that they were compared with; empty where there was none.
        dump_sha256: its digest, in hex.
        server: what it was restored into, exactly; empty when no server was needed.
        isolation: how that was kept apart.
        collections: each declared one.
        hindrance: why they could not be compared; None when they were.
        gone: what was checked to be gone afterwards.
        left: what is still there.
    """

    archive: str
    collections: tuple[Recreated, ...]
    dump: str = ""
    dump_sha256: str = ""
    server: str = ""
    isolation: tuple[str, ...] = ()
    hindrance: Unverified | None = None
    gone: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    def facts(self) -> Iterator[tuple[str, Value]]:
        """What a reader of the record needs to know."""
        yield "definitions from", self.archive
        yield "rows", "come from the database dump: an archive of definitions holds none"
        yield "compared with the dump", f"{self.dump}, SHA-256 {self.dump_sha256}" if self.dump else "none"
        yield "recreated in", self.server or "nothing"
        yield "isolation", ", ".join(self.isolation) or "none needed"
        yield "gone", ", ".join(self.gone) or "no throwaway server was needed"

    def undefined(self) -> list[str]:
        """The declared collections that the archive does not define."""
        return [each.name for each in self.collections if each.fields is None]

    def require_compared(self) -> None:
        """Make sure that nothing stayed untold.

        Raises:
            Unverified: when a collection could not be recreated or compared, for a reason that is not its definition's.
        """
        if self.hindrance is not None:
            raise self.hindrance.with_traceback(None)
        if untold := [f"{each.name}: {'; '.join(each.unproven)}" for each in self.collections if each.unproven]:
            raise Unverified(
                f"recreating collections of {self.archive}",
                came_back=", and ".join(untold),
                remedy="Bring this suite up to date, or recreate these by hand and compare their columns",
            )


def held(recreation: Recreation) -> CollectionsReport:
    """Hold the drill. The server is gone when this returns or raises.

    Raises:
        Breach: when there is no archive of definitions, or it is damaged or holds none.
        Unverified: when that archive cannot be read here, or no collection is declared.
    """
    if not recreation.expected:
        raise Unverified(
            f"recreating collections of {recreation.backups.name}",
            came_back="it declares none",
            remedy='Name them in its [[backups]]: collections = ["..."]',
        )
    definitions = recreation.definitions()
    read = {name: _read(name, definitions) for name in recreation.expected}
    report = CollectionsReport(
        archive=recreation.backups.newest().name,
        collections=tuple(each for _, each in read.values()),
    )
    plans = {name: definition for name, (definition, _) in read.items() if definition is not None}
    if not any(each.kind is not Kind.QUERY and not each.unproven for each in plans.values()):
        return report
    try:
        dump = recreation.drill.backups.newest()
        report = replace(report, dump=dump.name)
        with recreation.drill.backups.local_copy(dump) as path:
            archive = archives.read(path, most=room_for(recreation.drill.declared))
            report = replace(report, dump_sha256=archive.sha256)
            return _compared(report, plans, archive, recreation.drill.declared)
    except Breach as damage:
        return replace(report, hindrance=_not_comparable(report.dump, damage))
    except Unverified as unverified:
        return replace(report, hindrance=unverified)


def _read(name: str, definitions: Definitions) -> tuple[Definition | None, Recreated]:
    """A definition, where there is one that can be read, and what is known of it so far."""
    if name not in definitions:
        return None, Recreated(name, None, "not recreated: it is not defined")
    try:
        definition = definition_of(name, definitions)
    except MalformedError as fault:
        return None, Recreated(name, 0, "not recreated", findings=(str(fault),))
    if definition.kind is not Kind.TABLE:
        return definition, Recreated(name, definition.fields, f"not recreated: {definition.kind}")
    outcome = "not recreated" if definition.unproven else "to be recreated"
    return definition, Recreated(name, definition.fields, outcome, unproven=definition.unproven)


def _compared(
    report: CollectionsReport, plans: Mapping[str, Definition], archive: Archive, declared: RestoreDeclared
) -> CollectionsReport:
    """The report with everything that needs a server: made in it, compared, and the server gone."""
    with leased(declared) as lease, throwaway(declared, archive.major, lease) as server:
        report = _in_server(report, plans, archive, server, declared)
    left = (*server.left, *((f"folder {lease.folder}",) if lease.folder.exists() else ()))
    return replace(report, gone=server.gone, left=left)


def _in_server(
    report: CollectionsReport,
    plans: Mapping[str, Definition],
    archive: Archive,
    server: ThrowawayServer,
    declared: RestoreDeclared,
) -> CollectionsReport:
    try:
        server.launch()
        server.await_ready()
        report = replace(report, server=server.description, isolation=server.isolation)
        sandbox = Sandbox(server, archive)
        sandbox.prepare()
        # Before anything of the dump runs in the server.
        made = _made(sandbox, plans)
        part = _part(archive, declared.database)
        found = _structure_restored(sandbox, archive, declared.time_limit.total_seconds())
        judged = tuple(
            _judged(each, plans.get(each.name), made.get(each.name, ()), sandbox, part) for each in report.collections
        )
        if any(NOT_IN_DUMP in each.findings for each in judged):
            _require_own_fault(found, sandbox, archive)
        return replace(report, collections=judged)
    except Breach as damage:  # found when the dump was read again
        return replace(report, hindrance=_not_comparable(report.dump, damage))
    except Unverified as unverified:
        return replace(report, hindrance=unverified)


def _not_comparable(dump: str, damage: Breach) -> Unverified:
    return Unverified(
        f"comparing collections with {dump or 'the newest database dump'}",
        came_back=str(damage),
        remedy="Mend first what RESTORE-1 says of it",
    )


def _part(archive: Archive, database: str | None) -> Contents:
    """The part of the dump that holds the collections' tables.

    Raises:
        Breach: when the drill names a database that the dump does not hold.
    """
    found = databases(archive)
    for each in found:
        if database in (None, each.database) or len(found) == 1:
            return each
    there = ", ".join(each.database for each in found)
    raise Breach("databases in the dump", observed=there, limit=f"one called {database}", subject=archive.path.name)


def _made(sandbox: Sandbox, plans: Mapping[str, Definition]) -> Mapping[str, Sequence[Column] | str]:
    """The columns of each table that could be made of a definition, or what PostgreSQL said against it."""
    _require(sandbox.sql(MAKE_SCRATCH, database="postgres"), sandbox)
    made: dict[str, Sequence[Column] | str] = {}
    for name, definition in plans.items():
        if definition.kind is not Kind.TABLE or definition.unproven:
            continue
        finished = sandbox.sql(_statements(definition), database=SCRATCH, user=RESTORER)
        if said := faults(finished, SOON):
            made[name] = said[0].text
            continue
        told = sandbox.sql(_question(definition), database=SCRATCH, user=RESTORER)
        _require(told, sandbox)
        made[name] = [_column(json.loads(line)) for line in told.out.split("\n")[:-1]]
    return made


def _statements(definition: Definition) -> str:
    """What makes the table: its columns and key. Of the definition it takes names, quoted, and no more."""
    columns = [f"{identifier(each.name)} {each.type}{' NOT NULL' * bool(each.required)}" for each in definition.columns]
    if keys := [identifier(each.name) for each in definition.columns if each.key]:
        columns.append(f"PRIMARY KEY ({', '.join(keys)})")
    schema = definition.schema or "public"
    table = identifier(schema, definition.table)
    return f"CREATE SCHEMA IF NOT EXISTS {identifier(schema)};\nCREATE TABLE {table} ({', '.join(columns)});"


def _question(definition: Definition) -> str:
    names = {"schema": literal(definition.schema), "table": literal(definition.table)}
    return COLUMNS.format(kinds=RELATIONS[definition.kind], **names)


def _column(row: Sequence[Any]) -> Column:
    name, typed, required, key, labels = row
    return Column(name, typed, required, key, tuple(labels or ()))


def _require(finished: Finished, sandbox: Sandbox) -> None:
    if said := faults(finished, SOON):
        raise Unverified(
            "making a database for the collections",
            came_back=said[0].text,
            remedy=f"See whether {sandbox.server.description} is a PostgreSQL that works",
        )


def _judged(
    begun: Recreated,
    definition: Definition | None,
    made: Sequence[Column] | str,
    sandbox: Sandbox,
    part: Contents,
) -> Recreated:
    """What became of a collection, now that both databases are there."""
    if definition is None or definition.unproven or definition.kind is Kind.QUERY:
        return begun
    if isinstance(made, str):
        return replace(begun, outcome="not recreated", findings=(f"PostgreSQL refuses its table: {made}",))
    try:
        dumped = [_column(row) for row in sandbox.ask(part, _question(definition))]
    except NoAnswerError as fault:
        return replace(begun, unproven=(f"the restored structure does not answer: {fault}",))
    outcome = begun.outcome if definition.kind is Kind.VIEW else f"recreated with {len(made)} columns"
    if not dumped:
        return replace(begun, outcome=outcome, findings=(NOT_IN_DUMP,))
    if definition.kind is Kind.VIEW:
        return replace(begun, findings=tuple(not_shown(definition, dumped)))
    return replace(begun, outcome=outcome, findings=tuple(differences(definition, made, dumped)))


def _require_own_fault(found: tuple[Complaint, ...], sandbox: Sandbox, archive: Archive) -> None:
    """Make sure that what is not in the restored structure is not in the dump either.

    Raises:
        Breach: when the dump's own statements failed, so that what it holds is not known.
        Unverified: when the server is at fault.
    """
    if (fault := hindrance(found, sandbox, archive)) is not None:
        raise fault
    if harmful := next((each for each in found if each.harm is Harm.HARMFUL), None):
        observed = f"its structure does not restore whole: {harmful.text}"
        raise Breach("structure of the dump", observed=observed, limit="restored", subject=archive.path.name)


def _structure_restored(sandbox: Sandbox, archive: Archive, seconds: float) -> tuple[Complaint, ...]:
    """Restore everything of the dump but its rows; the errors that were made of it."""
    plain = archive.format == "plain"
    inside = tuple(_structure_files(sandbox, archive)) if plain else put(sandbox, archive, data_only=False)
    return load(sandbox, archive, inside, Load("structure", seconds))


def _structure_files(sandbox: Sandbox, archive: Archive) -> Iterator[str]:
    """The parts of plain SQL without their rows, put into the sandbox; their paths there."""
    for part, file in zip(archive.dumps, archive.files(), strict=True):
        after = None if part.post_data is None else part.post_data - part.span[0]
        text = without_rows(file.blocks, after, archive.path.name)
        yield sandbox.server.put(file.name, iter([text]), len(text))


def without_rows(blocks: Iterator[bytes], after: int | None, subject: str) -> bytes:
    """What stands in a part of plain SQL before its rows, and after them.

    That a function's body holds the mark of rows at the beginning of a line cuts the structure short, and then its
    tables are missed: that is told, and nothing passes by it.

    Args:
        blocks: of the part.
        after: where what follows the rows begins in it; None where nothing does.
        subject: the dump's name.

    Raises:
        Unverified: when that is more than can be taken into memory.
    """
    before, behind = bytearray(), bytearray()
    rows_begun, reached = False, 0
    for block in blocks:
        stop = len(block) if after is None else min(len(block), max(0, after - reached))
        reached += len(block)
        if not rows_begun:
            searched = max(0, len(before) - LONGEST_MARK)
            before += block[:stop]
            if found := ROWS_BEGIN.search(before, searched):
                rows_begun = True
                del before[found.start() :]
        behind += block[stop:]
        if len(before) + len(behind) > LONGEST_STRUCTURE:
            raise Unverified(
                f"taking the structure out of {subject}",
                came_back=f"it is more than {LONGEST_STRUCTURE} bytes of SQL",
                remedy="Let the backup job write pg_dump's custom format (-Fc)",
            )
    return bytes(before + behind)
