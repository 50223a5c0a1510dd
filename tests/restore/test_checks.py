"""The checks over a drill's report turn red for what they are about, and for nothing else."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from fixtures.drills import Drill, RestoreDeclared
from fixtures.measure.restore_messages import Complaint, Harm
from reports.requirement import Breach, Evidence, Unverified
from restore import drill
from restore import test_database_restore as checks
from restore.counting import Restored
from restore.drill_report import Disposal, DrillReport
from tests.restore.conftest import Driller
from tests.restore.dumps import Dumps

Change = Callable[[DrillReport], DrillReport]


@pytest.fixture(scope="module")
def whole(dumps: Dumps) -> DrillReport:
    return Driller(dumps.folder, "embedded").hold(dumps["custom.dump"])


HELD = Drill(RestoreDeclared.model_validate({"backups": "b", "counts": {"t": {"min": 1}}}), None)  # type: ignore[arg-type]  # no check looks for backups


def judged(report: DrillReport, **counts: dict[str, int]) -> dict[str, str]:
    """What each check says of a report: nothing when it passes."""
    expected = counts or {"User": {"min": 500}, "onco_casos": {"exact": 300}}
    given = {"backups": "weekly", "server": "embedded", "counts": expected}
    held = Drill(RestoreDeclared.model_validate(given), None)  # type: ignore[arg-type]  # no check looks for backups
    said = {}
    for check in (
        checks.test_newest_backup_restores,
        checks.test_restored_rows_are_the_dumped_rows,
        checks.test_declared_tables_hold_what_is_expected,
        checks.test_structure_is_sound,
        checks.test_drill_takes_no_longer_than_recovery_may,
        checks.test_nothing_of_the_drill_is_left,
    ):
        evidence = Evidence()
        row = vars(check)["pytestmark"][0].args[0].id
        try:
            check(held, lambda _: report, evidence)
            evidence.judge()
            assert evidence.measurements, "evidence on pass too"
        except (Breach, Unverified) as fault:
            said[row] = f"{type(fault).__name__}: {fault}"
    return said


def test_whole_backup_passes_them_all(whole: DrillReport) -> None:
    assert judged(whole) == {}


def changed_rows(report: DrillReport, **rows: int) -> DrillReport:
    by_name = {f"public.{name}": count for name, count in rows.items()}
    return replace(report, restored=replace(report.restored, rows={**report.restored.rows, **by_name}))


def unsound(report: DrillReport, finding: str) -> DrillReport:
    assert report.examined is not None
    structures = {name: replace(each, not_validated=(finding,)) for name, each in report.examined.structures.items()}
    return replace(report, examined=replace(report.examined, structures=structures))


# What a dump that cannot be restored takes with it.
OF_THE_DUMP = {f"RESTORE-{number}" for number in (1, 2, 3, 5, 8)}
CUT = Breach("backup is whole", observed="cut", limit="whole")
RED: dict[str, tuple[Change, set[str]]] = {
    "harmful error": (lambda r: replace(r, complaints=(Complaint(Harm.HARMFUL, "boom", 2),)), {"RESTORE-1"}),
    "a row missing": (lambda r: changed_rows(r, visits_old=99), {"RESTORE-2"}),
    "a row too many": (lambda r: changed_rows(r, visits_old=101), {"RESTORE-2"}),
    "fewer and not as expected": (lambda r: changed_rows(r, onco_casos=299), {"RESTORE-2", "RESTORE-3"}),
    "container left": (lambda r: replace(r, disposal=Disposal((), ("container 12",))), {"RESTORE-10"}),
    "killed drill's folder found": (lambda r: replace(r, swept=("folder /tmp/x: removed",)), {"RESTORE-10"}),
    "damaged": (lambda r: replace(r, archive=None, damage=CUT, restored=Restored()), OF_THE_DUMP),
    "too slow": (lambda r: replace(r, seconds=4 * 3600.0 + 60), {"RESTORE-8"}),
    "a constraint that nobody validated": (lambda r: unsound(r, "constraint c of t is not validated"), {"RESTORE-5"}),
}  # fmt: skip


@pytest.mark.parametrize("kind", RED)
def test_each_turns_red_for_its_own_reason(whole: DrillReport, kind: str) -> None:
    change, red = RED[kind]
    said = judged(change(whole))
    assert set(said) == red
    assert all(each.startswith("Breach: ") for each in said.values())


def test_drill_that_could_not_tell_is_unverified_but_its_disposal_is_judged(whole: DrillReport) -> None:
    said = judged(replace(whole, hindrance=Unverified("restoring", came_back="no postgis", remedy="Name an image")))
    assert set(said) == OF_THE_DUMP
    assert all(each == "Unverified: restoring: no postgis. Name an image" for each in said.values())


def test_what_could_not_be_looked_at_is_not_known_to_be_left(whole: DrillReport) -> None:
    said = judged(replace(whole, swept=("container of drill 12: no engine answers; perhaps still there",)))
    assert set(said) == {"RESTORE-10"}
    assert said["RESTORE-10"].startswith("Unverified: ")


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"User": {"min": 500}}, ""),
        ({"User": {"min": 501}}, "at least 501 rows"),
        ({"User": {"max": 500}}, ""),
        ({"User": {"min": 400, "max": 499}}, "at most 499 rows"),
        ({"User": {"exact": 500}}, ""),
        ({"User": {"exact": 499}}, "exactly 499 rows"),
        ({"app.empty": {"exact": 0}}, ""),
        ({"users": {"min": 0}}, 'users is not among public."User"'),
    ],
)
def test_expected_counts_hold_at_their_limits(whole: DrillReport, counts: dict[str, dict[str, int]], said: str) -> None:
    found = judged(whole, **counts)
    assert set(found) == ({"RESTORE-3"} if said else set())
    assert said in found.get("RESTORE-3", "")


def test_same_name_in_two_schemas_wants_the_schema_too(whole: DrillReport) -> None:
    rows = {"a.t": 1, "b.t": 2, "public.x": 3, "b.x": 4}
    report = replace(whole, restored=replace(whole.restored, rows=rows))
    with pytest.raises(Breach, match=r"several: a\.t, b\.t"):
        report.rows_of("t")
    assert (report.rows_of("b.t"), report.rows_of("x"), report.rows_of("b.x")) == (2, 3, 4)
    with pytest.raises(Breach, match="is not among"):
        report.rows_of("public.t")


def noted(report: DrillReport) -> list[object]:
    """What the check of its disposal says besides what it judges."""
    evidence = Evidence()
    checks.test_nothing_of_the_drill_is_left(HELD, lambda _: report, evidence)
    return [each.observed for each in evidence.measurements[:-1]]


def test_disposal_says_what_is_gone_or_that_there_was_no_server(whole: DrillReport) -> None:
    assert noted(whole) == list(whole.disposal.gone)
    assert len(whole.disposal.gone) > 1
    none = drill.not_held(CUT, RestoreDeclared.model_validate({"backups": "b", "counts": {"t": {"min": 1}}}))
    assert noted(none) == ["no throwaway server was needed"]


def test_dump_without_a_table_is_no_pass(whole: DrillReport) -> None:
    assert whole.archive is not None
    bare = replace(whole.archive, dumps=(replace(whole.archive.dumps[0], rows={}),))
    report = replace(whole, archive=bare, restored=Restored())
    assert set(judged(report)) == {"RESTORE-2", "RESTORE-3"}
