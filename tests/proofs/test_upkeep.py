"""UPKEEP-1 to UPKEEP-3 can fail."""

import os
import subprocess
import sys

import pytest

from fixtures.lab.lab import Lab
from tests.proofs.affected import CHECKED
from tests.proofs.conftest import HOUSE, Suite

SIGNED = {system: {each for each in names if each.startswith("UPKEEP-1")} for system, names in CHECKED.items()}


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
    assert "caraya on operaciones-1" in run.said(unknown)
    assert "Nadie" not in run.output


@pytest.mark.proves("UPKEEP-1")
def test_daily_task_was_left_undone_until_somebody_signs(suite: Suite, lab: Lab) -> None:
    command = [sys.executable, "-m", "reports", "sign-off", "review-alerts", "--by", "Rodrigo Tapia", "--note", "Una"]
    with lab.signoffs["comercial-electrica"].last("review-alerts", ago="49 h"):
        undone = suite.run("comercial-electrica")
        subprocess.run(command, cwd=HOUSE, env={**os.environ, **lab.environment}, check=True, timeout=30)
        done = suite.run("comercial-electrica")
    undone.expect(red=SIGNED["comercial-electrica"])
    done.expect()


@pytest.mark.proves("UPKEEP-1")
def test_file_of_sign_offs_holds_something_else(suite: Suite, lab: Lab) -> None:
    with lab.signoffs["mira"].conflicted():
        run = suite.run("mira")
    run.expect(grey=SIGNED["mira"])
    assert "line 1" in run.said("UPKEEP-1 train-support")


@pytest.mark.proves("UPKEEP-1")
def test_roster_is_not_there(suite: Suite, lab: Lab) -> None:
    variables = {"COMERCIAL_ROSTER": f"{lab.folder}/none.toml"}
    suite.run("comercial-electrica", variables=variables).expect(grey=SIGNED["comercial-electrica"])
