"""The check over a drill of collections turns red or grey for what it is about, and a breach is told first."""

from dataclasses import replace
from typing import Any

import pytest

from fixtures.drills import Drill, RestoreDeclared
from fixtures.recreation import RecreateDeclared, Recreation
from reports.requirement import Breach, Evidence, Unverified
from restore import collection_drill
from restore import test_collection_restore as checks
from restore.collection_drill import CollectionsReport, Recreated

WHOLE = CollectionsReport(
    archive="mira.tar.gz",
    collections=(Recreated("casos", 7, "recreated with 9 columns"), Recreated("view", 2, "not recreated: a view")),
    dump="mira.sql",
    dump_sha256="ab" * 32,
    server="embedded PostgreSQL 16",
    isolation=("network namespace of its own",),
    gone=("processes of the embedded server", "its socket"),
)
UNDEFINED = Recreated("pacientes", None, "not recreated: it is not defined")
DIFFERENT = Recreated("casos", 7, "recreated with 9 columns", findings=("estado is not in the dump's table",))
UNTOLD = Recreated("casos", 7, "not recreated", unproven=("its field total is of the type formula, not known here",))
HINDERED = replace(WHOLE, hindrance=Unverified("restoring", came_back="no engine", remedy="Start Docker"))


@pytest.fixture
def recreation() -> Recreation:
    declared = RecreateDeclared.model_validate({"collections": "daily", "restore": "weekly"})
    restore = RestoreDeclared.model_validate({"backups": "weekly", "counts": {"t": {"min": 1}}})
    nobody: Any = None  # no check looks for backups
    return Recreation(declared, nobody, Drill(restore, nobody))


def judged(report: CollectionsReport, recreation: Recreation, monkeypatch: pytest.MonkeyPatch) -> Evidence:
    """What the check leaves of a drill that came to this."""
    monkeypatch.setattr(collection_drill, "held", lambda _: report)
    evidence = Evidence()
    checks.test_collections_can_be_recreated(recreation, evidence)
    evidence.judge()
    return evidence


def test_pass_leaves_evidence_of_each_collection(recreation: Recreation, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = judged(WHOLE, recreation, monkeypatch)
    told = [(each.subject, each.what, each.observed) for each in evidence.measurements]
    assert ("casos", "outcome", "recreated with 9 columns") in told
    assert ("casos", "fields defined", 7) in told
    assert ("casos", "differences from the dump", "none") in told
    assert ("view", "outcome", "not recreated: a view") in told
    assert ("mira.tar.gz", "rows", "come from the database dump: an archive of definitions holds none") in told
    assert ("mira.tar.gz", "left behind", "none") in told


RED = {
    "undefined": (replace(WHOLE, collections=(*WHOLE.collections, UNDEFINED)), "undefined collections: 1: pacientes"),
    "different": (replace(WHOLE, collections=(DIFFERENT,)), "1: estado is not in the dump's table"),
    "left": (replace(WHOLE, left=("container 12",)), "left behind: 1: container 12"),
    "different and hindered": (replace(HINDERED, collections=(DIFFERENT,)), "1: estado is not in the dump's table"),
    "undefined and untold": (replace(WHOLE, collections=(UNTOLD, UNDEFINED)), "undefined collections: 1: pacientes"),
}


@pytest.mark.parametrize("kind", RED)
def test_it_is_red_for_what_falls_short(kind: str, recreation: Recreation, monkeypatch: pytest.MonkeyPatch) -> None:
    report, said = RED[kind]
    with pytest.raises(Breach, match=said):
        judged(report, recreation, monkeypatch)


GREY = {
    "untold": (replace(WHOLE, collections=(UNTOLD,)), "casos: its field total is of the type formula"),
    "hindered": (HINDERED, "restoring: no engine. Start Docker"),
}


@pytest.mark.parametrize("kind", GREY)
def test_it_is_grey_for_what_could_not_be_told(
    kind: str, recreation: Recreation, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, said = GREY[kind]
    with pytest.raises(Unverified, match=said):
        judged(report, recreation, monkeypatch)


def test_many_differences_are_told_by_the_first(recreation: Recreation, monkeypatch: pytest.MonkeyPatch) -> None:
    many = tuple(f"c{number} is not in the dump's table" for number in range(8))
    report = replace(WHOLE, collections=(replace(DIFFERENT, findings=many),))
    with pytest.raises(Breach, match=r"6: c0 .*, c4 is not in the dump's table, 3 more"):
        judged(report, recreation, monkeypatch)
