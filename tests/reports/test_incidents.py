"""Incidents as scheduled runs find them, on both stores."""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from reports.history import incidents as stored
from reports.history.address import Address
from reports.history.incidents import Incident
from reports.history.kept import Kept, Run, SystemRun, milliseconds, moment
from reports.history.store import History
from reports.incidents import Change, Incidents, Seen
from reports.lifecycle import Rules
from reports.requirement import Measurement, Outcome, Unverified
from tests.conftest import HOUSE

if TYPE_CHECKING:
    from fixtures.embedded import EmbeddedServer

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OUTCOMES = {"P": Outcome.PASSED, "B": Outcome.BREACHED, "U": Outcome.UNVERIFIED, "W": Outcome.WAIVED}
# What the lab's checks are: severity, and every how many minutes.
ROWS = {
    "HEALTH-1": ("P1", 2),
    "DATABASE-1": ("P1", 5),
    "LATENCY-1": ("P3", 5),
    "BACKUP-1": ("P1", 60),
    "INCIDENT-1": ("P2", 5),
    "DEPS-1": ("P2", 31 * 24 * 60),
}
REFUSED = Measurement("answer", "connection refused", "", "exactly", "200", holds=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[History]:
    """An empty history, in both kinds of store."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'history.db'}"
    else:
        server: EmbeddedServer = request.getfixturevalue("postgresql")
        database = f"history_{uuid4().hex}"
        request.getfixturevalue("execute")(f"CREATE DATABASE {database}")
        url = f"postgresql+psycopg://postgres:s3cret-super@127.0.0.1:{server.port}/{database}"
    with closing(History(Address(url, tmp_path / "spool"))) as opened:
        yield opened


class Suite:
    """Runs of the suite on a system, with what they find."""

    def __init__(self, history: History, *, vantage: str = "one", rules: Rules | None = None) -> None:
        self.history = history
        self.seen = Seen("mira", "production", vantage)
        self.incidents = Incidents(history, self.seen, rules or Rules())

    def find(self, minutes: float, *, now: float | None = None, **found: str) -> Sequence[Change]:
        """A run finds outcomes so many minutes after noon, by requirement: HEALTH_1="B"; and they are followed."""
        results = self.record(minutes, found)
        return self.incidents.follow(results, NOON + (minutes if now is None else now) * MINUTE)

    def record(
        self, minutes: float, found: Mapping[str, str], *, scheduled: bool = True, paged: bool = True
    ) -> Sequence[Kept]:
        """A run finds outcomes, and is killed before they are followed."""
        at = NOON + minutes * MINUTE
        results = [replace(result(name.replace("_", "-"), outcome, at), paged=paged) for name, outcome in found.items()]
        systems = {"mira": SystemRun("production", "")}
        run = Run(uuid4().hex, self.seen.vantage, milliseconds(at), "0", "", scheduled=scheduled, systems=systems)
        self.history.record(run, results)
        return results

    def open(self) -> Sequence[Incident]:
        """What is open."""
        with self.history.reading() as opened:
            return stored.open_of(opened, "mira", "production")

    def told(self, number: int) -> list[str]:
        """The kinds of events of an incident, in order."""
        with self.history.reading() as opened:
            return [each.kind for each in stored.timeline(opened, number)]


def result(requirement: str, outcome: str, at: datetime) -> Kept:
    severity, every = ROWS[requirement]
    return Kept(
        system="mira",
        requirement=requirement,
        target="main",
        severity=severity,
        title="It answers.",
        every=every * MINUTE // timedelta(milliseconds=1),
        at=milliseconds(at),
        outcome=OUTCOMES[outcome],
        message="said",
        measurements=(REFUSED,) if outcome == "B" else (),
    )


@pytest.fixture
def suite(history: History) -> Suite:
    return Suite(history)


def names(changes: Sequence[Change]) -> list[str]:
    return [f"{each.kind} {each.incident.requirement}" for each in changes]


def test_an_incident_from_its_first_result_to_its_recovery(suite: Suite) -> None:
    assert not suite.find(0, HEALTH_1="P")
    assert not suite.find(2, HEALTH_1="B")
    (change,) = suite.find(4, HEALTH_1="B")
    opened = change.incident
    assert change.kind == "opened"
    assert opened == suite.open()[0]
    assert (moment(opened.began), moment(opened.opened)) == (NOON + 2 * MINUTE, NOON + 4 * MINUTE)
    assert moment(opened.deadline) == NOON + 19 * MINUTE
    assert opened.measurements == (REFUSED,)
    assert not suite.find(6, HEALTH_1="B")
    (change,) = suite.find(8, HEALTH_1="P")
    assert (change.kind, change.why) == ("recovered", "")
    assert change.incident.recovered == milliseconds(NOON + 8 * MINUTE)
    assert not suite.open()
    assert suite.told(opened.number) == ["opened", "recovered"]


def test_a_waiver_is_a_decision(suite: Suite) -> None:
    suite.find(0, DATABASE_1="B")
    (change,) = suite.find(5, DATABASE_1="W")
    assert (change.kind, change.why) == ("recovered", "waived")
    assert not suite.find(10, DATABASE_1="W")


def test_what_cannot_be_told_any_more_is_not_over(suite: Suite) -> None:
    suite.find(0, DATABASE_1="B")
    assert not any(suite.find(5 * n, DATABASE_1="U") for n in range(1, 12))
    assert [each.kind for each in suite.open()] == ["breached"]


def test_what_stayed_unverified_and_turns_out_breached_is_another_incident(suite: Suite) -> None:
    changes = [suite.find(5 * n, DATABASE_1="U") for n in range(5)]
    assert names(changes[-1]) == ["opened DATABASE-1"]
    assert not any(changes[:-1])
    assert suite.open()[0].kind == "unverified"
    changed = suite.find(25, DATABASE_1="B")
    assert [(each.kind, each.incident.kind, each.why) for each in changed] == [
        ("recovered", "unverified", "verified again: breached"),
        ("opened", "breached", ""),
    ]


@pytest.mark.parametrize(("again", "kind"), [(30, "joined"), (31, "opened")])
def test_flapping_is_one_incident(suite: Suite, again: int, kind: str) -> None:
    first = suite.find(0, DATABASE_1="B")[0].incident
    suite.find(5, DATABASE_1="P")
    (change,) = suite.find(5 + again, DATABASE_1="B")
    assert change.kind == kind
    assert change.incident.recovered is None
    assert (change.incident.number == first.number) == (kind == "joined")
    if kind == "joined":
        assert suite.told(first.number) == ["opened", "recovered", "joined"]
        assert change.incident.began == first.began


def test_what_somebody_resolved_does_not_go_on(suite: Suite) -> None:
    suite.find(0, DATABASE_1="B")
    recovered = suite.find(5, DATABASE_1="P")[0].incident
    with suite.history.writing() as opened:
        stored.resolve(opened, recovered, at=recovered.began, by="Rodrigo Tapia", cause="Disco lleno")
    assert names(suite.find(10, DATABASE_1="B")) == ["opened DATABASE-1"]


def test_one_cause_is_one_group_and_the_graver_one_takes_it_over(suite: Suite) -> None:
    suite.find(0, HEALTH_1="B", LATENCY_1="B")
    health = suite.find(2, HEALTH_1="B")[0].incident
    assert health.leader is None
    opened, grouped = suite.find(3, DATABASE_1="B")
    assert (opened.kind, opened.incident.requirement, opened.incident.leader) == ("opened", "DATABASE-1", None)
    assert (grouped.kind, grouped.incident.number) == ("grouped", health.number)
    assert grouped.incident.leader == opened.incident.number
    suite.find(5, LATENCY_1="B")
    (latency,) = suite.find(10, LATENCY_1="B")
    assert (latency.kind, latency.incident.leader) == ("opened", opened.incident.number)
    # Each by its own deadline, and over by its own result.
    assert latency.incident.deadline - latency.incident.opened == 4 * 60 * MINUTE // timedelta(milliseconds=1)
    assert names(suite.find(12, DATABASE_1="P")) == ["recovered DATABASE-1"]
    assert {each.requirement for each in suite.open()} == {"HEALTH-1", "LATENCY-1"}
    assert suite.told(health.number) == ["opened", "grouped"]


def test_those_of_one_run_are_opened_under_the_gravest(suite: Suite) -> None:
    suite.find(0, HEALTH_1="B")
    changes = suite.find(2, HEALTH_1="B", DATABASE_1="B")
    assert names(changes) == ["opened DATABASE-1", "opened HEALTH-1"]
    assert changes[1].incident.leader == changes[0].incident.number


def test_whoever_took_on_the_leader_has_what_comes_of_it(suite: Suite) -> None:
    leader = suite.find(0, DATABASE_1="B", HEALTH_1="B")[0].incident
    with suite.history.writing() as opened:
        stored.acknowledge(opened, leader, at=leader.opened, by="Rodrigo Tapia")
    (health,) = suite.find(2, DATABASE_1="B", HEALTH_1="B")
    assert (health.incident.leader, health.incident.owner) == (leader.number, "Rodrigo Tapia")
    assert suite.told(health.incident.number) == ["opened", "grouped", "acknowledged"]


def test_who_took_on_a_lesser_one_has_not_taken_on_the_graver(suite: Suite) -> None:
    suite.find(0, HEALTH_1="B")
    health = suite.find(2, HEALTH_1="B")[0].incident
    with suite.history.writing() as opened:
        stored.acknowledge(opened, health, at=health.opened, by="Rodrigo Tapia")
    opened_, grouped = suite.find(3, DATABASE_1="B")
    assert opened_.incident.owner is None
    assert grouped.incident.owner == "Rodrigo Tapia"


def test_when_the_leader_is_over_the_next_one_leads_what_comes(suite: Suite) -> None:
    suite.find(0, HEALTH_1="B")
    suite.find(2, HEALTH_1="B", DATABASE_1="B")
    suite.find(4, HEALTH_1="B", DATABASE_1="P")
    suite.find(5, LATENCY_1="B")
    suite.find(6, LATENCY_1="B")
    opened, grouped = suite.find(7, LATENCY_1="B")
    health = grouped.incident
    assert (health.requirement, health.leader) == ("HEALTH-1", None)
    assert opened.incident.leader == health.number


def test_what_no_outage_explains_stands_alone(suite: Suite) -> None:
    changes = suite.find(0, DATABASE_1="B", BACKUP_1="B")
    assert [each.incident.leader for each in changes] == [None, None]


def test_maintenance_opens_nothing_but_ends_what_was_open(history: History) -> None:
    def silent(at: datetime) -> bool:
        return NOON + 5 * MINUTE <= at < NOON + 10 * MINUTE

    suite = Suite(history, rules=Rules(silent=silent))
    suite.find(0, DATABASE_1="B")
    assert not suite.find(5, DATABASE_1="B", BACKUP_1="B")
    assert names(suite.find(6, DATABASE_1="P")) == ["recovered DATABASE-1"]
    assert not suite.find(7, DATABASE_1="B")
    assert names(suite.find(10, DATABASE_1="B")) == ["joined DATABASE-1"]


def test_who_looks_from_elsewhere_ends_it_only_when_nobody_else_looks(history: History) -> None:
    one, other = Suite(history), Suite(history, vantage="other")
    one.find(0, DATABASE_1="B")
    assert not other.find(1, DATABASE_1="P")
    assert not other.find(2, DATABASE_1="B")
    assert not other.find(15, DATABASE_1="P")
    assert names(other.find(16, DATABASE_1="P")) == ["recovered DATABASE-1"]


def test_who_saw_it_again_says_when_it_is_over(history: History) -> None:
    one, other = Suite(history), Suite(history, vantage="other")
    one.find(0, DATABASE_1="B")
    other.find(1, DATABASE_1="B")
    changes = [*one.find(5, DATABASE_1="P"), *other.find(6, DATABASE_1="B")]
    for minutes in range(10, 60, 5):
        changes += [*one.find(minutes, DATABASE_1="P"), *other.find(minutes + 1, DATABASE_1="B")]
    assert [each.kind for each in changes] == ["recovered", "joined"]
    assert names(other.find(61, DATABASE_1="P")) == ["recovered DATABASE-1"]


@pytest.mark.parametrize(("over", "again", "deadline"), [(15, 30, 45), (16, 30, 15)])
def test_nobody_owes_an_answer_to_what_is_over(suite: Suite, over: int, again: int, deadline: int) -> None:
    suite.find(0, DATABASE_1="B")
    suite.find(over, DATABASE_1="P")
    (change,) = suite.find(again, DATABASE_1="B")
    assert change.kind == "joined"
    assert moment(change.incident.deadline) == NOON + deadline * MINUTE
    assert suite.open() == [change.incident]


def test_results_that_come_late_end_nothing(suite: Suite) -> None:
    suite.find(10, DATABASE_1="B")
    assert not suite.find(5, now=11, DATABASE_1="P")
    assert suite.open()


def test_a_clock_that_was_ahead_keeps_nobody_from_seeing_what_is(suite: Suite) -> None:
    for minutes in range(60, 80, 5):
        suite.find(minutes, DATABASE_1="P")
    assert names(suite.find(0, DATABASE_1="B")) == ["opened DATABASE-1"]
    assert names(suite.find(5, DATABASE_1="P")) == ["recovered DATABASE-1"]


def test_what_is_due_once_a_month_is_not_silent_for_ever(suite: Suite) -> None:
    days = 3 * 31
    hours = [result("DEPS-1", "U", NOON + timedelta(hours=n)) for n in range(1, days * 24)]
    run = Run(uuid4().hex, "one", 0, "0", "", scheduled=True, systems={"mira": SystemRun("production", "")})
    suite.find(0, DEPS_1="P")
    suite.history.record(run, hours)
    assert not suite.find(days * 24 * 60, DEPS_1="U")
    (change,) = suite.find((days * 24 + 1) * 60, DEPS_1="U")
    assert (change.kind, change.incident.kind) == ("opened", "unverified")
    assert moment(change.incident.began) == NOON + timedelta(hours=1)


def test_what_a_killed_run_left_is_followed_by_the_next_one(suite: Suite) -> None:
    suite.find(0, HEALTH_1="P")
    suite.record(10, {"DEPS-1": "B", "BACKUP-1": "B"})
    assert names(suite.find(12, HEALTH_1="P")) == ["opened BACKUP-1", "opened DEPS-1"]
    suite.record(70, {"BACKUP-1": "P"})
    assert names(suite.find(72, HEALTH_1="P")) == ["recovered BACKUP-1"]
    assert not suite.find(74, HEALTH_1="P")


def test_what_runs_by_hand_found_and_what_is_for_reports_is_not_followed(suite: Suite) -> None:
    suite.record(10, {"DEPS-1": "B"}, scheduled=False)
    suite.record(10, {"BACKUP-1": "B"}, paged=False)
    assert not suite.find(12, HEALTH_1="P")


def test_what_is_verified_no_longer_is_not_followed(suite: Suite) -> None:
    suite.record(0, {"BACKUP-1": "B"})
    assert not suite.find(121, HEALTH_1="P")


def test_a_result_that_was_lost_opens_nothing(suite: Suite) -> None:
    lost = Kept("mira", "test_it", "main", "", "test_it", 0, milliseconds(NOON), Outcome.UNVERIFIED)
    assert not suite.incidents.follow([lost], NOON)


RUNNER = """\
import sys
from datetime import datetime
from pathlib import Path
from reports.history.address import Address
from tests.reports.test_incidents import History, Suite
url, spool, minutes = sys.argv[1:]
suite = Suite(History(Address(url, Path(spool))))
print("ready", flush=True)
sys.stdin.readline()
for change in suite.find(float(minutes), DATABASE_1="B", BACKUP_1="B"):
    print(change.kind, change.incident.requirement)
"""


def test_runners_at_once_open_one(history: History) -> None:
    Suite(history).find(0, DATABASE_1="P")
    arguments = [sys.executable, "-c", RUNNER, history.address.url, str(history.address.spool)]
    runners = [
        subprocess.Popen(
            [*arguments, str(1 + n / 60)], cwd=HOUSE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for n in range(3)
    ]
    for each in runners:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in runners:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    said = [each.communicate(timeout=60)[0].splitlines() for each in runners]
    assert [each.returncode for each in runners] == [0] * len(runners)
    assert sorted(chain(*said)) == ["opened BACKUP-1", "opened DATABASE-1"]
    assert len(Suite(history).open()) == 2


def test_the_store_itself_refuses_a_second_one(suite: Suite) -> None:
    first = suite.find(0, DATABASE_1="B")[0].incident
    with pytest.raises(Unverified, match=r"IntegrityError|UniqueViolation"), suite.history.writing() as opened:
        stored.add(opened, first)


def test_whoever_acknowledges_owns_it_in_time_or_late(suite: Suite) -> None:
    first = suite.find(0, DATABASE_1="B")[0].incident
    in_time, late = first.deadline, first.deadline + 1
    with suite.history.writing() as opened:
        assert not stored.acknowledge(opened, first, at=in_time, by="Rodrigo Tapia", said="seen at 1").acknowledged_late
        changed = stored.acknowledge(opened, first, at=late, by="Rodrigo Tapia", said="seen at 2")
        assert changed.acknowledged_late
        assert stored.one(opened, first.number) == changed
        events = stored.timeline(opened, first.number)
    assert [(each.kind, each.by, each.note) for each in events[1:]] == [
        ("acknowledged", "Rodrigo Tapia", "seen at 1"),
        ("late", "Rodrigo Tapia", "seen at 2"),
    ]
