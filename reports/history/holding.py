"""How long each result holds, in SQL: what roll-ups and what is read of uptime are both made of.

The same rule as `fixtures.measure.uptime`: a result holds until the next one of its series, at most twice as long as
the requirement is due. A test compares the two.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, ColumnElement, and_, case, cast, func, literal, or_, select, true

from reports.history.kept import CODES, HOLDS_FOR
from reports.history.tables import result, series
from reports.requirement import Outcome

if TYPE_CHECKING:
    from sqlalchemy import CTE, Connection, FromClause

# In ms.
HOUR = 3_600_000
DAY = 24 * HOUR
UP = (CODES[Outcome.PASSED],)
DOWN = (CODES[Outcome.BREACHED], CODES[Outcome.WAIVED])
_Number = ColumnElement[Any]

hold: _Number = HOLDS_FOR * series.c.every


def touched(at: int, *, every: int, rolled: int) -> Iterable[int]:
    """The hours before `rolled` that a result changes, if it comes only now.

    Args:
        at: when it was judged, in ms.
        every: how often its requirement is due, in ms.
        rolled: until when its series is rolled up, in ms.
    """
    return range(at // HOUR, min(at + HOLDS_FOR * every, rolled - 1) // HOUR + 1) if at < rolled else ()


def least(one: _Number, other: _Number) -> _Number:
    """The smaller of two numbers; the databases have no common name for it."""
    return case((one < other, one), else_=other)


def greatest(one: _Number, other: _Number) -> _Number:
    """The greater of two numbers."""
    return case((one > other, one), else_=other)


def time_in(state: tuple[int, ...], of: "FromClause") -> _Number:
    """How long `of`, rows of `held` or pieces of them, says this, in ms."""
    length = func.sum(case((of.c.outcome.in_(state), of.c.finish - of.c.begin), else_=0))
    # PostgreSQL adds up to a numeric, with which nothing exact can be reckoned here.
    return func.coalesce(cast(length, BigInteger), 0)


def of_one_state(hours: "FromClause") -> ColumnElement[bool]:
    """Whether a series said one thing throughout an hour that is rolled up: such an hour can be cut anywhere."""
    return or_(hours.c.up == HOUR, hours.c.down == HOUR, hours.c.up + hours.c.down == 0)


def held(opened: "Connection", spans: "FromClause") -> "CTE":
    """What results say within spans of time.

    Args:
        opened: where this is asked.
        spans: `series`, `first`, `last` (the first ms after it), and `kind`, which tells spans of one series apart
            that begin together.

    Returns:
        Of each result within a span, and of those before it that may hold into it: the columns of its span, `at`,
        `outcome`, `observed`, and from when to when it holds there (`begin`, `finish`); nowhere where `finish` is not
        later. All of them are empty of a span that no result lies in.
    """
    within = and_(
        result.c.series == spans.c.series,
        result.c.at >= spans.c.first - hold,
        result.c.at < spans.c.last,
    )
    # Each database has its own way to be told that it shall look up the results of each span: it would read all that
    # there are otherwise. SQLite keeps to the order of an outer join, PostgreSQL does what is lateral one by one.
    found: FromClause = result
    on = within
    if opened.dialect.name == "postgresql":
        found, on = select(result).where(within).offset(0).lateral("found"), true()
    following = func.lead(found.c.at).over(
        partition_by=(spans.c.series, spans.c.kind, spans.c.first), order_by=(found.c.at, found.c.run)
    )
    looked = (
        select(*spans.c, found.c.at, found.c.outcome, found.c.observed, hold.label("hold"))
        .add_columns(func.coalesce(following, spans.c.last).label("following"))
        .select_from(spans.join(series, series.c.id == spans.c.series).join(found, on, isouter=True))
        .cte("looked")
    )
    finish = least(least(looked.c.at + looked.c.hold, looked.c.following), looked.c.last)
    return select(
        *(looked.c[each.name] for each in spans.c),
        looked.c.at,
        looked.c.outcome,
        looked.c.observed,
        greatest(looked.c.at, looked.c.first).label("begin"),
        finish.label("finish"),
    ).cte("held")


def hour_of(moment: _Number) -> _Number:
    """The hour that a time lies in, since 1970."""
    return moment // literal(HOUR)
