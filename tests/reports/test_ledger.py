"""The ledger: nothing expected goes missing, the gravest counts, and the exit code follows."""

import json
from datetime import datetime
from itertools import permutations
from typing import Any

import pytest

from reports.ledger import BREACHED, UNVERIFIED, Ledger, LedgerKeeper, Result
from reports.requirement import GRAVITY, Measurement, Outcome

ID = "checks/test_health.py::test_it_is_there[shop/web]"


def result(outcome: Outcome) -> Result:
    return Result("HEALTH-1", "P1", "shop/web", "It is there.", outcome)


def ledger(*outcomes: Outcome) -> Ledger:
    kept = Ledger()
    for number, outcome in enumerate(outcomes):
        kept.expect([f"test_{number}"])
        kept.record(f"test_{number}", result(outcome))
    return kept


def test_a_result_travels_as_text() -> None:
    sent = Result(
        *("HEALTH-1", "P1", "shop/web", "Está.", Outcome.BREACHED),
        measurements=(
            Measurement("status", 500, comparison="exactly", limit=200, holds=False, subject="http://h/ñ"),
            Measurement("lag", 0.1, "s"),
            Measurement("nothing", None),
            Measurement("flag", observed=True),
        ),
        message="a\nb",
    )
    assert Result.from_text(sent.as_text()) == sent
    assert sent.as_text().isascii()


def test_even_a_value_that_no_json_knows_does_not_lose_the_result() -> None:
    odd = Result("HEALTH-1", "P1", "x", "x", Outcome.PASSED, (Measurement("when", datetime(2026, 1, 1)),))  # type: ignore[arg-type]  # noqa: DTZ001 -- what must not happen
    assert json.loads(odd.as_text())["measurements"][0]["observed"] == "2026-01-01 00:00:00"


@pytest.mark.parametrize(
    ("outcomes", "pytest_status", "status"),
    [
        ([], 0, 0),
        ([Outcome.PASSED], 0, 0),
        ([Outcome.PASSED, Outcome.WAIVED, Outcome.NOT_APPLICABLE], 0, 0),
        ([Outcome.PASSED, Outcome.UNVERIFIED], 1, UNVERIFIED),
        ([Outcome.UNVERIFIED, Outcome.BREACHED, Outcome.PASSED], 1, BREACHED),
        ([Outcome.UNVERIFIED], 0, UNVERIFIED),
        ([Outcome.BREACHED], 0, BREACHED),
        ([Outcome.PASSED], 1, 1),
        ([Outcome.BREACHED], 2, 2),
        ([Outcome.UNVERIFIED], 3, 3),
        ([Outcome.BREACHED], 4, 4),
        ([], 5, 5),
    ],
)
def test_the_exit_code_is_the_verdict_or_pytests_own(outcomes: list[Outcome], pytest_status: int, status: int) -> None:
    assert ledger(*outcomes).exit_status(pytest_status) == status


@pytest.mark.parametrize("pytest_status", [0, 1])
def test_what_is_expected_and_left_nothing_is_unverified(pytest_status: int) -> None:
    kept = ledger(Outcome.PASSED)
    kept.expect([ID])
    lost = kept.results()[ID]
    assert (lost.outcome, lost.requirement, lost.target) == (Outcome.UNVERIFIED, "test_it_is_there", "shop/web")
    assert lost.message == f"UNVERIFIED {ID}\n  no result: it was not run, or its process was killed"
    assert kept.exit_status(pytest_status) == UNVERIFIED


@pytest.mark.parametrize("order", list(permutations([Outcome.PASSED, Outcome.UNVERIFIED, Outcome.BREACHED])))
def test_the_gravest_of_several_results_stays(order: tuple[Outcome, ...]) -> None:
    kept = Ledger()
    for outcome in order:
        kept.record(ID, result(outcome))
    assert kept.results()[ID].outcome is Outcome.BREACHED


def test_every_outcome_has_its_gravity() -> None:
    assert set(GRAVITY) == set(Outcome)


def report(when: str, outcome: str, *, longrepr: str | None = None, **properties: str) -> pytest.TestReport:
    parts: dict[str, Any] = {"when": when, "outcome": outcome, "longrepr": longrepr, "keywords": {}}
    return pytest.TestReport(ID, ("f", 1, "d"), user_properties=list(properties.items()), **parts)


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        (report("call", "passed", constancia=result(Outcome.PASSED).as_text()), Outcome.PASSED),
        (report("setup", "skipped", constancia=result(Outcome.NOT_APPLICABLE).as_text()), Outcome.NOT_APPLICABLE),
        (report("call", "skipped", constancia=result(Outcome.BREACHED).as_text()), Outcome.BREACHED),
        (report("???", "failed", longrepr="worker 'gw0' crashed"), Outcome.UNVERIFIED),
        (report("call", "failed", longrepr="who knows"), Outcome.UNVERIFIED),
        (report("setup", "skipped", longrepr="who knows"), Outcome.UNVERIFIED),
        (report("setup", "passed"), None),
    ],
    ids=["passed", "not applicable", "xfailed breach", "killed", "failed without", "skipped without", "setup"],
)
def test_a_report_that_is_no_success_leaves_a_result(given: pytest.TestReport, outcome: Outcome | None) -> None:
    keeper = LedgerKeeper()
    keeper.pytest_runtest_logreport(given)
    found = keeper.ledger.results().get(ID)
    assert (found.outcome if found else None) is outcome


def test_a_file_that_cannot_be_collected_is_unverified() -> None:
    keeper = LedgerKeeper()
    keeper.pytest_collectreport(pytest.CollectReport("test_x.py", "failed", "E   ImportError: no module", []))
    keeper.pytest_collectreport(pytest.CollectReport("test_y.py", "passed", None, []))
    (lost,) = keeper.ledger.results().values()
    said = "it could not be collected, so nothing in it was verified: ImportError: no module"
    assert (lost.requirement, lost.outcome, lost.message) == (
        *("test_x.py", Outcome.UNVERIFIED),
        f"UNVERIFIED test_x.py\n  {said}",
    )
    assert keeper.ledger.exit_status(0) == keeper.ledger.exit_status(1) == UNVERIFIED
    assert keeper.ledger.exit_status(2) == 2
