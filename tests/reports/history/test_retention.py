"""Old results go where their hour's figures tell all that they said, and stay where they do not."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import func, select

from reports.history import retention, rollups, uptime
from reports.history.kept import Kept
from reports.history.retention import Removed
from reports.history.store import History
from reports.history.tables import detail, hour, result
from reports.requirement import Outcome
from tests.reports.history import past
from tests.reports.history.past import HOUR, MINUTE, T, of_raw, put

DAY = 24 * HOUR
OLD = T - 100 * DAY
FIRST = OLD // HOUR


def a_day(begin: int, *, down: Sequence[int] = ()) -> list[Kept]:
    """A result every two minutes, those of some numbers down."""
    return [
        past.result(begin + number * 2 * MINUTE, Outcome.BREACHED if number in down else Outcome.PASSED)
        for number in range(720)
    ]


def hours_with_results(history: History) -> list[int]:
    """Hours after the first one."""
    with history.reading() as opened:
        found = opened.execute(select(result.c.at)).scalars()
        return sorted({at // HOUR - FIRST for at in found})


def test_hours_that_say_one_thing_lose_their_results_after_ninety_days(history: History) -> None:
    put(history, *a_day(OLD), *a_day(T - 89 * DAY))
    foreseen = retention.prune(history, T, dry_run=True)
    assert len(hours_with_results(history)) == 48
    assert foreseen == Removed(), "nothing is rolled up yet"
    rollups.roll(history, T)
    foreseen = retention.prune(history, T, dry_run=True)
    assert retention.prune(history, T) == foreseen == Removed(690, 23)
    # The last hour holds into one in which nobody looked any more.
    assert hours_with_results(history) == [23, *range(264, 288)]
    assert retention.prune(history, T) == Removed()
    with history.reading() as opened:
        kept = opened.execute(select(func.sum(hour.c.results), func.count()).where(hour.c.pruned)).one()
        assert tuple(kept) == (690, 23)


def test_the_limit_of_age_is_told(history: History) -> None:
    put(history, *a_day(T - DAY))
    assert retention.prune(history, T, keep=timedelta(days=1)) == Removed()
    assert retention.prune(history, T, keep=timedelta(hours=23)) == Removed(30, 1)
    assert retention.prune(history, T, keep=timedelta(hours=2)) == Removed(630, 21)


def test_hours_in_which_something_changed_stay_and_what_holds_into_them(history: History) -> None:
    # Down from 05:10 to 05:20; all of 08 to 10.
    put(history, *a_day(OLD, down=[*range(155, 160), *range(240, 300)]))
    retention.prune(history, T)
    assert hours_with_results(history) == [4, 5, 23]
    with history.reading() as opened:
        assert {at // HOUR - FIRST for at in opened.execute(select(detail.c.at)).scalars()} == {5}


def test_what_is_seldom_due_stays(history: History) -> None:
    put(history, *(past.result(OLD + number * DAY, every=DAY) for number in range(5)))
    assert retention.prune(history, T) == Removed()
    assert len(hours_with_results(history)) == 5


def test_what_comes_in_later_does_not_spoil_what_is_known(history: History) -> None:
    put(history, *a_day(OLD))
    retention.prune(history, T)
    put(history, past.result(OLD + 3 * HOUR + 1, Outcome.BREACHED))
    rollups.roll(history, T)
    begin, end = OLD, OLD + DAY
    with history.reading() as opened:
        read = uptime.accounts(opened, "shop", "production", "HEALTH-1", vantage="here", begin=begin, end=end)
    assert read == {"web": of_raw(a_day(OLD), begin=begin, end=end)}
    assert hours_with_results(history) == [3, 23], "it is on record all the same"
