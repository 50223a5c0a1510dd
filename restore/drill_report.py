"""What one restore drill came to: a frozen report that its checks judge one by one."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Literal

from fixtures.archive import Archive
from fixtures.drills import Drill
from fixtures.measure.dump import Contents
from fixtures.measure.dump_statements import qualified
from fixtures.measure.restore_messages import Complaint, Harm
from reports.requirement import Breach, Unverified, Value
from restore.counting import Restored
from restore.earlier import Earlier
from restore.examined import Examined
from restore.leftovers import UNSURE
from restore.migrations_inside import MigrationsInside
from restore.parts import databases, dumped_rows, shown
from restore.structure import Structure

MOST_NAMED = 20
AFTERWARDS = ("count", "examine", "dispose of the server")  # which no recovery needs
USUAL = 7  # earlier drills that say what is usual
DEPTHS = {"full": "everything", "data": "rows, without indexes, constraints and triggers: those are not tested"}


@dataclass(frozen=True)
class Phase:
    """A part of the drill, and how long it took, in seconds."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Disposal:
    """What was checked after the drill: what is gone, and what is still there."""

    gone: tuple[str, ...]
    left: tuple[str, ...]


@dataclass(frozen=True)
class Chosen:
    """Which backup a drill took.

    Attributes:
        how: it was chosen, as "the newest of 13".
        taken_at: when the backup was made, in UTC.
        at: when the drill began, in UTC.
        newest: whether no finished backup is newer.
    """

    how: str
    taken_at: datetime
    at: datetime
    newest: bool


