"""The closing table, as a person reads it."""

import re
from typing import Any

import pytest

from reports.ledger import LedgerKeeper, Result
from reports.requirement import Measurement, Outcome
from reports.terminal import MOST_ROWS, ClosingTable


def result(requirement: str, outcome: Outcome, *measurements: Measurement, target: str = "shop/web") -> Result:
    return Result(requirement, "P1", target, "It is.", outcome, measurements, f"MESSAGE {requirement} {target}")


def end(pytester: pytest.Pytester, *results: Result) -> None:
    """End a run with these results."""
    keeper = LedgerKeeper()
    for number, each in enumerate(results):
        keeper.ledger.record(f"test_{number}", each)
    pytester.makepyfile("def test_nothing(): pass")
    pytester.inline_run("-p", "no:allure_pytest", "-p", "no:cacheprovider", plugins=[ClosingTable(keeper)])


HELD = Measurement("status", 200, comparison="exactly", limit=200)
SLOW = Measurement("time", 3.0, "s", "at most", 2.0, holds=False)
FACT = Measurement("rows", 7)


def printed(pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str], *results: Result) -> list[str]:
    end(pytester, *results)
    lines = capsys.readouterr().out.splitlines()
    begin = next(number for number, line in enumerate(lines) if "what was verified" in line)
    return [line.rstrip() for line in lines[begin + 1 :]]


def row(lines: list[str], beginning: str) -> list[str]:
    (found,) = [line for line in lines if line.startswith(beginning)]
    return re.split(r" {2,}", found)


