"""SYNC-1 can fail."""

from datetime import timedelta

import pytest

from fixtures.lab.lab import Lab
from tests.proofs.conftest import Suite

# Backups and the traces of jobs grow old with the clock too, and that is not what is shown here.
ALL_ELSE_MAY_BE_OLD = {
    'every = "7 days"': 'every = "70 days"',
    'every = "24h"': 'every = "70 days"',
    'grace = "1h"': 'grace = "70 days"',
}


@pytest.mark.proves("SYNC-1")
def test_clock_moved_on(suite: Suite) -> None:
    suite.run("mira", limits=ALL_ELSE_MAY_BE_OLD, later=timedelta(hours=1)).expect()
    suite.run("mira", limits=ALL_ELSE_MAY_BE_OLD, later=timedelta(hours=3)).expect(red={"SYNC-1 alma"})


@pytest.mark.proves("SYNC-1")
def test_last_synchronisation_was_three_hours_ago(suite: Suite, lab: Lab) -> None:
    with lab.sync.stale("3h"):
        run = suite.run("mira")
    run.expect(red={"SYNC-1 alma"})


@pytest.mark.proves("SYNC-1")
def test_table_is_empty(suite: Suite, lab: Lab) -> None:
    with lab.sync.emptied():
        run = suite.run("mira")
    run.expect(red={"SYNC-1 alma"})


@pytest.mark.proves("SYNC-1")
def test_no_row_has_a_time_stamp(suite: Suite, lab: Lab) -> None:
    with lab.sync.nulls():
        run = suite.run("mira")
    run.expect(red={"SYNC-1 alma"})


@pytest.mark.proves("SYNC-1")
def test_time_stamps_lie_in_the_future(suite: Suite, lab: Lab) -> None:
    with lab.sync.in_the_future():
        run = suite.run("mira")
    run.expect(red={"SYNC-1 alma"})


@pytest.mark.proves("SYNC-1")
def test_our_role_may_not_read_the_table(suite: Suite, lab: Lab) -> None:
    with lab.sync.unreadable():
        run = suite.run("mira")
    run.expect(grey={"SYNC-1 alma"})
