"""What became of each clause of the runbooks: the page is current, and nothing on it is answered by nothing."""

import os
from collections.abc import Mapping
from datetime import timedelta
from unittest import mock

import pytest

from reports.__main__ import CLAUSES, COVERAGE, coverage_page
from reports.catalogue import Row
from reports.coverage import Clause, Defect, Document, Runbooks, as_markdown, read
from reports.requirement import Requirement, Severity

ROW = Row(Requirement("HEALTH-1", Severity.P1, timedelta(minutes=2), frozenset()), "It answers.", "runbook 1.1.", {})
DECLARED = {"HEALTH-1": "declared: web"}


def page(clause: Clause, state: Mapping[str, str] = DECLARED, tasks: Mapping[str, str] | None = None) -> str:
    runbooks = Runbooks(
        [Document("runbook", "shop", "The shop")],
        [Clause("runbook", "1.1", "it answers"), clause],
        [Defect("runbook", "It lies.", "Do not.", ["HEALTH-1"])],
    )
    return as_markdown(runbooks, [ROW], {"shop": state}, {"shop": tasks or {}})


def answer(clause: Clause, state: Mapping[str, str] = DECLARED, tasks: Mapping[str, str] | None = None) -> str:
    line = next(line for line in page(clause, state, tasks).splitlines() if line.startswith(f"| {clause.name} |"))
    return line.split(" | ")[2].removesuffix(" |")


def test_each_clause_says_what_became_of_it() -> None:
    other = Clause("runbook", "2", "something else", not_applicable="why not")
    assert answer(other) == "not applicable: why not"
    assert answer(Clause("runbook", "1.1", "it answers")) == "automated: HEALTH-1"
    assert answer(Clause("runbook", "2", "train"), tasks={"2": "training"}) == "signed off: task `training`"
    assert answer(Clause("runbook", "2", "uptime", later="a history")) == "not yet: a history"
    refused = {"HEALTH-1": "not applicable: has none"}
    assert answer(Clause("runbook", "1.1", "it answers"), refused) == "HEALTH-1 not applicable: has none"


def test_a_clause_that_nothing_answers_is_refused() -> None:
    with pytest.raises(ValueError, match="runbook, 2: no check cites it"):
        page(Clause("runbook", "2", "something else"))
    with pytest.raises(ValueError, match=r"runbook, 1\.1: no check cites it"):
        page(Clause("runbook", "1.1", "it"), {"HEALTH-1": "nothing declared: unverified"})


def test_a_clause_that_is_not_there_cannot_be_cited() -> None:
    runbooks = Runbooks([Document("runbook", "shop", "The shop")], [], [])
    with pytest.raises(ValueError, match=r"no such clause: \[\('runbook', '1\.1'\)\]"):
        as_markdown(runbooks, [ROW], {"shop": DECLARED}, {"shop": {}})


def test_a_defect_names_only_requirements_that_there_are() -> None:
    assert "| runbook | It lies. | Do not. | HEALTH-1 |" in page(Clause("runbook", "2", "x", later="y"))
    runbooks = Runbooks([], [Clause("runbook", "1.1", "it")], [Defect("runbook", "It lies.", "Do not.", ["LOGS-9"])])
    with pytest.raises(ValueError, match="LOGS-9"):
        as_markdown(runbooks, [ROW], {}, {})


def test_the_page_is_current() -> None:
    with mock.patch.dict(os.environ):  # the examples of variables stay within
        expected = coverage_page()
    assert COVERAGE.read_text(encoding="utf-8") == expected, "write it anew: python -m reports coverage"


def test_every_defect_says_what_sees_it_and_what_mends_it() -> None:
    assert all(each.remedy and each.seen_by for each in read(CLAUSES).defects)