def test_each_check_run_has_its_row_and_the_gravest_is_last(
    pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed(
        pytester,
        capsys,
        result("HEALTH-1", Outcome.BREACHED, HELD, SLOW),
        result("HEALTH-2", Outcome.PASSED, FACT, HELD),
        result("CACHE-1", Outcome.UNVERIFIED, FACT, Measurement("asking", "status 401")),
        result("QUEUE-1", Outcome.NOT_APPLICABLE, Measurement("reason", "keeps none"), target="shop/-"),
        result("SYNC-1", Outcome.WAIVED, SLOW),
        result("DATABASE-1", Outcome.PASSED, HELD),
    )
    assert row(lines, "HEALTH-1") == ["HEALTH-1", "shop/web", "time: 3 s", "at most 2 s", "breached"]
    assert row(lines, "HEALTH-2") == ["HEALTH-2", "shop/web", "status: 200", "exactly 200", "passed"]
    assert row(lines, "CACHE-1") == ["CACHE-1", "shop/web", "status 401", "unverified"]
    assert row(lines, "QUEUE-1") == ["QUEUE-1", "shop/-", "keeps none", "not applicable"]
    assert row(lines, "SYNC-1") == ["SYNC-1", "shop/web", "time: 3 s", "at most 2 s", "waived"]
    order = [line.split()[0] for line in lines if re.match(r"[A-Z]+-\d", line)]
    assert order == ["QUEUE-1", "HEALTH-2", "DATABASE-1", "SYNC-1", "CACHE-1", "HEALTH-1"]
    assert "2 passed, 1 breached, 1 unverified, 1 waived, 1 not applicable" in lines


def test_a_figure_without_a_limit_is_named(pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(pytester, capsys, result("USAGE-1", Outcome.PASSED, FACT))
    assert row(lines, "USAGE-1") == ["USAGE-1", "shop/web", "rows: 7", "passed"]


def test_a_run_that_judged_nothing_has_no_table(pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    end(pytester)
    assert "requirement" not in capsys.readouterr().out


def test_a_waived_row_says_by_whom_and_until_when(
    pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "WAIVED SYNC-1\n  time\n  waived until 2026-12-31, by DBA: index rebuild"
    waived = Result("SYNC-1", "P2", "shop/web", "It is.", Outcome.WAIVED, (SLOW,), said)
    lines = printed(pytester, capsys, waived)
    assert any("waived until 2026-12-31, by DBA: index rebuild" in line for line in lines)


def test_the_gravest_breach_is_told_first_and_what_others_need_before_them(
    pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    def breach(requirement: str, severity: str) -> Result:
        return Result(requirement, severity, "shop/web", "It is.", Outcome.BREACHED, (SLOW,), f"BREACHED {requirement}")

    end(pytester, breach("ACCESS-1", "P2"), breach("HEALTH-1", "P1"), breach("DATABASE-1", "P1"))
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("BREACHED")]
    assert told == ["BREACHED DATABASE-1", "BREACHED HEALTH-1", "BREACHED ACCESS-1"]


def test_nothing_said_is_taken_for_markup(pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    odd = Measurement("[bold]what[/]", "[/] [red]x", comparison="exactly", limit="[link=x]y")
    lines = printed(pytester, capsys, result("HEALTH-1", Outcome.PASSED, odd, target="shop/[x]"))
    assert row(lines, "HEALTH-1") == [
        *("HEALTH-1", "shop/[x]", "[bold]what[/]: [/] [red]x", "exactly [link=x]y", "passed"),
    ]


@pytest.mark.parametrize(("count", "listed"), [(MOST_ROWS, MOST_ROWS), (MOST_ROWS + 1, 0)])
def test_in_a_long_run_what_holds_is_told_by_family(
    pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str], count: int, listed: int
) -> None:
    results = [result("HEALTH-1", Outcome.PASSED, HELD, target=f"shop/{number}") for number in range(count - 1)]
    lines = printed(pytester, capsys, *results, result("SYNC-1", Outcome.BREACHED, SLOW))
    assert len([line for line in lines if line.startswith("HEALTH-1")]) == max(0, listed - 1)
    told = [line for line in lines if line.startswith("Health ")]
    assert [re.split(r" {2,}", line) for line in told] == (
        [] if listed else [["Health", "shop", f"HEALTH-1 on {count - 1} targets", "passed"]]
    )
    assert row(lines, "SYNC-1")[-1] == "breached"
    assert len([line for line in lines if line.startswith("SYNC-1")]) == 1
    assert f"{count - 1} passed, 1 breached" in lines


def test_messages_stand_above_the_table_the_breaches_last(
    pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    end(pytester, result("HEALTH-1", Outcome.BREACHED, SLOW), result("SYNC-1", Outcome.UNVERIFIED, FACT))
    out = capsys.readouterr().out
    places = [out.index(said) for said in ("MESSAGE SYNC-1", "MESSAGE HEALTH-1", "what was verified")]
    assert places == sorted(places)
    assert "1 breached" in out
    assert "1 unverified" in out


@pytest.mark.parametrize(
    ("when", "passed", "outcome", "status"),
    [
        ("call", "passed", Outcome.PASSED, ("passed", ".", "PASSED")),
        ("call", "failed", Outcome.BREACHED, ("breached", "B", "BREACHED")),
        ("setup", "failed", Outcome.UNVERIFIED, ("unverified", "U", "UNVERIFIED")),
        ("setup", "passed", Outcome.PASSED, None),
        ("teardown", "passed", Outcome.BREACHED, None),
        ("call", "passed", None, None),
    ],
)
def test_progress_is_told_in_the_suites_words(
    when: str, passed: str, outcome: Outcome | None, status: tuple[str, str, str] | None
) -> None:
    parts: dict[str, Any] = {"when": when, "outcome": passed, "longrepr": None, "keywords": {}}
    properties = [("constancia", result("HEALTH-1", outcome).as_text())] if outcome else []
    report = pytest.TestReport("x", ("f", 1, "d"), user_properties=properties, **parts)
    assert ClosingTable(LedgerKeeper()).pytest_report_teststatus(report) == status


def test_a_collection_error_has_no_outcome_of_a_check() -> None:
    assert ClosingTable(LedgerKeeper()).pytest_report_teststatus(pytest.CollectReport("x", "failed", "", [])) is None