@dataclass(frozen=True)
class Recency:
    """How recent the newest row of a table is.

    Attributes:
        table: as declared.
        lag: how much older than the backup it is; negative when it is dated after it.
        within: how much older it may be.
        age: how old it was when the drill began; None in a backup that is not the newest, where that says nothing.
    """

    table: str
    lag: timedelta
    within: timedelta
    age: timedelta | None


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
        restored: the rows that were found afterwards.
        examined: what else was found; None when it was not looked at.
        unexamined: why the restored databases could not be looked at; None when they were, or nobody asked.
        depth: how far it was restored: "full", or "data" without indexes and constraints.
        phases: how long each took: sandbox time, which proves nothing about production.
        seconds: that the whole drill took; some phases overlap.
        disposal: what was checked to be gone.
        swept: what drills that were killed had left behind when this run began.
        chosen: which backup it was; None where a file was handed in.
        proven: how damaged copies of it were rejected beforehand, a sentence each; empty when none were made.
        earlier: the drills of this name that were on record before, oldest first.
        unrecorded: why those cannot be told, or this one could not be put on record; None when it was, or no file is
            declared.
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
    examined: Examined | None
    depth: Literal["full", "data"]
    phases: tuple[Phase, ...]
    seconds: float
    disposal: Disposal
    swept: tuple[str, ...]
    chosen: Chosen | None = None
    proven: tuple[str, ...] = ()
    earlier: tuple[Earlier, ...] = ()
    unrecorded: Unverified | None = None
    unexamined: Breach | Unverified | None = None

    def facts(self) -> Iterator[tuple[str, Value, str]]:
        """What a reader of the record needs to know, each with its unit."""
        if self.chosen is not None:
            yield "chosen", self.chosen.how, ""
            yield "made at", f"{self.chosen.taken_at:%Y-%m-%d %H:%M} UTC", ""
            yield "age when the drill began", (self.chosen.at - self.chosen.taken_at).total_seconds(), "s"
        yield "SHA-256 of the backup", self.sha256, ""
        if self.archive is not None:
            yield "size of the backup", self.archive.size, "bytes"
            yield "written by pg_dump", self.archive.dump_version, ""
            yield "content unproven", self._unproven(self.archive), ""
            for finding in self.archive.findings:
                yield "found in it", finding, ""
        yield "depth", DEPTHS[self.depth], ""
        if self.examined is not None:
            yield from self.examined.facts()
        for proof in self.proven:
            yield "the judge was proven first", proof, ""
        yield "restored into", self.server or "nothing", ""
        yield "isolation", ", ".join(self.isolation) or "none needed", ""
        yield "roles created beforehand", ", ".join(self.roles_created) or "none", ""
        yield "harmless errors", _listed(self._of(Harm.HARMLESS)) or "none", ""
        for phase in self.phases:
            yield f"time to {phase.name} (sandbox)", phase.seconds, "s"
        yield "time of the whole drill (sandbox)", self.seconds, "s"

    def _unproven(self, archive: Archive) -> str:
        """What cannot be known of the content, or why it is proven."""
        if not archive.unproven:
            return "no: a recorded digest or its own checksums agree"
        if self.examined is not None and self.examined.recorded is not None:
            with suppress(Unverified):
                if self.differences() == ():
                    names = self.examined.not_proven()
                    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
                    left = f"{', '.join(names[:MOST_NAMED])}{more} only" if names else "no"
                    return f"{left}: the figures that were recorded of all else agree"
        return archive.unproven

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
        dumped, found = dumped_rows(archive), self.restored.rows
        tables = {each for each in {**dumped, **found} if each in dumped or self._fills_itself(each)}
        tables -= self.restored.of_extensions
        if not tables:
            raise Breach("tables in the dump", observed="none", limit="at least one", subject=self.file)
        if uncounted := [table for each in archive.dumps for table in each.uncounted]:
            raise Unverified(
                f"counting the rows in {self.file}",
                came_back=f"it fills {', '.join(uncounted)} by statements whose rows cannot be counted",
                remedy="Let the backup job write COPY (pg_dump without --inserts), or pg_dump's custom format",
            )
        for table in sorted(tables):
            yield table, dumped.get(table, 0), found.get(table)

    def rows_of(self, declared: str, *, database: str | None = None) -> int:
        """Rows of a table after the restore.

        Args:
            declared: its name, alone or with its schema before a dot; alone, the one in public goes first.
            database: of a dump of several the one that holds it.

        Raises:
            Breach: when the backup is damaged, or no such table was restored, or several; it names those there are.
            Unverified: when the drill could not tell.
        """
        archive = self._require_restored()
        schema, _, table = declared.rpartition(".")
        parts = [each for each in databases(archive) if database in (None, each.database)]
        exact = [shown(archive, each, qualified(schema or "public", table)) for each in parts]
        rows = {name: count for name, count in self.restored.rows.items() if self._is_of(name, parts)}
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

    def require_recorded(self) -> None:
        """See that the drill is on record, where a file is declared for it.

        Raises:
            Unverified: when it is not, or that file cannot be read.
        """
        if self.unrecorded is not None:
            raise self.unrecorded.with_traceback(None)

    def last_good(self) -> Earlier | None:
        """The last good drill of this name and of what was then the newest backup; None when none is on record.

        Raises:
            Unverified: as `require_recorded`.
        """
        self.require_recorded()
        return next((each for each in reversed(self.earlier) if each.good and each.newest), None)

    @property
    def of_newest(self) -> bool:
        """Whether it can be compared with what is now: an older backup rightly holds less."""
        return self.chosen is None or self.chosen.newest

    def live_rows(self) -> Mapping[str, int]:
        """Rows that declared tables held in the live database after the restore.

        Raises:
            Unverified: when it was not reached. Otherwise as `harmful`.
        """
        live = self._examined().live
        if isinstance(live, Unverified):
            raise live.with_traceback(None)
        return live

    def newest_rows(self, drill: Drill) -> Iterator[Recency]:
        """How recent the newest row of each declared table is.

        Args:
            drill: as declared.

        Raises:
            Breach: when a table has no newest row. Otherwise as `harmful`.
        """
        found = self._examined().newest
        if self.chosen is None:
            raise RuntimeError("a backup that was handed in has no time of its own")
        for declared, newest in zip(drill.declared.fresh, found, strict=True):
            if newest.at is None:
                limit = "a row with its time"
                raise Breach(f"newest {newest.column}", observed=newest.fault, limit=limit, subject=newest.table)
            age = self.chosen.at - newest.at if self.chosen.newest else None
            yield Recency(newest.table, self.chosen.taken_at - newest.at, drill.within(declared), age)

    def differences(self) -> tuple[str, ...] | None:
        """Where the content is not what is on record or live; None where there is nothing to compare it with.

        Raises:
            Unverified: when the live database was not reached, or the restored one could not be looked at. Otherwise as
                `harmful`.
        """
        return self._examined().differences()

    def migrations(self) -> MigrationsInside:
        """The migrations inside, beside those of the live database.

        Raises:
            Breach: as `harmful`.
            Unverified: when they differ in a way that need not be a fault. Otherwise as `harmful`.
        """
        found = self._examined().migrations
        if found is None:
            raise RuntimeError("asked for migrations that are not declared")
        if found.untold is not None and not found.findings:
            raise found.untold.with_traceback(None)
        return found

    def smoke_answers(self, drill: Drill) -> Iterator[tuple[str, Value, Value]]:
        """Name, answer and expected answer of each declared query. Raises as `harmful`."""
        for declared, found in zip(drill.declared.smoke, self._examined().smoke, strict=True):
            yield found.name, f"no answer: {found.fault}" if found.fault else found.observed, declared.equals

    def structures(self) -> Iterator[tuple[str, Structure]]:
        """What was found of each restored database's structure, with what to call it. Raises as `harmful`."""
        for database, structure in self._examined().structures.items():
            yield database or self.file, structure

    def time_facts(self, *, tuned: bool) -> Iterator[tuple[str, float]]:
        """Times of earlier good drills like this one, in seconds, and what to make of ours. Raises as `harmful`."""
        self._require_restored()
        alike = [each for each in self.earlier if each.good and (each.tuned, each.depth) == (tuned, self.depth)]
        if alike:
            yield f"median of the last {len(alike[-USUAL:])} like it", median(each.seconds for each in alike[-USUAL:])

    def recovered_in(self) -> float:
        """Seconds from the backup where it lay to a restored database; looking and disposal come after.

        Raises as `harmful`.
        """
        self._require_restored()
        return self.seconds - sum(each.seconds for each in self.phases if each.name in AFTERWARDS)

    def _examined(self) -> Examined:
        self._require_restored()
        if self.unexamined is not None:
            raise self.unexamined.with_traceback(None)
        if self.examined is None:
            raise RuntimeError("a drill that restored was looked at")
        return self.examined

    def _is_of(self, name: str, parts: Sequence[Contents]) -> bool:
        """Whether a table, by its name as counted, is in one of these parts."""
        archive = self._require_restored()
        return any(name.startswith(shown(archive, each, "")) for each in parts)

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
        return table not in parts.values() and parts.get(table) not in (
            dumped_rows(self.archive) if self.archive else {}
        )

    def _named(self, wanted: str) -> str:
        """The tables there are, the nearest names first."""
        names = sorted(self.restored.rows)
        near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.4)
        ordered = [*near, *(each for each in names if each not in near)]
        more = f" and {len(ordered) - MOST_NAMED} more" if len(ordered) > MOST_NAMED else ""
        return f"{', '.join(ordered[:MOST_NAMED])}{more}" if ordered else "the restored tables: there is none"


def _shown(complaint: Complaint) -> str:
    return f"{complaint.text} ({complaint.count} times)" if complaint.count > 1 else complaint.text


def _listed(complaints: list[Complaint]) -> str:
    return "; ".join(_shown(each) for each in complaints)
