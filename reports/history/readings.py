"""What checks ask of the history: all that is on record of a system, and who else has looked at it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.history.tables import result, series

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True)
class Newest:
    """When there was a result last.

    Attributes:
        requirement: the id.
        target: without the system's name.
        at: in ms since 1970.
    """

    requirement: str
    target: str
    at: int


def newest(opened: "Connection", system: str, environment: str, vantage: str, *, until: int) -> Sequence[Newest]:
    """The newest result of each series of a system, as seen from one vantage point; none from after `until` (ms)."""
    from sqlalchemy import func, select

    of_it = (result.c.series == series.c.id, result.c.at <= until)
    last = select(func.max(result.c.at)).where(*of_it).scalar_subquery()
    seen = {"system": system, "environment": environment, "vantage": vantage}
    asked = (
        select(series.c.requirement, series.c.target, last.label("at"))
        .where(*(series.c[name] == value for name, value in seen.items()))
        .order_by(series.c.requirement, series.c.target)
    )
    return [Newest(**row) for row in opened.execute(asked).mappings() if row["at"] is not None]


def vantages(opened: "Connection", system: str, environment: str, requirement: str, target: str) -> Sequence[str]:
    """The vantage points from which there are results of a requirement on a target."""
    from sqlalchemy import select

    named = {"system": system, "environment": environment, "requirement": requirement, "target": target}
    asked = select(series.c.vantage).where(*(series.c[name] == value for name, value in named.items()))
    return opened.execute(asked.order_by(series.c.vantage)).scalars().all()
