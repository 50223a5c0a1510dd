"""HEALTH-1, HEALTH-2 and HEALTH-4 can fail."""

import pytest

from fixtures.lab.lab import Lab
from tests.proofs.conftest import Suite

MIRA_NEEDS_ITS_API = {"HEALTH-1 nocobase", "HEALTH-4 nocobase", "LATENCY-1 nocobase/case-list", "LATENCY-2 nocobase/case-list"}


@pytest.mark.proves("HEALTH-1")
def test_nobody_listens(suite: Suite, lab: Lab) -> None:
    with lab.nocobase.refusing():
        run = suite.run("mira")
    assert run.red == MIRA_NEEDS_ITS_API, run.output
    assert not run.grey
    assert run.exit_code == 1


@pytest.mark.proves("HEALTH-1")
def test_nobody_listens_and_the_canary_is_silent_too(suite: Suite, lab: Lab) -> None:
    with lab.nocobase.refusing(), lab.canary.stopped():
        run = suite.run("mira")
    assert run.grey == MIRA_NEEDS_ITS_API, run.output
    assert not run.red
    assert run.exit_code == 6


@pytest.mark.proves("HEALTH-1")
def test_answer_takes_longer_than_the_limit(suite: Suite, lab: Lab) -> None:
    with lab.comercial.slow("3s"):
        run = suite.run("comercial-electrica", limits={'timeout = "10s"': 'timeout = "1s"'})
    assert run.red == {"HEALTH-1 api", "HEALTH-2 api"}, run.output
    assert not run.grey


@pytest.mark.proves("HEALTH-2")
def test_database_is_stopped(suite: Suite, lab: Lab) -> None:
    with lab.database.stopped():
        run = suite.run("comercial-electrica")
    assert run.red >= {"HEALTH-1 api", "HEALTH-2 api", "DATABASE-1 main"}, run.output
