"""The vocabulary: both sides of each limit, and what is refused."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from reports.requirement import (
    CLOCK_SKEW,
    Breach,
    Evidence,
    Measurement,
    Requirement,
    Severity,
    Unreachable,
    Unverified,
    Value,
    requirement,
)

HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)


def holds(state: Callable[[Evidence], None]) -> bool:
    evidence = Evidence()
    state(evidence)
    try:
        evidence.judge()
    except Breach:
        return False
    return True


@pytest.mark.parametrize(("observed", "fine"), [(4.999, True), (5, True), (5.0, True), (5.001, False)])
def test_at_most_includes_its_limit(observed: float, fine: bool) -> None:  # noqa: FBT001 -- the expected verdict
    assert holds(lambda evidence: evidence.at_most("x", observed, limit=5)) is fine


@pytest.mark.parametrize(("observed", "fine"), [(0, False), (0.999, False), (1, True), (2, True)])
def test_at_least_includes_its_limit(observed: float, fine: bool) -> None:  # noqa: FBT001 -- as above
    assert holds(lambda evidence: evidence.at_least("x", observed, limit=1)) is fine


@pytest.mark.parametrize("state", [Evidence.at_most, Evidence.at_least])
def test_what_is_no_number_holds_to_no_limit(state: Callable[..., None]) -> None:
    assert not holds(lambda evidence: state(evidence, "x", float("nan"), limit=1))
    assert not holds(lambda evidence: state(evidence, "x", 1, limit=float("nan")))


@pytest.mark.parametrize(
    ("age", "fine"),
    [
        (HOUR, True),
        (HOUR + TICK, False),
        (timedelta(0), True),
        (-CLOCK_SKEW, True),
        (-CLOCK_SKEW - TICK, False),
        (-10 * HOUR, False),
    ],
)
def test_an_age_is_neither_too_high_nor_in_the_future(age: timedelta, fine: bool) -> None:  # noqa: FBT001 -- as above
    assert holds(lambda evidence: evidence.age("age", age, limit=HOUR)) is fine


def test_an_age_in_the_future_is_called_that() -> None:
    evidence = Evidence()
    evidence.age("age", -2 * HOUR, limit=HOUR)
    assert evidence.measurements[0].observed_text == "-2 h"
    assert evidence.measurements[0].limit_text == "not in the future, at most 1 h"


@pytest.mark.parametrize(
    ("observed", "expected", "fine"),
    [
        (200, 200, True),
        (200, 201, False),
        ("ok", "ok", True),
        ("ok", "OK", False),
        (True, True, True),
        (True, 1, False),
        (1, True, False),
        ("1", 1, False),
        (1.0, 1, False),
        (None, False, False),
        (None, "", False),
        (None, 0, False),
    ],
)
def test_equal_means_the_type_too(observed: Value, expected: Value, fine: bool) -> None:  # noqa: FBT001 -- as above
    assert holds(lambda evidence: evidence.equal("x", observed, expected=expected)) is fine


@pytest.mark.parametrize(
    ("found", "fine", "text"), [([], True, "none"), (["a"], False, "1: a"), (["a", "b"], False, "2: a, b")]
)
def test_none_of_names_each_finding(found: list[str], fine: bool, text: str) -> None:  # noqa: FBT001 -- as above
    evidence = Evidence()
    evidence.none_of("findings", found)
    assert evidence.measurements[0].observed_text == text
    assert evidence.measurements[0].holds is fine


def test_facts_and_attachments_hold_to_nothing() -> None:
    evidence = Evidence()
    evidence.note("rows", 12, unit="rows")
    evidence.note("age", HOUR)
    evidence.attach("samples", "1\n2")
    evidence.judge()
    assert [(each.observed, each.unit, each.limit_text) for each in evidence.measurements] == [
        (12, "rows", ""),
        (3600.0, "s", ""),
    ]
    assert evidence.attachments == {"samples": "1\n2"}


def test_a_breach_names_everything_that_falls_short_and_nothing_else() -> None:
    evidence = Evidence()
    evidence.equal("status", "ok", expected="ok")
    evidence.equal("database", "down", expected="connected", subject="http://x/health")
    evidence.at_most("age", 2 * HOUR, limit=HOUR)
    with pytest.raises(Breach) as breach:
        evidence.judge()
    assert [each.what for each in breach.value.measurements] == ["database", "age"]
    assert str(breach.value) == "database: down (exactly connected)"


def test_durations_travel_as_seconds() -> None:
    evidence = Evidence()
    evidence.at_most("age", timedelta(minutes=90), limit=timedelta(days=1), subject="backup-2026-11-20.dump")
    assert evidence.measurements == [
        Measurement("age", 5400.0, "s", "at most", 86400.0, holds=True, subject="backup-2026-11-20.dump")
    ]
    assert (evidence.measurements[0].observed_text, evidence.measurements[0].limit_text) == (
        "1 h 30 min",
        "at most 24 h",
    )


@pytest.mark.parametrize(
    ("observed", "limit", "unit", "text"),
    [
        (0.5003, 0.5, "s", "500 ms (exactly 0.5003 s)"),
        (0.501, 0.5, "s", "501 ms"),
        (90_003.0, 90_000.0, "s", "25 h (exactly 90003.0 s)"),
        (0.10001, 0.1, "", "0.1 (exactly 0.10001)"),
        (True, "True", "", "True (exactly True)"),
    ],
)
def test_rounding_never_makes_a_breach_look_like_its_limit(observed: Value, limit: Value, unit: str, text: str) -> None:
    assert Measurement("x", observed, unit, "at most", limit, holds=False).observed_text == text
    assert "exactly" not in Measurement("x", observed, unit, "at most", limit, holds=True).observed_text


@pytest.mark.parametrize("kind", [Breach, Unreachable])
def test_a_breach_that_a_noun_raises_carries_its_measurement(kind: type[Breach]) -> None:
    breach = kind("connection", observed="refused", limit="accepted", subject="main")
    assert isinstance(breach, AssertionError)
    (measured,) = breach.measurements
    assert (measured.what, measured.observed_text, measured.limit_text, measured.subject, measured.holds) == (
        *("connection", "refused", "must be accepted", "main"),
        False,
    )


def test_what_is_unverified_says_what_was_tried_what_came_back_and_what_to_do() -> None:
    unverified = Unverified("signing in", came_back="status 401", remedy="Check the password")
    assert str(unverified) == "signing in: status 401. Check the password"
    assert not isinstance(unverified, AssertionError)


@pytest.mark.parametrize(
    ("gate", "gates"), [(None, set()), ("before", {"before"}), ("after", {"after"}), ("both", {"before", "after"})]
)
def test_requirement_marks_a_check_with_its_row(gate: str | None, gates: set[str]) -> None:
    mark = requirement("BACKUP-1", severity="P1", every="25h", gate=gate)  # type: ignore[arg-type]  # parametrized
    row: Requirement = mark.args[0]
    assert mark.name == "requirement"
    assert (row.id, row.family, row.severity, row.every) == ("BACKUP-1", "BACKUP", Severity.P1, timedelta(hours=25))
    assert row.gates == gates


@pytest.mark.parametrize(
    "requirement_id", ["BACKUP", "BACKUPS-1", "backup-1", "BACKUP-", "BACKUP-x", "BACKUP-²", "-1", ""]
)
def test_an_id_that_is_none_is_refused_with_the_families(requirement_id: str) -> None:
    with pytest.raises(ValueError, match="expected FAMILY-NUMBER with one of HEALTH, UPTIME"):
        requirement(requirement_id, severity="P1", every="1h")


def test_a_severity_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="P5"):
        requirement("BACKUP-1", severity="P5", every="1h")


def test_a_period_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match='write it like "24h"'):
        requirement("BACKUP-1", severity="P1", every="hourly")
