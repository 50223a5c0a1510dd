"""Incidents and what became of them, as they stand in the history."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from reports.history.kept import measurements_in
from reports.history.tables import event, incident, message, message_incident
from reports.requirement import Measurement

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

Kind = Literal["breached", "unverified"]
EventKind = Literal[
    "opened", "joined", "recovered", "grouped", "acknowledged", "late", "told", "resolved", "postmortem"
]
# Of all suites, for PostgreSQL's advisory locks: one of them follows the incidents of a system, the others wait.
_LOCK = 601_944_721
# The outcome of a message that went out.
ACCEPTED = "accepted"


@dataclass(frozen=True)
class Incident:
    """A breach from its confirmation to its recovery, or a requirement that could not be verified for too long.

    Attributes:
        system: its name.
        environment: which deployment of it.
        requirement: the id.
        target: without the system's name.
        kind: "breached", or "unverified".
        severity: "P1" to "P4".
        title: the requirement as the record prints it.
        vantage: from where it was seen.
        began: the first of the results that it was confirmed by, in ms since 1970, as every time here.
        opened: when it was confirmed.
        deadline: until when somebody has to have acknowledged it.
        measurements: what did not hold; of an unverified one, why it could not be told.
        acknowledged: when somebody did; None before.
        owner: who did, as the roster names them.
        recovered: since when it is over; None while it is open.
        resolved: when somebody said what the cause was; None before.
        cause: what it was.
        leader: the number of the incident that it is grouped under; None where it stands alone or leads.
        number: by which people call it; given when it is added.
    """

    system: str
    environment: str
    requirement: str
    target: str
    kind: Kind
    severity: str
    title: str
    vantage: str
    began: int
    opened: int
    deadline: int
    measurements: tuple[Measurement, ...] = ()
    acknowledged: int | None = None
    owner: str | None = None
    recovered: int | None = None
    resolved: int | None = None
    cause: str | None = None
    leader: int | None = None
    number: int = 0

    @property
    def family(self) -> str:
        """The family of its requirement."""
        return self.requirement.rpartition("-")[0]

    @property
    def acknowledged_late(self) -> bool:
        """Whether somebody acknowledged it, but after its deadline."""
        return self.acknowledged is not None and self.acknowledged > self.deadline

    @property
    def needs_postmortem(self) -> bool:
        """Whether it needs one: a P1 that something was breached in, and that was not of another one's making."""
        return self.severity == "P1" and self.kind == "breached" and self.leader is None


@dataclass(frozen=True)
class Event:
    """Something that became of an incident.

    Attributes:
        at: when, in ms since 1970.
        kind: "opened", "joined" (breached again soon after it recovered), "recovered", "grouped", "acknowledged",
            "late" (acknowledged, but after the deadline), "told" (the stakeholders were), "resolved", "postmortem"
            (drafted).
        by: who, as the roster names them; None where the suite did.
        note: in somebody's words; None without any.
    """

    at: int
    kind: EventKind
    by: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Told:
    """An attempt to tell somebody of an incident.

    Attributes:
        at: when, in ms since 1970.
        route: by which route of the system file.
        channel: by which of its channels.
        kind: "opened", "reminder" or "recovered".
        outcome: "accepted", or what came back instead.
        subject: of the message.
    """

    at: int
    route: str
    channel: str
    kind: str
    outcome: str
    subject: str

    @property
    def delivered(self) -> bool:
        """Whether it went out."""
        return self.outcome == ACCEPTED


def hold_still(opened: "Connection", system: str) -> None:
    """Let nobody else follow the incidents of a system until this transaction ends; SQLite has one writer anyway."""
    from sqlalchemy import text

    if opened.dialect.name == "postgresql":
        locked = text("SELECT pg_catalog.pg_advisory_xact_lock(:lock, pg_catalog.hashtext(:system))")
        opened.execute(locked, {"lock": _LOCK, "system": system})


def open_of(opened: "Connection", system: str, environment: str) -> Sequence[Incident]:
    """The incidents of a system that have not recovered, in their order."""
    return _found(opened, incident.c.system == system, incident.c.environment == environment, _is_open())


def unresolved_of(opened: "Connection", system: str, environment: str) -> Sequence[Incident]:
    """The incidents of a system of which nobody has said the cause, open ones among them, in their order."""
    unresolved = incident.c.resolved.is_(None)
    return _found(opened, incident.c.system == system, incident.c.environment == environment, unresolved)


def all_of(opened: "Connection", system: str, environment: str) -> Sequence[Incident]:
    """Every incident of a system, in their order."""
    return _found(opened, incident.c.system == system, incident.c.environment == environment)


def recent_of(opened: "Connection", system: str, environment: str, since: int) -> Sequence[Incident]:
    """The incidents of a system that are open, or recovered since a time (ms), in their order."""
    recent = _is_open() | (incident.c.recovered >= since)
    return _found(opened, incident.c.system == system, incident.c.environment == environment, recent)


def members_of(opened: "Connection", number: int) -> Sequence[Incident]:
    """The incidents that are grouped under one, in their order."""
    return _found(opened, incident.c.leader == number)


def one(opened: "Connection", number: int) -> Incident | None:
    """The incident of a number; None where there is none."""
    return next(iter(_found(opened, incident.c.id == number)), None)


