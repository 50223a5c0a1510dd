"""HEALTH-3, DATABASE-6, MIGRATE-4, RESTORE-11 and SELF-4 can fail: what one run alone cannot tell."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from fixtures.clock import Clock
from fixtures.lab.database import COMERCIAL, MIRA
from fixtures.lab.history import passed, record
from fixtures.lab.lab import Lab
from reports.history.kept import milliseconds
from reports.requirement import Outcome
from tests.proofs.affected import CHECKED, COMERCIAL_UNREACHED, COMERCIAL_UNTIMED, DRILLED
from tests.proofs.conftest import Suite

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SLOW = {'slow = "5s"': 'slow = "300ms"'}
# What a first run cannot tell, or misses.
NEEDS_A_PAST = {
    "mira": {"UPTIME-1 nocobase", "UPTIME-2 alma", "UPTIME-3 main", "DATABASE-6 main", "SELF-4 system"},
    "comercial-electrica": {"HEALTH-3 api", "MIGRATE-4 prisma", "SELF-4 system"},
}
NO_DRILL = {"mira": {"RESTORE-11 weekly-database"}, "comercial-electrica": {"RESTORE-11 daily-database"}}
READ_FROM_HISTORY = {
    *NEEDS_A_PAST["comercial-electrica"],
    "RESTORE-11 daily-database",
}


def nothing(history: Path) -> None:
    """Nothing is on record."""
    history.unlink()


def stopped(history: Path) -> None:
    """Nothing came in the last hour."""
    with closing(sqlite3.connect(history)) as opened, opened:
        opened.execute("DELETE FROM result WHERE at > ?", (milliseconds(Clock().now() - HOUR),))


def damaged(history: Path) -> None:
    """It cannot be read."""
    history.write_bytes(b"no history")


@contextmanager
def changed(lab: Lab, database: str, statement: str, back: str) -> Iterator[None]:
    """Somebody changes a database by hand, and changes it back."""
    with lab.database.connect(database) as opened:
        opened.execute(statement.encode())
        try:
            yield
        finally:
            opened.execute(back.encode())


@pytest.mark.proves("RESTORE-11")
@pytest.mark.parametrize("system", CHECKED)
def test_first_run_of_all(suite: Suite, system: str) -> None:
    run = suite.run(system, since=nothing)
    run.expect(red=NO_DRILL[system], grey=NEEDS_A_PAST[system])
    assert "none are on record from lab: this is the first" in run.said("SELF-4 system")


@pytest.mark.proves("HEALTH-3")
@pytest.mark.proves("DATABASE-6")
@pytest.mark.proves("MIGRATE-4")
@pytest.mark.proves("RESTORE-11")
@pytest.mark.proves("SELF-4")
def test_history_cannot_be_read(suite: Suite) -> None:
    run = suite.run("comercial-electrica", since=damaged)
    run.expect(grey=READ_FROM_HISTORY)
    assert "reading the history in" in run.said("RESTORE-11 daily-database")


@pytest.mark.proves("HEALTH-3")
def test_three_answers_in_a_row_are_slow(suite: Suite, lab: Lab) -> None:
    with lab.comercial.slow("400ms"):
        suite.run("comercial-electrica", limits=SLOW).expect()
        suite.run("comercial-electrica", limits=SLOW, later=2 * MINUTE, goes_on=True).expect()
        run = suite.run("comercial-electrica", limits=SLOW, later=4 * MINUTE, goes_on=True)
    run.expect(red={"HEALTH-3 api"})
    assert "fastest of 3 answers in a row" in run.said("HEALTH-3 api")


@pytest.mark.proves("HEALTH-3")
def test_nothing_is_there_to_be_slow(suite: Suite, lab: Lab) -> None:
    with lab.comercial.refusing():
        run = suite.run("comercial-electrica")
    run.expect(red=COMERCIAL_UNREACHED, grey=COMERCIAL_UNTIMED)
    assert "what is not there at all is not slow" in run.said("HEALTH-3 api")


@pytest.mark.proves("DATABASE-6")
def test_database_grew_by_half(suite: Suite, lab: Lab) -> None:
    grow = "CREATE TABLE bitacora AS SELECT n, repeat('x', 900) AS texto FROM generate_series(1, 9000) n"
    suite.run("mira", since=nothing)
    with changed(lab, MIRA, grow, "DROP TABLE bitacora"):
        run = suite.run("mira", goes_on=True)
    run.expect(red={"DATABASE-6 main", *NO_DRILL["mira"]}, grey={"UPTIME-1 nocobase", "UPTIME-2 alma", "UPTIME-3 main"})
    assert "compared with" in run.said("DATABASE-6 main")


@pytest.mark.proves("DATABASE-6")
def test_database_lost_more_than_half(suite: Suite, lab: Lab) -> None:
    grow = "CREATE TABLE bitacora AS SELECT n, repeat('x', 900) AS texto FROM generate_series(1, 60000) n"
    with changed(lab, MIRA, grow, "DROP TABLE bitacora"):
        first = suite.run("mira", since=nothing)
    assert "DATABASE-6 main" in first.of(Outcome.UNVERIFIED), first.output
    run = suite.run("mira", goes_on=True)
    assert "at least" in run.said("DATABASE-6 main")
    run.expect(red={"DATABASE-6 main", *NO_DRILL["mira"]}, grey={"UPTIME-1 nocobase", "UPTIME-2 alma", "UPTIME-3 main"})


@pytest.mark.proves("MIGRATE-4")
def test_table_was_altered_by_hand_until_a_migration_says_so(suite: Suite, lab: Lab) -> None:
    by_hand = 'ALTER TABLE "Customer" ADD COLUMN giro text'
    with changed(lab, COMERCIAL, by_hand, 'ALTER TABLE "Customer" DROP COLUMN giro'):
        run = suite.run("comercial-electrica")
        run.expect(red={"MIGRATE-4 prisma"})
        assert "columns (" in run.said("MIGRATE-4 prisma")
        suite.run("comercial-electrica", goes_on=True).expect(red={"MIGRATE-4 prisma"})
        with lab.prisma.resolved_by_hand():
            suite.run("comercial-electrica", goes_on=True).expect()
    suite.run("comercial-electrica").expect()


@pytest.mark.proves("RESTORE-11")
def test_last_drill_failed(suite: Suite, lab: Lab) -> None:
    with lab.backups.weekly_database.truncated():
        drill = suite.run("mira", rooms=("restore",))
    assert "RESTORE-1 weekly-database" in drill.of(Outcome.BREACHED), drill.output
    run = suite.run("mira", goes_on=True)
    run.expect(red={"RESTORE-11 weekly-database"})
    assert "RESTORE-1 and RESTORE-2 and RESTORE-3 breached" in run.said("RESTORE-11 weekly-database")


@pytest.mark.proves("RESTORE-11")
def test_drill_was_held_under_nobody(suite: Suite) -> None:
    nobody = {'responsible = "Operaciones"\n': ""}
    drill = suite.run("mira", rooms=("restore",), limits=nobody)
    assert drill.of(Outcome.PASSED) == DRILLED["mira"], drill.output
    run = suite.run("mira", goes_on=True)
    run.expect(red={"RESTORE-11 weekly-database"})
    assert "somebody answered for it" in run.said("RESTORE-11 weekly-database")


@pytest.mark.proves("RESTORE-11")
def test_last_drill_is_too_old(suite: Suite) -> None:
    within = {'responsible = "Operaciones"': 'responsible = "Operaciones"\nwithin = "19 days"'}
    suite.run("mira", limits=within).expect(red={"RESTORE-11 weekly-database"})


@pytest.mark.proves("RESTORE-11")
def test_drill_that_could_not_tell_is_none(suite: Suite) -> None:
    engine = {"CONSTANCIA_RESTORE_SERVER": "container", "DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    suite.run("mira", rooms=("restore",), variables=engine)
    suite.run("mira", goes_on=True).expect()


@pytest.mark.proves("SELF-4")
def test_schedule_stopped_for_an_hour(suite: Suite) -> None:
    run = suite.run("mira", since=stopped)
    run.expect(red={"SELF-4 system"})
    said = run.said("SELF-4 system")
    assert all(f"{name} (1 h" in said for name in ("DATABASE-1 main", "HEALTH-1 nocobase", "UPSTREAM-1 alma"))
    assert "RESTORE" not in said
    suite.run("mira", goes_on=True).expect()


@pytest.mark.proves("SELF-4")
def test_nobody_outside_would_miss_it(suite: Suite) -> None:
    limits = {'[heartbeat]\nurl = "${MIRA_HEARTBEAT}"\n': ""}
    suite.run("mira", limits=limits).expect(red={"SELF-4 system"})


@pytest.mark.proves("SELF-4")
def test_what_is_not_declared_any_more_is_not_missed(suite: Suite) -> None:
    now = Clock().now()
    formerly = passed("mira", "HEALTH-1", "formerly", now - HOUR, every=2 * MINUTE)
    suite.run("mira", since=lambda history: record(history, now, [formerly])).expect()


@pytest.mark.proves("SELF-4")
def test_alone_it_has_nothing_to_look_for(suite: Suite) -> None:
    run = suite.run("mira", rooms=("checks/test_self.py",))
    run.expect(grey={"SELF-4 system"})
    assert "this run collects no other check" in run.said("SELF-4 system")
