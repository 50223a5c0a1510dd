"""UPKEEP-1 to UPKEEP-3 can fail."""

import os
import subprocess
import sys

import pytest

from fixtures.lab.lab import Lab
from tests.proofs.affected import CHECKED
from tests.proofs.conftest import HOUSE, Suite

# Tasks, and the confirmations of alert channels.
BY_SIGNING = ("UPKEEP-1", "ALERT-1")
SIGNED = {system: {each for each in names if each.startswith(BY_SIGNING)} for system, names in CHECKED.items()}
CONTACTS = {"UPKEEP-2 devops-lead", "UPKEEP-2 dba", "UPKEEP-2 infrastructure", "UPKEEP-2 product-owner"}


@pytest.mark.proves("UPKEEP-1")
def test_tasks_are_not_signed_off(suite: Suite, lab: Lab) -> None:
    signoffs = lab.signoffs["mira"]
    with (
        signoffs.last("update-operations-docs", ago="10 days"),
        signoffs.never("plan-optimisations"),
        signoffs.ahead("review-architecture"),
        signoffs.last("assess-hardware", by="Nadie Conocida"),
        signoffs.last("train-support", ago="90 days"),
    ):
        run = suite.run("mira")
    unknown, never = "UPKEEP-1 assess-hardware", "UPKEEP-1 plan-optimisations"
    run.expect(red={"UPKEEP-1 update-operations-docs", never, "UPKEEP-1 review-architecture", unknown})
    assert "none, ever" in run.said(never)
    assert "the sign-off of 20" in run.said(unknown)
    assert not {"Nadie", "caraya"} & set(run.output.split())


@pytest.mark.proves("UPKEEP-1")
def test_daily_task_was_left_undone_until_somebody_signs(suite: Suite, lab: Lab) -> None:
    command = [sys.executable, "-m", "reports", "sign-off", "review-alerts", "--by", "Rodrigo Tapia", "--note", "Una"]
    with lab.signoffs["comercial-electrica"].last("review-alerts", ago="49 h"):
        undone = suite.run("comercial-electrica")
        subprocess.run(command, cwd=HOUSE, env={**os.environ, **lab.environment}, check=True, timeout=30)
        done = suite.run("comercial-electrica")
    undone.expect(red={"UPKEEP-1 review-alerts"})
    done.expect()


@pytest.mark.proves("UPKEEP-1")
def test_file_of_sign_offs_holds_something_else(suite: Suite, lab: Lab) -> None:
    with lab.signoffs["mira"].conflicted():
        run = suite.run("mira")
    run.expect(grey=SIGNED["mira"])
    assert "line 1" in run.said("UPKEEP-1 train-support")


@pytest.mark.proves("UPKEEP-1")
@pytest.mark.proves("UPKEEP-2")
def test_roster_is_not_there(suite: Suite, lab: Lab) -> None:
    variables = {"COMERCIAL_ROSTER": f"{lab.folder}/none.toml"}
    run = suite.run("comercial-electrica", variables=variables)
    run.expect(grey={*SIGNED["comercial-electrica"], "UPKEEP-2 operations"})


@pytest.mark.proves("UPKEEP-2")
def test_contacts_are_yet_to_be_decided(suite: Suite, lab: Lab) -> None:
    with (
        lab.roster.saying('"Camila Araya"', '"TBD"'),
        lab.roster.saying('["tel:+56 9 5555 0104"]', '["tel / email"]'),
        lab.roster.saying('["Product Owner"]', '["Producto"]'),
        # The guide's own gap: the DBA is alerted at any hour, and works in office hours.
        lab.roster.saying('"Mon-Fri 00:00-08:00, Mon-Fri 18:00-24:00, Sat', '"Sat'),
    ):
        run = suite.run("mira")
    # Who signed is nobody on the roster any more.
    run.expect(red=SIGNED["mira"] | CONTACTS)
    assert "no name" in run.said("UPKEEP-2 devops-lead")
    assert "Mon 00:00 to Mon 08:00" in run.said("UPKEEP-2 dba")
    assert "Rodrigo" not in run.output


@pytest.mark.proves("UPKEEP-3")
def test_guide_was_gone_through_long_ago(suite: Suite, lab: Lab) -> None:
    with lab.runbooks["mira"].updated("94 days"):
        run = suite.run("mira")
    run.expect(red={"UPKEEP-3 operations-guide"})


@pytest.mark.proves("UPKEEP-3")
def test_runbook_is_dated_ahead(suite: Suite, lab: Lab) -> None:
    with lab.runbooks["comercial-electrica"].dated_ahead("40 days"):
        run = suite.run("comercial-electrica")
    run.expect(red={"UPKEEP-3 operations-runbook"})


@pytest.mark.proves("UPKEEP-3")
def test_guide_says_no_date(suite: Suite, lab: Lab) -> None:
    with lab.runbooks["mira"].without_a_date():
        run = suite.run("mira")
    run.expect(grey={"UPKEEP-3 operations-guide"})
