"""What one restore drill came to: a frozen report that its checks judge one by one."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fixtures.archive import Archive
from fixtures.measure.dump_statements import qualified
from fixtures.measure.restore_messages import Complaint, Harm
from reports.requirement import Breach, Unverified, Value
from restore.leftovers import UNSURE

MOST_TABLES_NAMED = 20


@dataclass(frozen=True)
class Phase:
    """A part of the drill, and how long it took, in seconds."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Restored:
    """What the restored database holds.

    Attributes:
        rows: rows of each table by its name, spelt as `dump_statements.qualified` does; of a partitioned table in all.
        within: for a partition, the partitioned table that it is a part of.
        of_extensions: tables that an extension brought.
    """

    rows: Mapping[str, int] = field(default_factory=dict)
    within: Mapping[str, str] = field(default_factory=dict)
    of_extensions: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Disposal:
    """What was checked after the drill: what is gone, and what is still there."""

    gone: tuple[str, ...]
    left: tuple[str, ...]


@dataclass(frozen=True)
class DrillReport:
    """One drill, whatever came of it.

    Attributes:
        file: name of the backup.
        sha256: its digest.
        archive: what was read of it; None when it is damaged.
        damage: why it cannot be restored; None when it was.
        hindrance: why the drill could not tell; None when it could.
        server: what it was restored into, exactly; empty when no server was needed.
        isolation: how that was kept apart.
        roles_created: made beforehand, because a dump names roles and does not bring them.
        complaints: the errors of the restore, by kind.
        restored: what was found afterwards.
        phases: how long each took: sandbox time, which proves nothing about production.
        disposal: what was checked to be gone.
        swept: what drills that were killed had left behind when this run began.
    """

    file: str
    sha256: str
    archive: Archive | None
    damage: Breach | None
    hindrance: Unverified | None
    server: str
    isolation: tuple[str, ...]
    roles_created: tuple[str, ...]
    complaints: tuple[Complaint, ...]
    restored: Restored
    phases: tuple[Phase, ...]
    disposal: Disposal
    swept: tuple[str, ...]

    def facts(self) -> Iterator[tuple[str, Value, str]]:
        """What a reader of the record needs to know, each with its unit."""
        yield "SHA-256 of the backup", self.sha256, ""
        if self.archive is not None:
            yield "size of the backup", self.archive.size, "bytes"
            yield "written by pg_dump", self.archive.dump_version, ""
            yield "content unproven", self.archive.unproven or "no: a recorded digest or its own checksums agree", ""
        yield "restored into", self.server or "nothing", ""
        yield "isolation", ", ".join(self.isolation) or "none needed", ""
        yield "roles created beforehand", ", ".join(self.roles_created) or "none", ""
        yield "harmless errors", _listed(self._of(Harm.HARMLESS)) or "none", ""
        for phase in self.phases:
            yield f"time to {phase.name} (sandbox)", phase.seconds, "s"

    def harmful(self) -> list[str]:
        """Everything that keeps the backup from being restored whole.

        Raises:
            Breach: when the backup is damaged, so that there was nothing to restore.
            Unverified: when the drill could not tell.
        """
        self._require_restored()
        return [_shown(each) for each in self._of(Harm.HARMFUL)]

    def tables(self) -> Iterator[tuple[str, int, int | None]]:
        """Each table with its rows in the dump and in the restored database (None: not there).

        Tables that extensions bring are left out: their rows come from the extension too.

        Raises:
            Breach: when the backup is damaged, or holds no table.
            Unverified: when the drill could not tell.
        """
        archive = self._require_restored()
        dumped, found = archive.rows, self.restored.rows
        tables = [each for each in {**dumped, **found} if each in dumped or self._fills_itself(each)]
        if not tables:
            raise Breach("tables in the dump", observed="none", limit="at least one", subject=self.file)
        if uncounted := [table for each in archive.dumps for table in each.uncounted]:
            raise Unverified(
                f"counting the rows in {self.file}",
                came_back=f"it fills {', '.join(uncounted)} by statements whose rows cannot be counted",
                remedy="Let the backup job write COPY (pg_dump without --inserts), or pg_dump's custom format",
            )
        for table in sorted(set(tables) - self.restored.of_extensions):
            yield table, dumped.get(table, 0), found.get(table)

    def rows_of(self, declared: str) -> int:
        """Rows of a table after the restore.

        Args:
            declared: its name, alone or with its schema before a dot; alone, the one in public goes first.

        Raises:
            Breach: when the backup is damaged, or no such table was restored, or several; it names those there are.
            Unverified: when the drill could not tell.
        """
        self._require_restored()
        schema, _, table = declared.rpartition(".")
        rows = self.restored.rows
        exact = [qualified(schema, table)] if schema else [qualified("public", declared)]
        anywhere = [] if schema else [each for each in rows if each.endswith(f".{qualified('', declared)[3:]}")]
        found = [each for each in exact if each in rows] or anywhere
        if len(found) == 1:
            return rows[found[0]]
        raise Breach(
            "restored tables",
            observed=f"several: {', '.join(found)}" if found else f"{declared} is not among {self._named(declared)}",
            limit=f"one called {declared}",
            subject=self.file,
        )

    def leftovers(self) -> list[str]:
        """What is left of this drill, and what drills that were killed had left when this run began.

        Raises:
            Unverified: when nothing is known to be left, but what a killed drill left could not be looked at.
        """
        left = [*self.disposal.left, *(each for each in self.swept if not each.endswith(UNSURE))]
        if self.swept and not left:
            raise Unverified(
                "removing what a killed drill left",
                came_back="; ".join(self.swept),
                remedy="Let the Docker engine run again, and repeat this",
            )
        return left

    def _of(self, harm: Harm) -> list[Complaint]:
        return [each for each in self.complaints if each.harm is harm]

    def _require_restored(self) -> Archive:
        """What was restored, or why nothing was."""
        if self.hindrance is not None:
            raise self.hindrance.with_traceback(None)
        if self.damage is not None:
            raise self.damage.with_traceback(None)
        if self.archive is None:
            raise RuntimeError("a report without an archive says why")
        return self.archive

    def _fills_itself(self, table: str) -> bool:
        """Whether a table that the dump does not fill by name has rows of its own to account for."""
        parts = self.restored.within
        return table not in parts.values() and parts.get(table) not in (self.archive.rows if self.archive else {})

    def _named(self, wanted: str) -> str:
        """The tables there are, the nearest names first."""
        names = sorted(self.restored.rows)
        near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.4)
        ordered = [*near, *(each for each in names if each not in near)]
        more = f" and {len(ordered) - MOST_TABLES_NAMED} more" if len(ordered) > MOST_TABLES_NAMED else ""
        return f"{', '.join(ordered[:MOST_TABLES_NAMED])}{more}" if ordered else "the restored tables: there is none"


def _shown(complaint: Complaint) -> str:
    return f"{complaint.text} ({complaint.count} times)" if complaint.count > 1 else complaint.text


def _listed(complaints: list[Complaint]) -> str:
    return "; ".join(_shown(each) for each in complaints)