def last_recovered(opened: "Connection", like: Incident) -> Incident | None:
    """The incident of the same kind, system, environment, requirement and target that recovered last."""
    from sqlalchemy import select

    same = ("system", "environment", "requirement", "target", "kind")
    conditions = [incident.c[name] == getattr(like, name) for name in same]
    asked = select(incident).where(*conditions, incident.c.recovered.is_not(None))
    row = opened.execute(asked.order_by(incident.c.recovered.desc()).limit(1)).first()
    return None if row is None else _read(row)


def timeline(opened: "Connection", number: int) -> Sequence[Event]:
    """What became of an incident, in order."""
    from sqlalchemy import select

    asked = select(event).where(event.c.incident == number).order_by(event.c.at, event.c.id)
    return [Event(row.at, row.kind, row.by, row.note) for row in opened.execute(asked)]


def messages_on(opened: "Connection", number: int) -> Sequence[Told]:
    """Every attempt to tell somebody of an incident, in order."""
    from sqlalchemy import select

    asked = (
        select(message)
        .join(message_incident, message_incident.c.message == message.c.id)
        .where(message_incident.c.incident == number)
        .order_by(message.c.at, message.c.id)
    )
    return [Told(row.at, row.route, row.channel, row.kind, row.outcome, row.subject) for row in opened.execute(asked)]


def add(opened: "Connection", new: Incident) -> Incident:
    """Put a new incident on record, with its event "opened".

    Of one system, environment, requirement and target one alone is open: whoever adds it `hold_still` first, and looks.
    """
    from sqlalchemy import insert

    values = {name: value for name, value in vars(new).items() if name not in ("number", "measurements")}
    measurements = json.dumps([vars(each) for each in new.measurements])
    added = insert(incident).values(**values, measurements=measurements).returning(incident.c.id)
    number: int = opened.execute(added).scalar_one()
    note(opened, number, at=new.opened, kind="opened")
    return replace(new, number=number)


def note(
    opened: "Connection", number: int, *, at: int, kind: EventKind, by: str | None = None, note: str | None = None
) -> None:
    """Put on record what became of an incident."""
    from sqlalchemy import insert

    opened.execute(insert(event).values(incident=number, at=at, kind=kind, by=by, note=note))


def acknowledge(opened: "Connection", of: Incident, *, at: int, by: str, said: str | None = None) -> Incident:
    """Somebody acknowledges an incident, and becomes its owner; after its deadline that is told in its timeline."""
    changed = _changed(opened, of, acknowledged=at, owner=by)
    note(opened, of.number, at=at, kind="late" if changed.acknowledged_late else "acknowledged", by=by, note=said)
    return changed


def recover(opened: "Connection", of: Incident, *, at: int, why: str | None = None) -> Incident:
    """An incident is over since some time."""
    note(opened, of.number, at=at, kind="recovered", note=why)
    return _changed(opened, of, recovered=at)


def join(opened: "Connection", of: Incident, *, at: int, again: Incident) -> Incident:
    """An incident that had recovered goes on.

    Args:
        opened: for writing.
        of: the incident.
        at: when that was confirmed.
        again: what it would be if it were a new one: whoever sees it now says when it is over, and what is observed.
    """
    note(opened, of.number, at=at, kind="joined")
    # Nobody owed an answer while it was over: whose time had not run out has all of it again.
    in_time = of.acknowledged is None and of.recovered is not None and of.recovered <= of.deadline
    values = {"vantage": again.vantage, "deadline": again.deadline if in_time else of.deadline}
    observed = json.dumps([vars(each) for each in again.measurements])
    changed = _changed(opened, of, recovered=None, measurements=observed, **values)
    return replace(changed, measurements=again.measurements)


def resolve(opened: "Connection", of: Incident, *, at: int, by: str, cause: str) -> Incident:
    """Somebody says what the cause was."""
    note(opened, of.number, at=at, kind="resolved", by=by, note=cause)
    return _changed(opened, of, resolved=at, cause=cause)


def group(opened: "Connection", of: Incident, *, at: int, under: int | None) -> Incident:
    """An incident is grouped under another one; under None it leads from now on."""
    note(opened, of.number, at=at, kind="grouped", note=None if under is None else str(under))
    return _changed(opened, of, leader=under)


def _changed(opened: "Connection", of: Incident, **values: Any) -> Incident:  # noqa: ANN401 -- each column has its type
    from sqlalchemy import update

    opened.execute(update(incident).where(incident.c.id == of.number).values(values))
    return replace(of, **values)


def _is_open() -> Any:  # noqa: ANN401 -- SQLAlchemy's condition
    return incident.c.recovered.is_(None)


def _found(opened: "Connection", *conditions: Any) -> Sequence[Incident]:  # noqa: ANN401 -- as above
    from sqlalchemy import select

    return [_read(row) for row in opened.execute(select(incident).where(*conditions).order_by(incident.c.id))]


def _read(row: "Row[Any]") -> Incident:
    values = {**row._mapping, "measurements": measurements_in(row.measurements)}  # noqa: SLF001 -- its public name
    return Incident(number=values.pop("id"), **values)
