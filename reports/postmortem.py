"""The draft of a post-mortem, with the sections that the operations guide asks for: what is known is filled in.

The rest is marked to be completed; INCIDENT-3 finds what still is.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from fixtures.measure.postmortem import file_name
from reports.headlines import headline
from reports.history.kept import milliseconds, moment
from reports.history.store import History
from reports.requirement import Unverified
from reports.wording import Wording

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from reports.history.incidents import Event, Incident, Told

# Whose breaches people feel as the system being down.
DOWN_BY = ("HEALTH-1", "DATABASE-1")
# So long after a recovery its draft is written by whatever run can.
DRAFTED_WITHIN = timedelta(days=1)


@dataclass(frozen=True)
class About:
    """What a post-mortem must know of the system.

    Attributes:
        title: of the system.
        zone: in which its times are told.
        language: in which it is written.
        next_step: what the runbook says to do about a requirement; None where it says nothing.
    """

    title: str
    zone: ZoneInfo
    language: str
    next_step: Callable[[str], str | None]


@dataclass(frozen=True)
class Facts:
    """All that the history knows of an incident.

    Attributes:
        incident: the incident.
        members: those that are grouped under it.
        events: what became of each of them, by its number.
        told: every attempt to tell somebody, of any of them, in order.
        downtime: how long what people feel was down meanwhile, in ms, by requirement and target.
        now: when it was gathered, in ms since 1970.
    """

    incident: "Incident"
    members: Sequence["Incident"]
    events: Mapping[int, Sequence["Event"]]
    told: Sequence["Told"]
    downtime: Mapping[str, int]
    now: int

    @property
    def all(self) -> Sequence["Incident"]:
        """The incident and those grouped under it."""
        return [self.incident, *self.members]


def gathered(opened: "Connection", incident: "Incident", now: datetime) -> Facts:
    """What the history knows of an incident now."""
    from reports.history import incidents
    from reports.history.uptime import accounts

    members = incidents.members_of(opened, incident.number)
    group = [incident, *members]
    messages = {each: None for of in group for each in incidents.messages_on(opened, of.number)}
    begin = min(each.began for each in group)
    end = incident.recovered or milliseconds(now)
    downtime = {
        f"{requirement} {target}": account.measured.down
        for requirement in DOWN_BY
        for target, account in accounts(
            opened,
            incident.system,
            incident.environment,
            requirement,
            vantage=incident.vantage,
            begin=begin,
            end=max(end, begin + 1),
        ).items()
        if account.measured.down
    }
    return Facts(
        incident,
        members,
        {each.number: incidents.timeline(opened, each.number) for each in group},
        sorted(messages, key=lambda each: each.at),
        downtime,
        milliseconds(now),
    )


def path_of(incident: "Incident", *, folder: Path, zone: ZoneInfo) -> Path:
    """Where the post-mortem of an incident lies."""
    return folder / file_name(incident.number, moment(incident.began).astimezone(zone).date())


def write_drafts(
    system: str, environment: str, *, history: History, about: About, folder: Path, now: datetime
) -> Sequence[Path]:
    """Write the drafts of the P1 incidents that recovered within a day and have none yet, whichever run saw that.

    One that lies there already stays as it is.

    Returns:
        Those that were written.

    Raises:
        Unverified: when the history cannot be read, or the folder not written to; the next run tries again.
    """
    from reports.history import incidents

    with history.reading() as opened:
        recent = incidents.recent_of(opened, system, environment, milliseconds(now - DRAFTED_WITHIN))
        due = [
            each
            for each in recent
            if each.recovered is not None
            and each.needs_postmortem
            and not any(event.kind == "postmortem" for event in incidents.timeline(opened, each.number))
        ]
    written = []
    for each in due:
        path = path_of(each, folder=folder, zone=about.zone)
        if path.exists():
            continue
        with history.reading() as opened:
            facts = gathered(opened, each, now)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(draft(facts, about))
        except OSError as error:
            raise Unverified(
                f"writing the post-mortem draft {path}",
                came_back=error.strerror or "unwritable",
                remedy="Let this account write to the folder of [incidents] postmortems; then: "
                f"python -m reports incidents postmortem {each.number} -o FILE",
            ) from None
        with history.writing() as opened:
            incidents.note(opened, each.number, at=facts.now, kind="postmortem", note=path.name)
        written.append(path)
    return written


def draft(facts: Facts, about: About) -> str:
    """The draft, as Markdown in the system's language."""
    return "\n".join(_Draft(facts, about).lines()) + "\n"


