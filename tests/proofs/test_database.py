"""DATABASE-1 can fail."""

import pytest

from fixtures.lab.lab import Lab
from tests.proofs.affected import COMERCIAL_API, COMERCIAL_DATABASE, MIRA_DATABASE, MIRA_SERVER, MIRA_SIGNED_IN
from tests.proofs.conftest import Suite


@pytest.mark.proves("DATABASE-1")
def test_server_is_stopped_and_the_canary_is_silent_too(suite: Suite, lab: Lab) -> None:
    with lab.database.stopped(), lab.canary.stopped():
        run = suite.run("comercial-electrica")
    run.expect(red=COMERCIAL_API, grey=COMERCIAL_DATABASE)


@pytest.mark.proves("DATABASE-1")
def test_server_is_starting_up(suite: Suite, lab: Lab) -> None:
    with lab.database.starting_up():
        run = suite.run("mira")
    run.expect(red=MIRA_SIGNED_IN | MIRA_SERVER)
    assert "57P03" in run.said("DATABASE-1 main")


@pytest.mark.proves("DATABASE-1")
def test_there_are_too_many_connections(suite: Suite, lab: Lab) -> None:
    with lab.database.too_many_connections():
        run = suite.run("mira")
    run.expect(red=MIRA_DATABASE)
    assert "53300" in run.said("DATABASE-1 main")


@pytest.mark.proves("DATABASE-1")
def test_server_takes_no_notice(suite: Suite, lab: Lab) -> None:
    limits = {'url = "${MIRA_DATABASE_URL}"': 'url = "${MIRA_DATABASE_URL}"\ntimeout = "1s"'}
    with lab.database.hanging():
        run = suite.run("mira", "--gate=before", limits=limits)
    run.expect(red={"HEALTH-4 nocobase", "DATABASE-1 main", "MIGRATE-2 nocobase"})


@pytest.mark.proves("DATABASE-1")
def test_our_password_was_rotated(suite: Suite, lab: Lab) -> None:
    with lab.database.password_rotated():
        run = suite.run("comercial-electrica")
    run.expect(grey=COMERCIAL_DATABASE)
