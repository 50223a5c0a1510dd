"""What is found in the restored databases besides their rows, for the checks to judge."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fixtures.drills import Drill
from fixtures.measure.dump import Contents
from reports.requirement import Unverified
from restore.examination import (
    NewestRow,
    SmokeAnswer,
    live_counts,
    newest_rows,
    smoke_answers,
)
from restore.sandbox import Sandbox
from restore.structure import Structure, structure_of


@dataclass(frozen=True)
class Examined:
    """What was found; what was not declared was not looked for.

    Attributes:
        structures: of each restored database, by its name; empty when its structure was not restored.
        newest: the newest rows of the tables that tell of a backup's time.
        smoke: the answers to the declared queries.
        live: rows of tables in the live database; or why they cannot be told.
    """

    structures: Mapping[str, Structure]
    newest: tuple[NewestRow, ...]
    smoke: tuple[SmokeAnswer, ...]
    live: Mapping[str, int] | Unverified


def examination(drill: Drill, path: Path) -> Callable[[Sandbox], Examined]:
    """What looks at the restored databases as a drill declares.

    Args:
        drill: it.
        path: of the backup, beside which a manifest may lie.
    """

    def examine(sandbox: Sandbox) -> Examined:
        declared = drill.declared
        part = main_part(sandbox, declared.database)
        return Examined(
            structures={
                each.database: structure_of(sandbox, each, each.extensions)
                for each in sandbox.filled
                if declared.depth == "full"
            },
            newest=newest_rows(sandbox, part, declared.fresh, drill.timezone),
            smoke=smoke_answers(sandbox, part, declared.smoke),
            live=_live(drill),
        )

    return examine


def _live(drill: Drill) -> Mapping[str, int] | Unverified:
    tables = [table for table, count in drill.declared.counts.items() if count.live is not None]
    if drill.live is None or not tables:
        return {}
    try:
        return live_counts(drill.live, tables)
    except Unverified as unreached:
        return unreached


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
