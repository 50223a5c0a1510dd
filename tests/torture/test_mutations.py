"""Dumps that are cut, flipped, or whose blocks are dropped, swapped or doubled never pass for what they were.

With a digest on record none of them passes, with figures none that restores to anything else (but for owners and
rights, which an embedded server restores in part only, and then the record says so). With nothing on record one that
restores to something else may pass, where it carries no checksum: then the record says that it is unproven.

CONSTANCIA_MUTATIONS says how many, CONSTANCIA_SEED which.
"""

import os
import shutil
import tempfile
import traceback
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from fixtures.short_folder import short_folder
from reports.requirement import Outcome
from restore.leftovers import processes_in
from tests.torture.conftest import PROPERTY, SAMPLE, SEED, Damaged, Workshop
from tests.torture.originals import KINDS
from tests.torture.trial import DATED, Recorded, Verdict, put_on_record, tried, wrong
from tests.torture.truth import Likeness

TRIALS = int(os.environ.get("CONSTANCIA_MUTATIONS", "24"))
CHUNK = 4  # trials of one test
CHUNKS = [range(begin, min(begin + CHUNK, TRIALS)) for begin in range(0, TRIALS, CHUNK)]
WHOLE = list(product(KINDS, Recorded))
PASSED = {
    Likeness.SAME: "harmless",
    Likeness.BUT_ROLES: "passed, owners and rights unproven",
    Likeness.OTHER: "passed as unproven",
}
CRASHED = "an error that is none of ours"


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], tuple[Verdict, list[str]]]:
    """Tries a dump where nothing else is; the verdict, and what is left afterwards."""

    def tried_alone(backup: Path) -> tuple[Verdict, list[str]]:
        with short_folder("torture") as home, monkeypatch.context() as here:
            here.setattr(tempfile, "tempdir", str(home))
            verdict = tried(backup)
            known = (home / "owner.lock", home / f"constancia-leases-{os.geteuid()}")
            left = [f"{each}" for each in home.rglob("*") if each not in known]
            return verdict, [*left, *(f"process {each}" for each in processes_in(home))]

    return tried_alone


@pytest.mark.parametrize("chunk", CHUNKS, ids=lambda chunk: f"{chunk.start}-{chunk.stop - 1}")
def test_damaged_dump_never_passes_for_whole(
    workshop: Workshop,
    held: Callable[[Path], tuple[Verdict, list[str]]],
    chunk: range,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    faults: list[str] = []
    caught: list[list[str]] = []
    for number in chunk:
        store = tmp_path / str(number)
        store.mkdir()
        damaged = workshop.damaged(number, store)
        try:
            verdict, left = held(damaged.backup)
            by, fault = _judged(workshop, damaged, verdict)
            fault = fault or (f"it left {', '.join(left)}" if left else "")
        except Exception:  # noqa: BLE001 -- none is to be raised, whatever the damage: it is told beside those of others
            by, fault = CRASHED, traceback.format_exc()
        caught.append([damaged.original.name, damaged.recorded.value, by])
        if fault:
            told = f"{damaged.original.name}, {damaged.what}, {damaged.recorded.value} on record"
            faults.append(f"mutation {number} of seed {SEED} ({told}): {fault}; it lies in {store}")
        else:
            shutil.rmtree(store)
    record_property(PROPERTY, caught)
    assert not faults, "\n".join(faults)


def _judged(workshop: Workshop, damaged: Damaged, verdict: Verdict) -> tuple[str, str]:
    """What caught a damaged dump, and what is wrong about its verdict."""
    if verdict.outcome is not Outcome.PASSED:
        return verdict.by, wrong(verdict, damaged.recorded, Likeness.OTHER)
    like = workshop.truth.of(damaged.backup).like(workshop.whole)
    return PASSED[like], wrong(verdict, damaged.recorded, like)


@pytest.mark.parametrize(("name", "recorded"), WHOLE[SAMPLE])
def test_whole_dump_passes(
    workshop: Workshop,
    held: Callable[[Path], tuple[Verdict, list[str]]],
    tmp_path: Path,
    name: str,
    recorded: Recorded,
) -> None:
    original, backup = workshop.originals[name], tmp_path / f"{DATED}{name}"
    copy = shutil.copytree if original.is_dir() else shutil.copyfile
    copy(original, backup)
    put_on_record(recorded, original, backup)
    verdict, left = held(backup)
    assert (verdict.outcome, verdict.said, left) == (Outcome.PASSED, "", [])
    assert recorded is not Recorded.DIGEST or not verdict.unproven
    assert workshop.truth.of(backup) == workshop.whole
