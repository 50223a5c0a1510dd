"""When an incident opens and is over, by rules that know no store."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.history.kept import Kept
from reports.lifecycle import (
    CAUSES,
    EFFECTS,
    TOGETHER,
    Confirmed,
    Rules,
    confirmed,
    gravity,
    grouped_with,
    over,
)
from reports.requirement import FAMILIES, Measurement, Outcome

MINUTE = 60_000
HOUR = 60 * MINUTE
LETTERS = {"P": Outcome.PASSED, "B": Outcome.BREACHED, "U": Outcome.UNVERIFIED, "W": Outcome.WAIVED}
TOO_SLOW = Measurement("time to the answer", 9.0, "s", "at most", 5.0, holds=False)
NO_PASSWORD = Measurement("signing in", "our password was refused")


def result(
    outcome: Outcome, at: int, *, requirement: str = "HEALTH-1", severity: str = "P1", every: int = 2 * MINUTE
) -> Kept:
    measured = {Outcome.BREACHED: (Measurement("rows", 3), TOO_SLOW), Outcome.UNVERIFIED: (NO_PASSWORD,)}
    return Kept(
        "mira", requirement, "nocobase", severity, "Answers.", every, at, outcome, "", measured.get(outcome, ())
    )


def seen(
    letters: str, *, requirement: str = "HEALTH-1", severity: str = "P1", every: int = 2 * MINUTE, apart: int = 0
) -> Sequence[Kept]:
    """The results that letters stand for, the oldest letter first, one every `every`; the newest result first."""
    apart = apart or every
    results = [
        result(LETTERS[letter], n * apart, requirement=requirement, severity=severity, every=every)
        for n, letter in enumerate(letters)
    ]
    return results[::-1]


def kind_of(found: Confirmed | None) -> str | None:
    return None if found is None else found.kind


@pytest.mark.parametrize(
    ("severity", "letters", "opens"),
    [
        ("P1", "PB", False),
        ("P1", "PBB", True),
        ("P2", "PB", False),
        ("P2", "PBB", True),
        ("P3", "PBB", False),
        ("P3", "PBBB", True),
        ("P4", "PBB", False),
        ("P4", "PBBB", True),
        # Nothing is known of the time before.
        ("P1", "BB", True),
        ("P1", "BPB", False),
        ("P1", "BWB", False),
        # What could not be told says neither that it held nor that it did not.
        ("P1", "BUB", True),
        ("P1", "BPUB", False),
        ("P1", "BBP", False),
        ("P1", "BBW", False),
    ],
)
def test_a_breach_is_confirmed_by_results_in_a_row(severity: str, letters: str, *, opens: bool) -> None:
    assert (confirmed(seen(letters, severity=severity), Rules()) is not None) == opens


@pytest.mark.parametrize(
    ("requirement", "severity", "every", "opens"),
    [
        ("DATABASE-1", "P1", 5 * MINUTE, True),
        ("DATABASE-7", "P1", 5 * MINUTE, True),
        ("DATABASE-2", "P2", 5 * MINUTE, False),
        ("HEALTH-1", "P1", 15 * MINUTE, False),
        ("BACKUP-1", "P1", 15 * MINUTE + 1, True),
        ("UPKEEP-1", "P3", 24 * HOUR, True),
    ],
)
def test_what_cannot_wait_is_confirmed_by_its_first_result(
    requirement: str, severity: str, every: int, *, opens: bool
) -> None:
    results = seen("PB", requirement=requirement, severity=severity, every=every)
    assert (confirmed(results, Rules()) is not None) == opens


def test_it_began_with_the_first_of_them() -> None:
    found = confirmed(seen("PPBUB"), Rules())
    assert found is not None
    assert found.began == 4 * MINUTE
    assert found.measurements == (TOO_SLOW,)


def test_how_many_confirm_can_be_declared() -> None:
    rules = Rules(confirmed_by={"P1": 3, "P2": 2, "P3": 3, "P4": 3})
    assert confirmed(seen("PBB"), rules) is None
    assert confirmed(seen("PBBB"), rules) is not None


@pytest.mark.parametrize(("silence", "opens"), [(HOUR, True), (HOUR + 1, False)])
def test_a_row_ends_in_a_silence(silence: int, *, opens: bool) -> None:
    results = [result(Outcome.BREACHED, silence), result(Outcome.BREACHED, 0)]
    assert (confirmed(results, Rules()) is not None) == opens


def test_maintenance_opens_nothing_and_proves_nothing() -> None:
    def silent(at: datetime) -> bool:
        return at.timestamp() == 4 * 60

    assert confirmed(seen("PBB"), Rules(silent=silent)) is None
    assert confirmed(seen("PPBB"), Rules(silent=silent)) is None
    assert confirmed(seen("PBBB"), Rules(silent=silent)) is None
    assert confirmed(seen("PPBBB"), Rules(silent=silent)) is not None


@pytest.mark.parametrize(
    ("letters", "opens"),
    [
        # 6 min since the last that was verified, and 8.
        ("PUUU", False),
        ("PUUUU", True),
        # None ever was.
        ("UUUU", False),
        ("UUUUU", True),
        ("PUUPUU", False),
        ("WUUUU", True),
        ("BUUUU", True),
    ],
)
def test_what_stays_unverified_for_longer_than_three_times_its_interval_is_an_incident(
    letters: str, *, opens: bool
) -> None:
    found = confirmed(seen(letters), Rules())
    assert kind_of(found) == ("unverified" if opens else None)
    assert found is None or found.measurements == (NO_PASSWORD,)


def test_silence_is_no_evidence_that_it_could_not_be_verified() -> None:
    week = 7 * 24 * HOUR
    back = [result(Outcome.UNVERIFIED, week + n * 2 * MINUTE) for n in (2, 1, 0)]
    # Of the week the last result speaks for 4 min, and no more.
    assert confirmed([back[2], result(Outcome.PASSED, 0)], Rules()) is None
    assert confirmed([*back[1:], result(Outcome.PASSED, 0)], Rules()) is None
    found = confirmed([*back, result(Outcome.PASSED, 0)], Rules())
    assert found is not None
    assert found.began == week


@pytest.mark.parametrize(
    ("kind", "letter", "ends"),
    [
        ("breached", "P", True),
        ("breached", "W", True),
        ("breached", "B", False),
        ("breached", "U", False),
        ("unverified", "P", True),
        ("unverified", "W", True),
        ("unverified", "B", True),
        ("unverified", "U", False),
    ],
)
def test_over(kind: Literal["breached", "unverified"], letter: str, *, ends: bool) -> None:
    assert over(kind, result(LETTERS[letter], 0)) == ends


outcomes = st.text(alphabet="PBUW", min_size=1, max_size=30)


@given(outcomes, st.sampled_from(["P1", "P2", "P3", "P4"]))
def test_nothing_opens_that_is_over_or_without_its_results(letters: str, severity: str) -> None:
    results = seen(letters, severity=severity)
    found = confirmed(results, Rules())
    if found is None:
        return
    assert not over(found.kind, results[0])
    row = [each for each in results if each.at >= found.began]
    # All the row through it neither passed nor was waived.
    assert {each.outcome for each in row} <= {Outcome.BREACHED, Outcome.UNVERIFIED}
    if found.kind == "breached":
        assert row[0].outcome is row[-1].outcome is Outcome.BREACHED
        assert sum(each.outcome is Outcome.BREACHED for each in row) >= Rules().needed(results[0])
    else:
        assert {each.outcome for each in row} == {Outcome.UNVERIFIED}


@given(outcomes)
def test_a_lasting_fault_opens_whatever_came_before(letters: str) -> None:
    assert kind_of(confirmed(seen(f"{letters}PBB"), Rules())) == "breached"
    assert kind_of(confirmed(seen(f"{letters}PUUUU"), Rules())) == "unverified"


@dataclass(frozen=True)
class Known:
    """An incident, as far as grouping asks."""

    number: int
    family: str
    severity: str
    kind: Literal["breached", "unverified"]
    began: int


def known(number: int, family: str, severity: str = "P1", *, began: int = 0) -> Known:
    return Known(number, family, severity, "breached", began)


def test_the_gravest_leads_then_the_likeliest_cause_then_the_first() -> None:
    ordered: list[Known] = [
        known(9, "DATABASE", began=300),
        known(8, "CACHE", began=200),
        known(7, "HEALTH", began=0),
        known(6, "LATENCY", began=100),
        Known(5, "DATABASE", "P1", "unverified", 0),
        known(4, "DATABASE", "P2"),
    ]
    assert [*sorted({*ordered}, key=gravity)] == ordered


def test_what_began_about_the_same_time_belongs_together() -> None:
    health = known(1, "HEALTH", began=TOGETHER)
    assert grouped_with(known(2, "DATABASE", began=0), [[health]]) == [health]
    assert grouped_with(known(2, "DATABASE", began=2 * TOGETHER), [[health]]) == [health]
    assert not grouped_with(known(2, "DATABASE", began=2 * TOGETHER + 1), [[health]])


def test_a_group_does_not_grow_over_its_time() -> None:
    group = [known(1, "HEALTH", began=0), known(2, "LATENCY", began=TOGETHER)]
    assert not grouped_with(known(3, "DATABASE", began=TOGETHER + 1), [group])


@pytest.mark.parametrize("family", sorted({*FAMILIES} - {*CAUSES, *EFFECTS}))
def test_what_no_outage_explains_stands_alone(family: str) -> None:
    database = known(1, "DATABASE")
    assert not grouped_with(known(2, family), [[database]])
    assert not grouped_with(database, [[known(2, family)]])


incidents = st.builds(
    Known,
    number=st.integers(1, 99),
    family=st.sampled_from(sorted(FAMILIES)),
    severity=st.sampled_from(["P1", "P2", "P3", "P4"]),
    kind=st.sampled_from(["breached", "unverified"]),
    began=st.integers(0, 3 * TOGETHER),
)


@given(incidents, st.lists(st.lists(incidents, min_size=1, max_size=3), max_size=5))
def test_no_group_is_longer_than_its_time(new: Known, groups: list[list[Known]]) -> None:
    found = grouped_with(new, groups)
    fits = [
        group
        for group in groups
        if all(abs(one.began - other.began) <= TOGETHER for one in [new, *group] for other in [new, *group])
        and all(each.family in (*CAUSES, *EFFECTS) for each in [new, *group])
    ]
    if found:
        assert found in fits
        assert all(min(map(gravity, found)) <= min(map(gravity, group)) for group in fits)
    else:
        assert not fits
