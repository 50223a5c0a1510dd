"""UPTIME-1, UPTIME-2 and UPTIME-3 can fail."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fixtures.clock import Clock
from fixtures.lab.lab import Lab
from reports.requirement import Outcome
from tests.proofs.conftest import Suite

SANTIAGO = ZoneInfo("America/Santiago")
DAY = timedelta(days=1)
WINDOW = 30 * DAY
UPTIMES = {"UPTIME-1 nocobase", "UPTIME-2 alma", "UPTIME-3 main"}
Happened = Callable[[Path], None]


def ago(time: timedelta) -> datetime:
    return Clock().now() - time


def down(lab: Lab, requirement: str, begin: datetime, length: timedelta) -> Happened:
    return lambda history: lab.history.say(history, requirement, Outcome.BREACHED, begin, begin + length)


@pytest.mark.proves("UPTIME-1")
def test_api_was_down_for_longer_than_half_a_percent_of_the_time(suite: Suite, lab: Lab) -> None:
    suite.run("mira", since=down(lab, "HEALTH-1", ago(10 * DAY), 0.004 * WINDOW)).expect()
    run = suite.run("mira", since=down(lab, "HEALTH-1", ago(10 * DAY), 0.0061 * WINDOW))
    run.expect(red={"UPTIME-1 nocobase"})
    assert "up over 30 days, HEALTH-1 nocobase\n    observed   99.3" in run.said("UPTIME-1 nocobase")


@pytest.mark.proves("UPTIME-2")
def test_upstream_source_was_down_for_longer_than_a_twentieth_of_the_time(suite: Suite, lab: Lab) -> None:
    suite.run("mira", since=down(lab, "UPSTREAM-1", ago(10 * DAY), 0.04 * WINDOW)).expect()
    run = suite.run("mira", since=down(lab, "UPSTREAM-1", ago(10 * DAY), 0.06 * WINDOW))
    run.expect(red={"UPTIME-2 alma"})


@pytest.mark.proves("UPTIME-3")
def test_one_probe_of_the_database_failed(suite: Suite, lab: Lab) -> None:
    run = suite.run("mira", since=down(lab, "DATABASE-1", ago(10 * DAY), timedelta(minutes=5)))
    run.expect(red={"UPTIME-3 main"})
    assert "99.98 %" in run.said("UPTIME-3 main")


@pytest.mark.proves("UPTIME-3")
def test_database_was_down_in_declared_maintenance(suite: Suite, lab: Lab) -> None:
    begin = ago(10 * DAY)
    local = begin.astimezone(SANTIAGO).replace(tzinfo=None, microsecond=0)
    declared = f"begins = {local - timedelta(hours=1)}\nends = {local + timedelta(hours=3)}"
    maintenance = f'\n[[maintenance]]\n{declared}\nreason = "upgrade of the server"\n'
    run = suite.run("mira", since=down(lab, "DATABASE-1", begin, timedelta(hours=2)), also=maintenance)
    run.expect()
    observed = run.observed("UPTIME-3 main")
    assert observed["up, the last 30 days, outside maintenance"] == "100 %"
    assert observed["up, the last 30 days, maintenance included"] == "99.72 %"


@pytest.mark.proves("UPTIME-1")
def test_this_month_alone_has_more_downtime_than_a_month_allows(suite: Suite, lab: Lab) -> None:
    # The window is shorter than the time since: it has forgotten what the month has not.
    limits = {'99.5, window = "30 days"': '99.5, window = "10 min"'}
    month = Clock().now().astimezone(SANTIAGO).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    moved = 3 * DAY if Clock().now() - month < DAY else timedelta(0)
    began = down(lab, "HEALTH-1", month + timedelta(hours=1), 0.006 * WINDOW)
    run = suite.run("mira", since=began, limits=limits, later=moved)
    run.expect(red={"UPTIME-1 nocobase"})
    assert run.observed("UPTIME-1 nocobase")["up over 10 min"] == "100 %"
    assert "down this month, of what the month allows" in run.said("UPTIME-1 nocobase")


@pytest.mark.proves("UPTIME-1")
@pytest.mark.proves("UPTIME-2")
@pytest.mark.proves("UPTIME-3")
def test_too_little_is_known(suite: Suite, lab: Lab) -> None:
    def blind(history: Path) -> None:
        for requirement in ("HEALTH-1", "UPSTREAM-1", "DATABASE-1"):
            lab.history.say(history, requirement, Outcome.UNVERIFIED, ago(10 * DAY), ago(3.5 * DAY))

    run = suite.run("mira", since=blind)
    run.expect(grey=UPTIMES)
    # Of 30 days 6.5; a look more or less at the borders is within the last decimal place.
    said = run.said("UPTIME-1 nocobase")
    assert re.search(r"78\.3\d? % of it is known from lab; of that it was up 100 %", said), said


@pytest.mark.proves("UPTIME-1")
def test_what_little_is_known_is_too_much_downtime_already(suite: Suite, lab: Lab) -> None:
    def blind_and_down(history: Path) -> None:
        lab.history.say(history, "HEALTH-1", Outcome.UNVERIFIED, ago(29 * DAY), ago(10 * DAY))
        lab.history.say(history, "HEALTH-1", Outcome.BREACHED, ago(10 * DAY), ago(9 * DAY))

    suite.run("mira", since=blind_and_down).expect(red={"UPTIME-1 nocobase"})


@pytest.mark.proves("UPTIME-1")
def test_where_nobody_looked_it_was_not_up(suite: Suite) -> None:
    run = suite.run("mira", since=lambda history: history.unlink())
    assert run.of(Outcome.UNVERIFIED) >= UPTIMES, run.output
    assert "nothing is known from lab" in run.said("UPTIME-1 nocobase")
