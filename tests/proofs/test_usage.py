"""USAGE-1 can fail."""

import pytest

from fixtures.lab.lab import Lab
from tests.proofs.conftest import Suite

FLOOR = {'name = "cases-created"': 'name = "cases-created"\nfloor = 3'}


@pytest.mark.proves("USAGE-1")
def test_fewer_cases_than_the_floor(suite: Suite, lab: Lab) -> None:
    with lab.people.cases_created(3):
        suite.run("mira", limits=FLOOR).expect()
    with lab.people.cases_created(2):
        run = suite.run("mira", limits=FLOOR)
    run.expect(red={"USAGE-1 cases-created"})
    assert run.observed("USAGE-1 active-users")["counted"] == "43"


@pytest.mark.proves("USAGE-1")
def test_query_fails_or_counts_nothing(suite: Suite) -> None:
    other = {
        "SELECT count(*) FROM onco_casos WHERE": "SELECT count(*) FROM onco_cosas WHERE",
        'SELECT count(DISTINCT "userId")': 'SELECT max("userId"::text)',
    }
    run = suite.run("mira", limits=other)
    run.expect(grey={"USAGE-1 cases-created", "USAGE-1 active-users"})
