"""Incidents as a terminal shows them: a line each, or one with all that is known of it."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from fixtures.measure.units import shown_duration
from reports.history.kept import milliseconds, moment
from reports.postmortem import Facts

if TYPE_CHECKING:
    from reports.history.incidents import Event, Incident


def in_one_line(incident: "Incident", *, zone: ZoneInfo, now: datetime) -> str:
    """What an incident is, since when, and whether somebody answers it."""
    under = f", grouped under {incident.leader}" if incident.leader else ""
    return (
        f"{incident.number:>5}  {incident.severity}  {incident.system}: {incident.requirement} {incident.target}, "
        f"{state(incident, zone=zone, now=now)}; {answer(incident, zone=zone, now=now)}{under}"
    )


def state(incident: "Incident", *, zone: ZoneInfo, now: datetime) -> str:
    """Since when it is breached or unverified, and until when it was."""
    until = milliseconds(now) if incident.recovered is None else incident.recovered
    lasted = shown_duration(max(until - incident.began, 0) / 1000)
    begin = f"{incident.kind} from {_local(incident.began, zone)}"
    if incident.recovered is None:
        return f"{begin}, for {lasted} so far"
    return f"{begin} to {_local(incident.recovered, zone)}, for {lasted}"


def answer(incident: "Incident", *, zone: ZoneInfo, now: datetime) -> str:
    """Who answers it, or until when somebody has to."""
    if incident.resolved is not None:
        return f"resolved {_local(incident.resolved, zone)}: {incident.cause}"
    if incident.acknowledged is not None:
        late = " (late)" if incident.acknowledged_late else ""
        return f"acknowledged {_local(incident.acknowledged, zone)} by {incident.owner}{late}"
    if incident.deadline < milliseconds(now):
        return f"NOT ACKNOWLEDGED, due {_local(incident.deadline, zone)}"
    return f"to be acknowledged until {_local(incident.deadline, zone)}"


def page(facts: Facts, *, zone: ZoneInfo, now: datetime) -> str:
    """All that is known of an incident, with the times of a zone."""
    return "\n".join(_lines(facts, zone, now))


def _lines(facts: Facts, zone: ZoneInfo, now: datetime) -> Iterator[str]:
    of = facts.incident
    yield f"incident {of.number}, {of.severity}: {of.requirement} {of.target} of {of.system} ({of.environment})"
    yield f"  {of.title}"
    yield f"  {state(of, zone=zone, now=now)}, as seen from {of.vantage}"
    yield f"  {answer(of, zone=zone, now=now)}"
    if of.leader is not None:
        yield f"  grouped under incident {of.leader}"
    for measured in of.measurements:
        subject = f", {measured.subject}" if measured.subject else ""
        limit = f" (limit: {measured.limit_text})" if measured.comparison else ""
        yield f"  {measured.what}{subject}: {measured.observed_text}{limit}"
    yield from _section("grouped under it", (in_one_line(each, zone=zone, now=now) for each in facts.members))
    events = facts.events[of.number]
    yield from _section("timeline", (_event(each, zone) for each in events))
    told = (f"{_local(each.at, zone)}  {each.kind} by {each.channel}: {each.outcome}" for each in facts.told)
    yield from _section("messages", told)


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield f"{title}:"
        yield from (f"  {each}" for each in found)


def _event(event: "Event", zone: ZoneInfo) -> str:
    what = {
        "grouped": f"grouped under {event.note}" if event.note else "leads its group",
        "joined": "breached again",
        "late": "acknowledged late",
        "told": "stakeholders told",
        "postmortem": "post-mortem drafted",
    }.get(event.kind, event.kind)
    by = f" by {event.by}" if event.by else ""
    note = f": {event.note}" if event.note and event.kind != "grouped" else ""
    return f"{_local(event.at, zone)}  {what}{by}{note}"


def _local(at: int, zone: ZoneInfo) -> str:
    return f"{moment(at).astimezone(zone):%Y-%m-%d %H:%M}"
