"""A dump on trial: held in a real drill, with this or that on record about it, and judged by the real checks."""

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo

from fixtures.backups import BackupSet
from fixtures.backups_declared import BackupsDeclared
from fixtures.clock import Clock
from fixtures.drills import Drill, RestoreDeclared
from fixtures.manifest import SUFFIX
from reports.requirement import Breach, Evidence, Outcome, Unverified
from restore import test_database_restore as checks
from restore.holding import Asked, Hold, Holder
from tests.torture.originals import MANIFEST, WRITTEN_AT
from tests.torture.truth import Likeness

SECONDS = 120.0  # that a trial may take at most
DATED = f"{WRITTEN_AT:%Y%m%d}-"  # how the name of a backup begins
Check = Callable[[Drill, Hold, Evidence], None]
# By what they find when all before them hold.
CHECKS: Mapping[str, Check] = {
    "errors of the restore": checks.test_newest_backup_restores,
    "rows": checks.test_restored_rows_are_the_dumped_rows,
    "expected rows": checks.test_declared_tables_hold_what_is_expected,
    "structure": checks.test_structure_is_sound,
    "what is left": checks.test_nothing_of_the_drill_is_left,
}
# How the record says what is unproven of the content: nothing; or, without a superuser, nothing else than what is left.
PROVEN, ROLES_ONLY = "no: ", "owners, rights, default rights only"
FIGURES = "differences from the content"  # how the check of the rows begins where they are as in the dump
# What a damaged backup is caught by before any restore, by how that is told; the first that fits.
DAMAGE: Mapping[str, str] = {
    "digest": "SHA-256 of the backup",
    "trailer": "end of the backup",
    "decompression": "data are (damaged|cut)|zip is damaged|empty .0 bytes",
    "missing or foreign file": "its file .* is missing|does not name the file",
    "table of contents": "table of contents|ends before its last entry|list .* of large objects",
    "pg_restore": "pg_restore",
    "format": "^(format|kind|version|members) of",
    "data blocks": "^(content|dumps|tables|rows|commands)",
}


class Recorded(StrEnum):
    """What is on record of the original."""

    NOTHING = "nothing"
    DIGEST = "digest"
    FIGURES = "figures"


@dataclass(frozen=True)
class Verdict:
    """What came of a trial.

    Attributes:
        outcome: the gravest of all checks.
        by: what caught it; empty when it passed.
        said: by the first check that did not pass; empty when all did.
        unproven: what the record says that is not known of its content, when it passed; empty when it says nothing.
        seconds: that it took.
    """

    outcome: Outcome
    by: str
    said: str
    unproven: str
    seconds: float


def put_on_record(recorded: Recorded, original: Path, backup: Path) -> None:
    """Put beside a backup what is on record of the original."""
    if recorded is Recorded.DIGEST:
        backup.with_name(f"{backup.name}.sha256").write_text(f"{digest_of(original)}  {backup.name}\n")
    if recorded is Recorded.FIGURES:
        # Without the digest, which would go before: as of a folder, or of what was compressed afterwards.
        written = json.loads((original.parent / MANIFEST).read_text())
        backup.with_name(f"{backup.name}{SUFFIX}").write_text(json.dumps({**written, "sha256": None}))


def digest_of(dump: Path) -> str:
    """What sha256sum says of a file; of a folder what `sha256sum * | LC_ALL=C sort | sha256sum` says in it."""
    if not dump.is_dir():
        return hashlib.sha256(dump.read_bytes()).hexdigest()
    lines = sorted(f"{digest_of(each)}  {each.name}\n".encode() for each in dump.iterdir())
    return hashlib.sha256(b"".join(lines)).hexdigest()


def tried(backup: Path) -> Verdict:
    """Hold a drill with a backup, and judge it.

    Args:
        backup: the only one in its folder; its name begins with DATED.

    Raises:
        Exception: any that the drill or a check raises besides those that it may raise.
    """
    begun = time.monotonic()
    drill, hold = _drill(backup), Holder((), Asked())
    faults: list[tuple[str, Breach | Unverified]] = []
    for what, check in CHECKS.items():
        evidence = Evidence()
        try:
            check(drill, hold, evidence)
            evidence.judge()
        except (Breach, Unverified) as fault:
            faults.append((what, fault))
    seconds = time.monotonic() - begun
    if not faults:
        facts = {what: str(observed) for what, observed, _ in hold(drill).facts()}
        unproven = facts["content unproven"]
        return Verdict(Outcome.PASSED, "", "", "" if unproven.startswith(PROVEN) else unproven, seconds)
    breached = [each for each in faults if isinstance(each[1], Breach)]
    if not breached:
        return Verdict(Outcome.UNVERIFIED, "not told", str(faults[0][1]), "", seconds)
    (what, breach), damage = breached[0], hold(drill).damage
    by = _told_by(str(damage)) if damage else "figures" if str(breach).startswith(FIGURES) else what
    return Verdict(Outcome.BREACHED, by, str(breach), "", seconds)


def _drill(backup: Path) -> Drill:
    clock, zone = Clock(WRITTEN_AT + timedelta(days=1)), ZoneInfo("UTC")
    made = {"name": "torture", "store": str(backup.parent), "every": "7 days"}
    pattern = f"%Y%m%d-{backup.name.removeprefix(DATED)}"
    backups = BackupSet(BackupsDeclared.model_validate({**made, "pattern": pattern}), clock=clock, timezone=zone)
    declared = {"backups": "torture", "server": "embedded", "counts": {"casos": {"min": 1}}, "time_limit": "60 s"}
    return Drill(RestoreDeclared.model_validate(declared), backups, clock=clock, timezone=zone)


def _told_by(damage: str) -> str:
    return next((what for what, told in DAMAGE.items() if re.search(told, damage)), damage)


def wrong(verdict: Verdict, recorded: Recorded, like: Likeness) -> str:
    """Why a verdict on a damaged dump is not to be; empty when it is right.

    Args:
        verdict: on a dump whose bytes are not those of the original.
        recorded: what was on record of the original.
        like: how like the original it restores.
    """
    if verdict.seconds > SECONDS:
        return f"it took {verdict.seconds:.0f} s"
    if verdict.outcome is not Outcome.PASSED:
        return ""
    if recorded is Recorded.DIGEST:
        return "it passed although its digest was on record"
    if like is Likeness.SAME:
        return ""
    if recorded is Recorded.FIGURES and not (like is Likeness.BUT_ROLES and verdict.unproven.startswith(ROLES_ONLY)):
        return f"it passed although its figures were on record, and restores to {like.value}"
    return "" if verdict.unproven else f"it passed for whole, and restores to {like.value}"