class _Draft:
    """One draft, section by section."""

    def __init__(self, facts: Facts, about: About) -> None:
        self._facts = facts
        self._incident = facts.incident
        self._about = about
        self._words = Wording(about.language)

    def lines(self) -> Iterator[str]:
        words = self._words
        yield f"# {words('Post-mortem')}: {self._headline(self._incident)} ({self._incident.target})"
        yield ""
        yield f"**{words('Date')}**: {self._local(self._incident.began):%Y-%m-%d}"
        yield f"**{words('Severity')}**: {self._incident.severity}"
        yield f"**{words('Duration')}**: {self._duration()}"
        yield f"**{words('Incident')}**: {self._incident.number}, {self._about.title}"
        sections = {
            words("Summary"): self._summary(),
            words("Impact"): self._impact(),
            words("Timeline"): self._timeline(),
            words("Root cause"): self._cause(),
            words("Solution"): self._solution(),
            words("Preventive actions"): self._actions(),
            words("Lessons learned"): self._lessons(),
        }
        for title, lines in sections.items():
            yield from ("", f"## {title}", "")
            yield from lines

    def _summary(self) -> Iterator[str]:
        words, others = self._words, self._facts.members
        yield words(
            "{system}: {headline} ({requirement}, {target}), from {begin} to {end}.",
            system=self._about.title,
            headline=words(headline(self._incident.requirement, self._incident.title)),
            requirement=self._incident.requirement,
            target=self._incident.target,
            begin=self._moment(self._incident.began),
            end=self._until(self._incident),
        )
        if others:
            yield words("Grouped with it: {count} more.", count=len(others))
        yield ""
        yield self._fill(words("what happened, in two or three sentences"))

    def _impact(self) -> Iterator[str]:
        words = self._words
        yield f"- {words('Affected users')}: {self._fill(words('who, and how many'))}"
        down = [f"{self._time(ms)} ({of})" for of, ms in self._facts.downtime.items()]
        yield f"- {words('Downtime')}: {words.listed(down) if down else words('none on record')}"
        yield f"- {words('Affected functions')}: {self._fill(words('what people could not do'))}"
        yield f"- {words('Affected requirements')}:"
        for each in self._facts.all:
            yield f"    - {each.requirement} {each.target} ({each.severity}): {words(each.title)}"
            for measured in each.measurements:
                observed = f"{words.said(measured.what)}: {_line(words.observed(measured))}"
                limit = words.limit(measured)
                yield f"        - {observed}" + (f" ({words('limit')}: {_line(limit)})" if limit else "")

    def _timeline(self) -> Iterator[str]:
        for at, said in sorted(self._happened(), key=lambda each: each[0]):
            yield f"- {self._clock(at)} - {said}"
        yield f"- {self._fill(self._words('HH:MM - root cause identified'))}"
        yield f"- {self._fill(self._words('HH:MM - fix applied'))}"

    def _happened(self) -> Iterator[tuple[int, str]]:
        words = self._words
        for each in self._facts.all:
            name = f"{each.requirement} {each.target}"
            yield each.began, words("First breached result: {name}", name=name)
            for event in self._facts.events[each.number]:
                if (said := self._said(each, event)) is not None:
                    yield event.at, said
        for told in self._facts.told:
            how = words("Team notified by {channel}", channel=told.channel)
            failed = words("Not notified by {channel}: {outcome}", channel=told.channel, outcome=_line(told.outcome))
            yield told.at, how if told.delivered else failed

    def _said(self, of: "Incident", event: "Event") -> str | None:
        words = self._words
        name = f"{of.requirement} {of.target}"
        number, by, late = of.number, event.by, self._time(max(event.at - of.deadline, 0))
        said = {
            "opened": words("Incident {number} detected: {name}", number=number, name=name),
            "joined": words("Breached again: {name}", name=name),
            "recovered": words("Restored: {name}", name=name),
            "acknowledged": words("Incident {number} acknowledged in time, by {by}", number=number, by=by),
            "late": words("Incident {number} acknowledged by {by}, {late} late", number=number, by=by, late=late),
            "told": words("Stakeholders told, by {by}", by=by),
            "resolved": words("Resolved, by {by}", by=by),
        }.get(event.kind)
        if not said or not event.note:
            return said
        # What people wrote stays as they wrote it.
        ours = event.by is None or event.note.startswith("grouped under ")
        return f"{said}: {_line(words.said(event.note) if ours else event.note)}"

    def _cause(self) -> Iterator[str]:
        cause = self._incident.cause
        yield _line(cause) if cause else self._fill(self._words("what it was, technically"))

    def _solution(self) -> Iterator[str]:
        steps = {each.requirement: self._about.next_step(each.requirement) for each in self._facts.all}
        said = [f"- {requirement}: {_line(step)}" for requirement, step in steps.items() if step]
        if said:
            yield self._words("What the runbook says to do:")
            yield ""
            yield from said
            yield ""
        yield self._fill(self._words("how it was resolved"))

    def _actions(self) -> Iterator[str]:
        yield f"- [ ] {self._fill(self._words('action (due YYYY-MM-DD, who is responsible)'))}"

    def _lessons(self) -> Iterator[str]:
        yield self._fill(self._words("what we learned"))

    def _headline(self, of: "Incident") -> str:
        said = self._words(headline(of.requirement, of.title))
        return said[:1].upper() + said[1:]

    def _fill(self, what: str) -> str:
        return f"_{self._words('To be completed')}: {what}_"

    def _duration(self) -> str:
        if self._incident.recovered is None:
            lasted = self._time(self._facts.now - self._incident.began)
            return self._words("{duration} so far", duration=lasted)
        return self._time(self._incident.recovered - self._incident.began)

    def _until(self, of: "Incident") -> str:
        return self._words("now (not over)") if of.recovered is None else self._moment(of.recovered)

    def _time(self, ms: int) -> str:
        return self._words.duration(timedelta(milliseconds=ms))

    def _moment(self, at: int) -> str:
        return self._words.moment(moment(at), self._about.zone)

    def _clock(self, at: int) -> str:
        same_day = self._local(at).date() == self._local(self._incident.began).date()
        return f"{self._local(at):%H:%M}" if same_day else self._moment(at)

    def _local(self, at: int) -> datetime:
        return moment(at).astimezone(self._about.zone)


def _line(text: str) -> str:
    """A text of somebody's in one line, so that it makes no heading and no list of its own."""
    return " ".join(text.split())
