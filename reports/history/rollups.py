"""Roll-ups: what each hour of a series came to, so that a month of a thousand targets is read at once.

Hours are rolled up once they are over, and made anew where results come into them later. Requirements that are due
once a day, or more seldom, are not rolled up: their results are few.
"""

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, and_, case, delete, exists, func, insert, literal, select, tuple_, union_all, update

from reports.history.holding import DAY, DOWN, HOUR, UP, greatest, held, hold, hour_of, least, time_in
from reports.history.tables import hour, late, series
from reports.history.writing import without_writers

if TYPE_CHECKING:
    from sqlalchemy import CTE, Connection, Select

    from reports.history.store import History

# How long after its end an hour is rolled up: what a run judged in it is mostly on record then. In ms.
MARGIN = HOUR // 4
# How much is rolled up in one transaction, which others have to wait for: hours of single series, in ms.
_AT_ONCE = 6000 * HOUR


def roll(history: "History", now: int) -> None:
    """Roll up what hours are over, and make those anew that results came into late.

    Args:
        history: whose.
        now: in ms.

    Raises:
        Unverified: when it cannot be written; what is rolled up by then stays.
    """
    settled = (now - MARGIN) // HOUR * HOUR
    while _to_do(history, settled):
        with history.writing() as opened:
            without_writers(opened)
            _make_late_ones(opened)
            _go_on(opened, settled)


def _unfinished(settled: int) -> "Select[Any, Any]":
    """The time that those series are at which are furthest behind, and how many are behind at all."""
    return select(func.min(series.c.rolled), func.count()).where(series.c.every < DAY, series.c.rolled < settled)


def _to_do(history: "History", settled: int) -> bool:
    with history.reading() as opened:
        waiting = opened.execute(select(late.c.series).limit(1)).first()
        return waiting is not None or opened.execute(_unfinished(settled)).scalar() is not None


def _go_on(opened: "Connection", settled: int) -> None:
    """Roll up the next hours of the series that are furthest behind."""
    begin, count = opened.execute(_unfinished(settled)).one()
    if begin is None:
        return
    until = min(begin + max(1, _AT_ONCE // HOUR // count) * HOUR, settled)
    behind = (series.c.every < DAY, series.c.rolled < until)
    spans = select(
        series.c.id.label("series"),
        literal(0).label("kind"),
        series.c.rolled.label("first"),
        literal(until).label("last"),
    ).where(*behind)
    _make(opened, spans.cte("spans"))
    opened.execute(update(series).where(*behind).values(rolled=until))


def _make_late_ones(opened: "Connection") -> None:
    reach = (hold + HOUR - 1) // literal(HOUR)
    earlier = hour.alias("earlier")
    needed = (earlier.c.series == late.c.series, earlier.c.hour >= late.c.hour - reach, earlier.c.hour <= late.c.hour)
    # What an hour came to is known better by its roll-up than by the results that are left.
    gone = exists().where(*needed, earlier.c.pruned).correlate(late, series)
    opened.execute(
        delete(late).where(
            tuple_(late.c.series, late.c.hour).in_(
                select(late.c.series, late.c.hour).join(series, series.c.id == late.c.series).where(gone)
            )
        )
    )
    opened.execute(delete(hour).where(tuple_(hour.c.series, hour.c.hour).in_(select(late.c.series, late.c.hour))))
    in_ms = literal(HOUR, BigInteger)
    spans = select(
        late.c.series,
        literal(0).label("kind"),
        (late.c.hour * in_ms).label("first"),
        ((late.c.hour + 1) * in_ms).label("last"),
    )
    _make(opened, spans.cte("spans"))
    opened.execute(delete(late))


def _make(opened: "Connection", spans: "CTE") -> None:
    """Roll up the hours within spans, which begin and end with hours."""
    most = opened.execute(select(func.coalesce(func.max(hold), 0))).scalar_one()
    results = held(opened, spans)
    begun = hour_of(results.c.begin)
    border = (begun + 1) * HOUR
    own = case((results.c.at >= results.c.first, 1), else_=0)
    figure = case((results.c.at >= results.c.first, results.c.observed))
    first_parts = select(
        results.c.series,
        begun.label("hour"),
        results.c.outcome,
        results.c.begin,
        least(results.c.finish, border).label("finish"),
        own.label("own"),
        figure.label("figure"),
    ).where((results.c.finish > results.c.begin) | (results.c.at >= results.c.first))
    # Few results hold into a further hour, so that the join is short.
    step = select(literal(1).label("step")).cte("step", recursive=True)
    step = step.union_all(select(step.c.step + 1).where(step.c.step <= most // HOUR))
    border = (begun + step.c.step) * HOUR
    further_parts = select(
        results.c.series,
        (begun + step.c.step).label("hour"),
        results.c.outcome,
        greatest(results.c.begin, border).label("begin"),
        least(results.c.finish, border + HOUR).label("finish"),
        literal(0).label("own"),
        literal(None, figure.type).label("figure"),
    ).select_from(results.join(step, and_(results.c.finish > (begun + 1) * HOUR, results.c.finish > border)))
    part = union_all(first_parts, further_parts).cte("part")
    made = select(
        part.c.series,
        part.c.hour,
        time_in(UP, part),
        time_in(DOWN, part),
        func.sum(part.c.own),
        func.count(part.c.figure),
        func.sum(part.c.figure),
        func.min(part.c.figure),
        func.max(part.c.figure),
        literal(value=False),
    ).group_by(part.c.series, part.c.hour)
    columns = [each.name for each in hour.c]
    opened.execute(insert(hour).from_select(columns, made))
