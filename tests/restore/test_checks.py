"""The checks over a drill's report turn red for what they are about, and for nothing else."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from fixtures.drills import Drill, RestoreDeclared
from fixtures.measure.restore_messages import Complaint, Harm
from reports.requirement import Breach, Evidence, Unverified
from restore import test_database_restore as checks
from restore.drill_report import Disposal, DrillReport, Restored
from tests.restore.conftest import Driller
from tests.restore.dumps import Dumps

Change = Callable[[DrillReport], DrillReport]


@pytest.fixture(scope="module")
def whole(dumps: Dumps) -> DrillReport:
    return Driller(dumps.folder, "embedded").hold(dumps["custom.dump"])


def judged(report: DrillReport, **counts: dict[str, int]) -> dict[str, str]:
    """What each check says of a report: nothing when it passes."""
    expected = counts or {"User": {"min": 500}, "onco_casos": {"exact": 300}}
    given = {"backups": "weekly", "server": "embedded", "counts": expected}
    drill = Drill(RestoreDeclared.model_validate(given), None)  # type: ignore[arg-type]  # no check looks for backups
    said = {}
    for check in (
        checks.test_newest_backup_restores,
        checks.test_restored_rows_are_the_dumped_rows,
        checks.test_nothing_of_the_drill_is_left,
        lambda report, evidence: checks.test_declared_tables_hold_what_is_expected(drill, report, evidence),
    ):
        evidence = Evidence()
        name = getattr(check, "pytestmark", [None])[0]
        row = name.args[0].id if name else "RESTORE-3"
        try:
            check(report, evidence)
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


CUT = Breach("backup is whole", observed="cut", limit="whole")
RED: dict[str, tuple[Change, set[str]]] = {
    "harmful error": (lambda r: replace(r, complaints=(Complaint(Harm.HARMFUL, "boom", 2),)), {"RESTORE-1"}),
    "a row missing": (lambda r: changed_rows(r, visits_old=99), {"RESTORE-2"}),
    "a row too many": (lambda r: changed_rows(r, visits_old=101), {"RESTORE-2"}),
    "fewer and not as expected": (lambda r: changed_rows(r, onco_casos=299), {"RESTORE-2", "RESTORE-3"}),
    "container left": (lambda r: replace(r, disposal=Disposal((), ("container 12",))), {"RESTORE-10"}),
    "killed drill's folder found": (lambda r: replace(r, swept=("folder /tmp/x: removed",)), {"RESTORE-10"}),
    "damaged": (lambda r: replace(r, archive=None, damage=CUT, restored=Restored()),
                {"RESTORE-1", "RESTORE-2", "RESTORE-3"}),
}  # fmt: skip


@pytest.mark.parametrize("kind", RED)
def test_each_turns_red_for_its_own_reason(whole: DrillReport, kind: str) -> None:
    change, red = RED[kind]
    said = judged(change(whole))
    assert set(said) == red
    assert all(each.startswith("Breach: ") for each in said.values())


def test_drill_that_could_not_tell_is_unverified_but_its_disposal_is_judged(whole: DrillReport) -> None:
    said = judged(replace(whole, hindrance=Unverified("restoring", came_back="no postgis", remedy="Name an image")))
    assert set(said) == {"RESTORE-1", "RESTORE-2", "RESTORE-3"}
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


def test_dump_without_a_table_is_no_pass(whole: DrillReport) -> None:
    assert whole.archive is not None
    bare = replace(whole.archive, contents=replace(whole.archive.dump, rows={}))
    report = replace(whole, archive=bare, restored=Restored())
    assert set(judged(report)) == {"RESTORE-2", "RESTORE-3"}
