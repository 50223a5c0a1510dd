"""SYNC-1 to SYNC-3 can fail."""

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
@pytest.mark.proves("SYNC-2")
@pytest.mark.proves("SYNC-3")
def test_table_is_empty(suite: Suite, lab: Lab) -> None:
    with lab.sync.emptied():
        run = suite.run("mira")
    run.expect(red={"SYNC-1 alma", "SYNC-2 alma", "SYNC-3 alma"})


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
    run.expect(grey={"SYNC-1 alma", "SYNC-2 alma", "SYNC-3 alma"})


@pytest.mark.proves("SYNC-2")
def test_fields_are_empty(suite: Suite, lab: Lab) -> None:
    with lab.sync.empty_fields("nombre", "", rows=3):
        run = suite.run("mira")
    run.expect(red={"SYNC-2 alma"})
    observed = run.observed("SYNC-2 alma")
    assert observed == {"rows": "12 000", "rows with nothing in rut": "0", "rows with nothing in nombre": "3"}


@pytest.mark.proves("SYNC-2")
def test_fields_are_null_in_more_rows_than_declared(suite: Suite, lab: Lab) -> None:
    share = {'columns = ["rut", "nombre"]': 'columns = ["rut", "nombre"], share = 0.01'}
    with lab.sync.empty_fields("nombre", None, rows=121):
        run = suite.run("mira", limits=share)
    run.expect(red={"SYNC-2 alma"})
    with lab.sync.empty_fields("nombre", None, rows=120):
        suite.run("mira", limits=share).expect()


@pytest.mark.proves("SYNC-2")
def test_a_required_column_is_gone(suite: Suite) -> None:
    run = suite.run("mira", limits={'columns = ["rut", "nombre"]': 'columns = ["rut", "apellido"]'})
    run.expect(red={"SYNC-2 alma"})
    assert 'column "apellido" does not exist' in run.said("SYNC-2 alma")


@pytest.mark.proves("SYNC-3")
def test_rows_are_missing_in_the_copy(suite: Suite, lab: Lab) -> None:
    with lab.sync.rows_missing(121):
        run = suite.run("mira")
    run.expect(red={"SYNC-3 alma"})
    assert run.observed("SYNC-3 alma")["rows too few in the copy"] == "121"
    with lab.sync.rows_missing(120):
        suite.run("mira").expect()


@pytest.mark.proves("SYNC-3")
def test_the_copy_has_rows_that_its_source_has_not(suite: Suite, lab: Lab) -> None:
    with lab.alma.rows_fewer(200):
        run = suite.run("mira")
    run.expect(red={"SYNC-3 alma"})
    assert run.observed("SYNC-3 alma")["rows too many in the copy"] == "200"


@pytest.mark.proves("SYNC-3")
def test_the_source_does_not_let_us_count(suite: Suite, lab: Lab) -> None:
    with lab.alma.unreadable():
        run = suite.run("mira")
    run.expect(grey={"SYNC-3 alma"})
    assert "42501" in run.said("SYNC-3 alma")


@pytest.mark.proves("SYNC-3")
def test_the_source_says_that_it_has_no_rows(suite: Suite, lab: Lab) -> None:
    with lab.alma.emptied():
        run = suite.run("mira")
    run.expect(grey={"SYNC-3 alma"})


@pytest.mark.proves("SYNC-1")
def test_without_a_limit_twice_the_period_is_one(suite: Suite) -> None:
    limits = {**ALL_ELSE_MAY_BE_OLD, 'within = "2h"': 'every = "1h"'}
    suite.run("mira", limits=limits, later=timedelta(minutes=100)).expect()
    suite.run("mira", limits=limits, later=timedelta(minutes=121)).expect(red={"SYNC-1 alma"})
