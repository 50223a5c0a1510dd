"""What is found in the restored databases besides their rows, for the checks to judge."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fixtures.content import TABLES, TableFigures, differences, not_recorded
from fixtures.content_definitions import KINDS, WORDED
from fixtures.drills import Drill
from fixtures.manifest import Manifest, manifest_beside
from fixtures.measure.dump import Contents
from fixtures.measure.dump_statements import qualified
from reports.requirement import Unverified, Value
from restore.examination import (
    NewestRow,
    RestoredFigures,
    SmokeAnswer,
    live_counts,
    live_figures,
    newest_rows,
    restored_figures,
    smoke_answers,
)
from restore.migrations_inside import MigrationsInside, migrations_inside
from restore.sandbox import NoAnswerError, Sandbox
from restore.structure import Structure, structure_of

# Who is no superuser can hand over only what the new owner might have made.
OF_ROLES = ("owners", "rights", "default rights")
ALL_DEFINITIONS = "definitions"  # of a drill that leaves out what follows the rows
WHOLE = (TABLES, "sequences", "large objects", ALL_DEFINITIONS)
ENCODING = "SELECT pg_catalog.to_json(pg_catalog.current_setting('server_encoding'));"


@dataclass(frozen=True)
class Examined:
    """What was found; what nobody declared was not looked for.

    Attributes:
        structures: of each restored database, by its name; none where the structure was not restored.
        newest: the newest rows of the tables that tell of a backup's time.
        smoke: the answers to the declared queries.
        live: rows of tables in the live database; or why they cannot be told.
        migrations: those inside beside those of the live database.
        figures: what the restored content comes to, where something is on record or live to compare it with.
        recorded: what the backup job wrote down beside the backup.
        live_figures: of tables of the live database; or why they cannot be told.
        not_compared: kinds of definitions that the sandbox itself cannot restore as they were, or words in its own
            way; ALL_DEFINITIONS for all; TABLES where what rows come to is not compared, because the restored database
            has another encoding than the source.
    """

    structures: Mapping[str, Structure]
    newest: tuple[NewestRow, ...]
    smoke: tuple[SmokeAnswer, ...]
    live: Mapping[str, int] | Unverified
    migrations: MigrationsInside | None
    figures: RestoredFigures | None
    recorded: Manifest | None
    live_figures: Mapping[str, TableFigures] | Unverified
    not_compared: tuple[str, ...]

    def differences(self) -> tuple[str, ...] | None:
        """Where the content is not what is on record or live, a phrase each; None when there is nothing to compare.

        Raises:
            Unverified: when the live database was not reached.
        """
        if self.figures is None:
            return None
        found = self.figures.figures
        if found is None:
            return (self.figures.fault,)
        recorded = (
            differences(self.recorded.figures, found, without=self._not_compared_kinds()) if self.recorded else ()
        )
        if isinstance(self.live_figures, Unverified):
            if recorded:  # which is known, whatever the live database would have said
                return recorded
            raise self.live_figures.with_traceback(None)
        live = [
            f"{table}: another content than the live database's"
            for table, figures in self.live_figures.items()
            if found.tables.get(table) != figures
        ]
        return (*recorded, *live)

    def not_proven(self) -> tuple[str, ...]:
        """What was not compared with anything on record, in words: parts of the content, kinds, sequences.

        Where nothing was recorded, or the restored content could not be read, that is all of it. Sequences are those
        of which nothing was recorded because they moved while the dump was made.
        """
        if self.recorded is None or self.figures is None or self.figures.figures is None:
            return WHOLE
        without = self._not_compared_kinds()
        unknown = not_recorded(self.recorded.figures, self.figures.figures)
        left_out = {*without, *unknown}
        if ALL_DEFINITIONS in self.not_compared:
            kinds: tuple[str, ...] = (ALL_DEFINITIONS,)
        else:
            kinds = tuple(kind for kind in KINDS if kind in left_out)
        tables = (TABLES,) if TABLES in without else ()
        return (*tables, *kinds, *(each for each in unknown if each not in KINDS))

    def facts(self) -> Iterator[tuple[str, Value, str]]:
        """What a reader of the record needs to know of what the backup job wrote down, each with its unit."""
        if self.recorded is not None:
            yield "content recorded of", f"{self.recorded.source}, in {self.recorded.encoding}", ""
            yield "content recorded as of", f"{self.recorded.taken_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC", ""

    def _not_compared_kinds(self) -> tuple[str, ...]:
        return (*self.not_compared, *(KINDS if ALL_DEFINITIONS in self.not_compared else ()))


def examination(
    drill: Drill, path: Path, taken_at: datetime | None = None, *, newest: bool = True
) -> Callable[[Sandbox], Examined]:
    """What looks at the restored databases as a drill declares.

    Args:
        drill: it.
        path: of the backup, beside which a manifest may lie.
        taken_at: when the backup was made; without it migrations are not compared.
        newest: whether it can be compared with what the live database holds now.
    """

    def examine(sandbox: Sandbox) -> Examined:
        declared = drill.declared
        part = main_part(sandbox, declared.database)
        recorded = manifest_beside(path)
        tables = (each.rpartition(".") for each in declared.fingerprints if newest)
        live = [qualified(schema or "public", table) for schema, _, table in tables]
        wanted = None if recorded else live
        if declared.smoke:
            sandbox.analyze(part)
        full = declared.depth == "full"
        return Examined(
            structures={each.database: structure_of(sandbox, each, each.extensions) for each in sandbox.filled if full},
            newest=tuple(
                newest for each in declared.fresh for newest in newest_rows(sandbox, part, (each,), drill.zone_of(each))
            ),
            smoke=smoke_answers(sandbox, part, declared.smoke),
            live=_live_rows(drill) if newest else {},
            migrations=_migrations(drill, sandbox, part, taken_at),
            figures=restored_figures(sandbox, part, wanted) if recorded or live else None,
            recorded=recorded,
            live_figures=_live_figures(drill, live),
            not_compared=_not_compared(sandbox, part, recorded, full=full),
        )

    return examine


def _not_compared(sandbox: Sandbox, part: Contents, recorded: Manifest | None, *, full: bool) -> tuple[str, ...]:
    """What the sandbox itself makes different, as `Examined` says."""
    reencoded = recorded is not None and _encoding(sandbox, part) not in {recorded.encoding, None}
    if reencoded or not full:
        return (ALL_DEFINITIONS, TABLES) if reencoded else (ALL_DEFINITIONS,)
    of_roles = () if sandbox.server.holds_superuser else OF_ROLES
    other_major = recorded is not None and recorded.major != sandbox.server.major
    return (*of_roles, *(WORDED if other_major else ()))


def _encoding(sandbox: Sandbox, part: Contents) -> str | None:
    """The restored database's; None when it does not answer, which its figures tell of."""
    try:
        return str(sandbox.ask(part, ENCODING)[0])
    except NoAnswerError:
        return None


