"""Which backup a drill takes, and that it is held once, whatever number of checks asks for its report."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from random import SystemRandom

from fixtures.backups import BackupFile
from fixtures.clock import Clock
from fixtures.drills import Drill, RestoreDeclared
from fixtures.manifest import manifest_beside
from reports.requirement import Breach, Unverified
from restore import drill as drills
from restore import self_check
from restore.drill_report import Chosen, DrillReport, Phase
from restore.earlier import DrillRecord, Earlier
from restore.examined import examination
from restore.expectations import fulfilled
from restore.throwaway import room_for

Hold = Callable[[Drill], DrillReport]


@dataclass(frozen=True)
class Asked:
    """What a run asks of its drills.

    Attributes:
        backup: the name of the backup to restore; None: as the system file says.
        judge: whether the judge is to be proven first.
        watch: is told of each phase as it begins.
    """

    backup: str | None = None
    judge: bool = False
    watch: drills.Watch | None = None


class Holder:
    """Holds each drill of a run once.

    Args:
        swept: what the sweep at the start of this run found.
        asked: what the run asks.
    """

    def __init__(self, swept: tuple[str, ...], asked: Asked) -> None:
        self._swept = swept
        self._asked = asked
        self._done: dict[Drill, DrillReport | Exception] = {}

    def __call__(self, drill: Drill) -> DrillReport:
        """What the drill came to.

        Raises:
            Unverified: when it cannot be held.
        """
        if drill not in self._done:
            try:
                self._done[drill] = self._held(drill)
            except Exception as fault:  # noqa: BLE001 -- raised below: a drill that fails unforeseen is held once, too
                self._done[drill] = fault
        done = self._done[drill]
        if isinstance(done, Exception):
            raise done.with_traceback(None)
        return done

    def _held(self, drill: Drill) -> DrillReport:
        record = DrillRecord(Path(drill.declared.record), drill.name) if drill.declared.record else None
        earlier, unrecorded = _read(record)
        try:
            file, how = self._chosen(drill)
        except Breach as none:
            return drills.not_held(none, drill.declared, swept=self._swept)
        at, begun = drill.clock.now(), time.monotonic()
        self._watched(f"{drill.name}: fetch {file.name}")
        with drill.backups.local_copy(file) as path:
            fetched = time.monotonic() - begun
            taken_at = _taken_at(path, file)
            proven = self._proven(drill, path)
            report = drills.run(
                path,
                drill.declared,
                swept=self._swept,
                examine=examination(drill, path, taken_at, newest=file == drill.backups.files()[-1]),
                watch=self._asked.watch,
            )
        chosen = Chosen(how, taken_at, at, newest=file == drill.backups.files()[-1])
        phases = (Phase("fetch the backup", fetched), *report.phases)
        seconds = report.seconds + fetched
        report = replace(report, chosen=chosen, phases=phases, seconds=seconds, proven=proven, earlier=earlier)
        return _put_on_record(record, drill, replace(report, unrecorded=unrecorded))

    def _watched(self, what: str) -> None:
        if self._asked.watch is not None:
            self._asked.watch(what)

    def _chosen(self, drill: Drill) -> tuple[BackupFile, str]:
        """The backup to restore, and how it was chosen.

        Raises:
            Breach: as `BackupSet.newest`.
            Unverified: as `BackupSet.files`, or when there is none of the name that was asked for.
        """
        files = drill.backups.files()
        if self._asked.backup is not None:
            named = next((each for each in files if each.name == self._asked.backup), None)
            if named is None:
                raise Unverified(
                    f"looking for the backup {self._asked.backup}",
                    came_back=f"no finished backup of {drill.backups.name} is called so",
                    remedy=f"Name one that lies in {drill.backups.store.shown}",
                )
            return named, "by its name"
        newest = drill.backups.newest()
        if drill.declared.pick == "random":
            keep = drill.backups.declared.keep
            kept = [each for each in files if keep is None or each.age <= keep] or [newest]
            return SystemRandom().choice(kept), f"at random among {len(kept)}"
        return newest, f"the newest of {len(files)}"

    def _proven(self, drill: Drill, path: Path) -> tuple[str, ...]:
        if not self._asked.judge:
            return ()
        self._watched("prove the judge with damaged copies")
        try:
            return self_check.rejected(path, most=room_for(drill.declared))
        except Breach:  # it is damaged itself, which the drill says
            return ()


def _taken_at(path: Path, file: BackupFile) -> datetime:
    """When a backup was taken: as its job wrote down, or else as its name and its time of writing say."""
    with suppress(Breach, Unverified):  # what is wrong with the manifest is said when the backup is read
        if manifest := manifest_beside(path):
            return manifest.taken_at
    return file.taken_at


def _read(record: DrillRecord | None) -> tuple[tuple[Earlier, ...], Unverified | None]:
    """The drills on record, or why they cannot be told: that keeps nobody from holding one."""
    if record is None:
        return (), None
    try:
        return tuple(record.all()), None
    except Unverified as unread:
        return (), unread


def _put_on_record(record: DrillRecord | None, drill: Drill, report: DrillReport) -> DrillReport:
    if record is None or report.unrecorded is not None:
        return report
    try:
        # When it was really held, whatever --now says: a line of the future would be the last one for ever.
        record.add(_on_record(drill, report, Clock().now()))
    except Unverified as unwritten:
        return replace(report, unrecorded=unwritten)
    return report


def _on_record(drill: Drill, report: DrillReport, at: datetime) -> Earlier:
    declared, rows = drill.declared, {}
    for table in declared.counts:
        with suppress(Breach, Unverified):
            rows[table] = report.rows_of(table, database=declared.database)
    return Earlier(
        drill=drill.name,
        at=at,
        file=report.file,
        sha256=report.sha256,
        newest=report.chosen is None or report.chosen.newest,
        good=_was_good(declared, report),
        seconds=report.seconds,
        tuned=declared.tuned,
        depth=declared.depth,
        rows=rows,
        responsible=declared.responsible,
    )


def _was_good(declared: RestoreDeclared, report: DrillReport) -> bool:
    try:
        same = all(dumped == restored for _, dumped, restored in report.tables()) and not report.differences()
        return same and not report.harmful() and fulfilled(declared, report)
    except (Breach, Unverified):
        return False
