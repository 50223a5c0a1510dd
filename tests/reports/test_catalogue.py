"""The catalogue as the checks state it, listed with what each system declares of it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from reports.catalogue import CollectionError, Row, as_text, collected
from reports.requirement import Requirement, Severity
from tests.conftest import OperatorsFolder

HOUSE = Path(__file__).parents[2]


def row(source: str, *, targets: Mapping[str, Sequence[str]] | None = None) -> Row:
    about = Requirement("HEALTH-1", Severity.P1, timedelta(minutes=2), frozenset({"before", "after"}))
    return Row(about, "It answers.", source, targets or {})


@pytest.mark.parametrize(
    ("source", "clauses"),
    [
        ("ours.", {}),
        ("ours: its scripts report success whatever happened.", {}),
        ("runbook 1.1, 2 Tasa 5xx elevada.", {"runbook": ("1.1", "2 Tasa 5xx elevada")}),
        (
            'operations guide, "API No Responde", "DB size"; runbook 4.3; ours: more.',
            {"operations guide": ("API No Responde", "DB size"), "runbook": ("4.3",)},
        ),
    ],
)
def test_a_source_names_clauses_by_document(source: str, clauses: Mapping[str, Sequence[str]]) -> None:
    assert row(source).clauses == clauses


@pytest.mark.parametrize("source", ["", "the guide, somewhere.", "runbook 1.1; somewhere else."])
def test_a_source_of_another_form_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="HEALTH-1"):
        _ = row(source).clauses


def test_it_is_collected_as_a_run_would(operator: OperatorsFolder) -> None:
    operator.system("shop", '[[api]]\nname = "web"\nurl = "http://127.0.0.1:9"\nhealth = { path = "/health" }\n')
    operator.system("bar", '[system.not_applicable]\n"HEALTH-*" = "no service"\n')
    rooms = (HOUSE / "checks", HOUSE / "restore")
    found = {each.requirement.id: each for each in collected(rooms, systems=operator.systems, names=("shop", "bar"))}
    assert found["HEALTH-1"].targets == {"shop": ["web"], "bar": ["-"]}
    assert found["RESTORE-1"].targets == {"shop": ["-"], "bar": ["-"]}
    assert found["HEALTH-1"].title == "The health endpoint answers with the expected status in time."
    assert "runbook 1.1" in found["HEALTH-1"].source
    assert found["HEALTH-1"].requirement.gates == {"before", "after"}


def test_a_faulty_system_file_is_refused_in_its_own_words(operator: OperatorsFolder) -> None:
    operator.system("shop", "[[apis]]\n")
    with pytest.raises(CollectionError, match='unknown key "apis"; did you mean "api"'):
        collected((HOUSE / "checks",), systems=operator.systems, names=("shop",))


def test_it_reads_well() -> None:
    text = as_text([row("runbook 1.1.")], {"shop": {"HEALTH-1": "declared: web"}, "bar": {"HEALTH-1": "why not"}})
    assert text.splitlines() == [
        "HEALTH-1    It answers.",
        "            P1 · every 2 min · gate before and after",
        "            runbook 1.1.",
        "            shop: declared: web",
        "            bar: why not",
    ]
