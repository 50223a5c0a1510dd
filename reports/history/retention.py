"""How long results are kept: 90 days, and for years where their hour cannot do without them.

Of an hour in which a series said one thing throughout the roll-up tells everything; it can be cut anywhere. Where
something changed, its results stay, so that a window that begins within it, or a maintenance that is declared later,
is as exact as on the first day. Requirements that are due once a day or more seldom have few results, which stay, too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, bindparam, delete, exists, func, insert, literal, select, update

from reports.history.holding import DAY, HOUR, hold, of_one_state
from reports.history.rollups import roll
from reports.history.tables import detail, hour, mark, result, series
from reports.history.writing import without_writers

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from reports.history.store import History

KEPT = timedelta(days=90)
_MARK = "pruned"
# How much is removed in one transaction, which others have to wait for. In hours.
_AT_ONCE = 24


@dataclass(frozen=True)
class Removed:
    """How much was removed.

    Attributes:
        results: that are gone.
        hours: whose results they were: of one requirement on one target each.
    """

    results: int = 0
    hours: int = 0

    def __add__(self, other: "Removed") -> "Removed":
        """Both together."""
        return Removed(self.results + other.results, self.hours + other.hours)


def prune(history: "History", now: int, *, keep: timedelta = KEPT, dry_run: bool = False) -> Removed:
    """Remove old results, and all that they say, once their hours are rolled up.

    Args:
        history: whose.
        now: in ms since 1970.
        keep: how old they may become.
        dry_run: only count what would go.

    Raises:
        Unverified: when it cannot be read or written; what is removed by then is gone.
    """
    if not dry_run:
        roll(history, now)
    until = (now - keep // timedelta(milliseconds=1)) // HOUR
    removed = Removed()
    with history.reading() as opened:
        begin = _begin(opened)
    while begin is not None and begin < until:
        end = min(begin + _AT_ONCE, until)
        if dry_run:
            with history.reading() as opened:
                ripe = _ripe(opened, begin, end)
        else:
            with history.writing() as opened:
                without_writers(opened)
                ripe = _ripe(opened, begin, end)
                _remove(opened, ripe, end)
        removed += Removed(sum(results for _, _, results in ripe), len(ripe))
        begin = end
    return removed


def _begin(opened: "Connection") -> int | None:
    """The hour that nothing was removed of so far; None where there is none at all."""
    done = opened.execute(select(mark.c.at).where(mark.c.name == _MARK)).scalar()
    return opened.execute(select(func.min(hour.c.hour))).scalar() if done is None else done // HOUR


def _ripe(opened: "Connection", begin: int, end: int) -> Sequence[tuple[int, int, int]]:
    """The hours whose results can go, of those between two: series, hour, and how many results."""
    reach = (hold + HOUR - 1) // literal(HOUR)
    following = hour.alias("following")
    # An hour that something changes in is computed from results before it, too.
    needed = exists().where(
        following.c.series == hour.c.series,
        following.c.hour > hour.c.hour,
        following.c.hour <= hour.c.hour + reach,
        ~of_one_state(following),
    )
    asked = (
        select(hour.c.series, hour.c.hour, hour.c.results)
        .select_from(hour.join(series, series.c.id == hour.c.series))
        .where(hour.c.hour >= begin, hour.c.hour < end, ~hour.c.pruned, of_one_state(hour), ~needed)
        .where(series.c.every < DAY, (hour.c.hour + 1 + reach) * literal(HOUR) <= series.c.rolled)
        .order_by(hour.c.series, hour.c.hour)
    )
    return opened.execute(asked).all()


def _remove(opened: "Connection", ripe: Sequence[tuple[int, int, int]], end: int) -> None:
    runs = [{"of": of, "first": first, "last": last} for of, first, last in _together(ripe)]
    of, first, last = (bindparam(name, type_=BigInteger) for name in ("of", "first", "last"))
    if runs:
        for table in (result, detail):
            within = (table.c.series == of, table.c.at >= first * HOUR, table.c.at < last * HOUR)
            opened.execute(delete(table).where(*within), runs)
        within = (hour.c.series == of, hour.c.hour >= first, hour.c.hour < last)
        opened.execute(update(hour).where(*within).values(pruned=True), runs)
    if not opened.execute(update(mark).where(mark.c.name == _MARK).values(at=end * HOUR)).rowcount:
        opened.execute(insert(mark).values(name=_MARK, at=end * HOUR))


def _together(ripe: Sequence[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """Hours that follow each other as one: series, the first hour, and the first that does not belong to it."""
    runs: list[list[int]] = []
    for of, number, _ in ripe:
        if runs and runs[-1][0] == of and runs[-1][2] == number:
            runs[-1][2] += 1
        else:
            runs.append([of, number, number + 1])
    return ((of, first, last) for of, first, last in runs)
