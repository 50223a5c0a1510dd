"""What routes told of incidents, and what they are about to: rows of the history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from reports.history.dialects import insert
from reports.history.incidents import Event
from reports.history.tables import event, message, message_incident, notice

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from reports.history.incidents import Incident

Kind = Literal["opened", "joined", "recovered", "reminder"]
# The events of an incident that a route tells of.
TURNS: Sequence[Kind] = ("opened", "joined", "recovered")


@dataclass(frozen=True)
class Notice:
    """That a route tells of an incident.

    Attributes:
        incident: its number.
        route: the route's name.
        kind: what is told: "opened", "joined" (breached again soon after it recovered), "recovered", "reminder".
        occasion: when that happened, in ms since 1970; of a reminder, when the route last told of the incident.
    """

    incident: int
    route: str
    kind: Kind
    occasion: int


@dataclass(frozen=True)
class Attempt:
    """An attempt to tell somebody.

    Attributes:
        at: when, in ms since 1970.
        channel: by which channel.
        outcome: "accepted", or what came back instead.
    """

    at: int
    channel: str
    outcome: str


@dataclass(frozen=True)
class Message:
    """What is told at once, by one route in one run.

    Attributes:
        system: its name.
        environment: which deployment of it.
        route: the route's name.
        kind: of the gravest thing that it tells.
        subject: in one line; what stands below it names people on call, and is kept nowhere.
    """

    system: str
    environment: str
    route: str
    kind: str
    subject: str


def turns_of(opened: "Connection", incidents: "Sequence[Incident]") -> Mapping[int, Sequence[Event]]:
    """When incidents opened, were joined and recovered, as that was put on record, by their numbers.

    Not by its times: what one run opened as it ended another one may have seen pass before that, and clocks are set.
    """
    from sqlalchemy import select

    asked = (
        select(event)
        .where(event.c.incident.in_([each.number for each in incidents]), event.c.kind.in_(TURNS))
        .order_by(event.c.id)
    )
    found: dict[int, list[Event]] = {each.number: [] for each in incidents}
    for row in opened.execute(asked):
        found[row.incident].append(Event(row.at, row.kind, row.by, row.note))
    return found


def told(opened: "Connection", incidents: "Sequence[Incident]") -> Sequence[tuple[Notice, int]]:
    """What routes told of incidents, each with when, in ms since 1970; in that order."""
    from sqlalchemy import select

    numbers = [each.number for each in incidents]
    asked = select(notice).where(notice.c.incident.in_(numbers), notice.c.told.is_not(None))
    rows = opened.execute(asked.order_by(notice.c.told, notice.c.id))
    return [(Notice(row.incident, row.route, row.kind, row.occasion), row.told) for row in rows]


def claim(opened: "Connection", owed: Sequence[Notice], *, run: str, now: int, until: int) -> Sequence[Notice]:
    """Those of the notices that this run is to tell: not told yet, and claimed by no run whose claim holds.

    Args:
        opened: for writing.
        owed: what is to be told.
        run: the uuid of this run.
        now: in ms since 1970.
        until: when the claim lapses, likewise.
    """
    from sqlalchemy import or_, update

    # In one order, lest two runs wait for each other.
    in_order = sorted(owed, key=lambda each: (each.incident, each.route, each.kind, each.occasion))
    if in_order:
        opened.execute(insert(opened, notice).on_conflict_do_nothing(), [vars(each) for each in in_order])
    # A claim from beyond its longest time was made by a clock that was ahead.
    free = or_(notice.c.until.is_(None), notice.c.until <= now, notice.c.until > now + 2 * (until - now))
    return [
        each
        for each in in_order
        if opened.execute(
            update(notice).where(*_is(each), notice.c.told.is_(None), free).values(run=run, until=until)
        ).rowcount
    ]


def give_back(opened: "Connection", claimed: Sequence[Notice]) -> None:
    """Let any run tell them, because this one could not."""
    from sqlalchemy import update

    for each in claimed:
        opened.execute(update(notice).where(*_is(each), notice.c.told.is_(None)).values(run=None, until=None))


def settle(opened: "Connection", claimed: Sequence[Notice], *, at: int, number: int) -> None:
    """Put on record that they were told, when, and in which message."""
    from sqlalchemy import update

    for each in claimed:
        opened.execute(update(notice).where(*_is(each)).values(told=at, message=number, until=None))


def attempted(opened: "Connection", of: Message, attempt: Attempt, incidents: Sequence[int]) -> int:
    """Put an attempt on record, with the incidents that it was about; its number."""
    row = insert(opened, message).values(**vars(of), **vars(attempt)).returning(message.c.id)
    number: int = opened.execute(row).scalar_one()
    if incidents:
        opened.execute(insert(opened, message_incident), [{"message": number, "incident": each} for each in incidents])
    return number


def _is(each: Notice) -> "list[Any]":
    return [notice.c[name] == value for name, value in vars(each).items()]
