"""What is asked of the history."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reports.history.kept import CODES, OUTCOMES, Kept, measurements_in
from reports.history.tables import detail, result, run, series
from reports.requirement import Outcome

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

_FIGURES = (result.c.at, result.c.outcome, result.c.observed, result.c.bound)


@dataclass(frozen=True)
class Series:
    """What results are of.

    Attributes:
        system: its name.
        environment: which deployment of it.
        requirement: the id.
        target: without the system's name.
        vantage: from where it is seen.
    """

    system: str
    environment: str
    requirement: str
    target: str
    vantage: str


def last(
    opened: "Connection",
    of: Series,
    *,
    count: int,
    since: int | None = None,
    until: int | None = None,
    outcomes: Sequence[Outcome] = (),
) -> Sequence[Kept]:
    """The newest results of a series, the newest first; none from before `since`, and none from after `until` (ms)."""
    from sqlalchemy import and_, select

    same = and_(detail.c.series == result.c.series, detail.c.at == result.c.at, detail.c.run == result.c.run)
    asked = (
        select(
            series,
            *_FIGURES,
            detail.c.message,
            detail.c.measurements,
            run.c.uuid,
        )
        .select_from(result.join(series, series.c.id == result.c.series).join(run, run.c.id == result.c.run))
        .join(detail, same, isouter=True)
        .where(*(getattr(series.c, name) == value for name, value in vars(of).items()))
        .order_by(result.c.at.desc(), result.c.run.desc())
        .limit(count)
    )
    if since is not None:
        asked = asked.where(result.c.at >= since)
    if until is not None:
        asked = asked.where(result.c.at <= until)
    if outcomes:
        asked = asked.where(result.c.outcome.in_([CODES[each] for each in outcomes]))
    return [
        replace(
            _kept(row),
            message=row.message or "",
            measurements=measurements_in(row.measurements) if row.measurements else (),
        )
        for row in opened.execute(asked)
    ]


def newest_scheduled(
    opened: "Connection", system: str, environment: str, vantage: str, *, until: int
) -> Sequence[Kept]:
    """The newest result of each series that people are alerted to, where a scheduled run found it; without details.

    Args:
        opened: for reading.
        system: its name.
        environment: which deployment of it.
        vantage: from where it is seen.
        until: none from after this, in ms since 1970.
    """
    from sqlalchemy import func, select

    newest = result.alias("newest")
    at = select(func.max(newest.c.at)).where(newest.c.series == series.c.id, newest.c.at <= until)
    asked = (
        select(series, *_FIGURES, run.c.uuid)
        .select_from(series.join(result, result.c.series == series.c.id).join(run, run.c.id == result.c.run))
        .where(result.c.at == at.correlate(series).scalar_subquery())
        .where(series.c.system == system, series.c.environment == environment, series.c.vantage == vantage)
        .where(series.c.paged, run.c.scheduled)
        .order_by(series.c.requirement, series.c.target)
    )
    return [_kept(row) for row in opened.execute(asked)]


def _kept(row: "Row[Any]") -> Kept:
    """A result, its series and its run, without details."""
    return Kept(
        system=row.system,
        requirement=row.requirement,
        target=row.target,
        severity=row.severity,
        title=row.title,
        every=row.every,
        at=row.at,
        outcome=OUTCOMES[row.outcome],
        observed=row.observed,
        bound=row.bound,
        what=row.what,
        unit=row.unit,
        paged=row.paged,
        vantage=row.vantage,
        run=row.uuid,
    )