def main_part(sandbox: Sandbox, database: str | None) -> Contents:
    """The database of the dump that a drill's declarations are about.

    Raises:
        Unverified: when the dump holds several, and none is named, or not the one that is.
    """
    there = [each.database for each in sandbox.filled]
    if database is None and len(there) == 1:
        return sandbox.filled[0]
    if database not in there:
        raise Unverified(
            "looking into the restored database",
            came_back=f"the dump holds {', '.join(there)}" + (f", and no {database}" if database else ""),
            remedy=f'Name the one that counts: [[restore]] database = "{there[-1]}"',
        )
    return sandbox.filled[there.index(database)]


def _live_rows(drill: Drill) -> Mapping[str, int] | Unverified:
    tables = [table for table, count in drill.declared.counts.items() if count.live is not None]
    if drill.live is None or not tables:
        return {}
    try:
        return live_counts(drill.live, tables)
    except Unverified as unreached:
        return unreached


def _live_figures(drill: Drill, tables: list[str]) -> Mapping[str, TableFigures] | Unverified:
    if drill.live is None or not tables:
        return {}
    try:
        return live_figures(drill.live, tables)
    except Unverified as unreached:
        return unreached


def _migrations(drill: Drill, sandbox: Sandbox, part: Contents, taken_at: datetime | None) -> MigrationsInside | None:
    if drill.migrations is None or taken_at is None:
        return None
    earliest = taken_at - drill.backups.declared.grace
    return migrations_inside(sandbox, part, drill.migrations, earliest=earliest, latest=taken_at)
