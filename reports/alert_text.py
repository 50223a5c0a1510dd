"""What an alert says: a subject that a phone shows, and all that is known below it, in the system's language."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from reports.headlines import headline
from reports.history.incidents import Incident
from reports.history.kept import moment
from reports.history.notices import Kind
from reports.lifecycle import MINUTE, gravity
from reports.postmortem import About
from reports.requirement import Measurement
from reports.wording import Wording

# Of one kind; the others are counted. So are measurements of one incident.
MOST_TOLD = 20
MOST_MEASURED = 3
# Of what was observed, which may be a list of thousands; the record has all of it.
MOST_LETTERS = 300
# The first is what a message is about.
ORDER: Sequence[Kind] = ("opened", "joined", "reminder", "recovered")
# Targets that name nothing beside the system itself.
_NAMELESS = ("system", "-", "")


@dataclass(frozen=True)
class News:
    """Something to tell of an incident.

    Attributes:
        incident: the incident.
        kind: what became of it.
        at: when, in ms since 1970.
        why: why it is over, where it did not simply pass; empty otherwise.
        first: whether nobody was told of it before, although it is over.
    """

    incident: Incident
    kind: Kind
    at: int
    why: str = ""
    first: bool = False


@dataclass(frozen=True)
class Letter:
    """What one message says.

    Attributes:
        about: the system.
        news: at least one.
        on_call: who can be called now; None where no roles are declared for it.
        now: in ms since 1970.
    """

    about: About
    news: Sequence[News]
    on_call: Sequence[str] | None
    now: int

    @property
    def kind(self) -> Kind:
        """What the message is about."""
        return self._in_order[0].kind

    @property
    def subject(self) -> str:
        """It in one line: severity, system, what is wrong, the incident's number."""
        first, words = self._in_order[0], self._words
        incident, more = first.incident, len(self.news) - 1
        number = words("incident {number}", number=incident.number) if incident.number else words("without history")
        said = {
            "severity": incident.severity,
            # The title up to its comma: what stands behind says where it is, and a phone shows little.
            "system": self.about.title.partition(",")[0],
            "what": self._what(incident),
            "which": words("{number} and {count} more", number=number, count=more) if more else number,
        }
        match first.kind:
            case "opened":
                return words("[{severity}] {system}: {what} ({which})", **said)
            case "joined":
                return words("[{severity}] {system}: again, {what} ({which})", **said)
            case "reminder":
                return words("[{severity}] {system}: still {what} ({which})", **said)
        lasted = self._time(first.at - incident.began)
        return words("[recovered] {system}: {what}, lasted {time} ({which})", **said, time=lasted)

    @property
    def body(self) -> str:
        """Everything else, as plain text."""
        return "\n".join(self._lines())

    @property
    def _words(self) -> Wording:
        return Wording(self.about.language)

    @property
    def _in_order(self) -> Sequence[News]:
        return sorted(self.news, key=lambda each: (ORDER.index(each.kind), gravity(each.incident)))

    def _lines(self) -> Iterator[str]:
        words, told = self._words, {each.incident.number for each in self.news if each.kind != "recovered"}
        under = [each for each in self._in_order if each.kind != "recovered" and each.incident.leader in told]
        alone = [each for each in self._in_order if each not in under]
        if 0 in told:
            yield words(
                "The history of results cannot be reached: this is what this run saw, confirmed by nothing else."
            )
            yield ""
        for each in alone[:MOST_TOLD]:
            yield from self._block(each, [one for one in under if one.incident.leader == each.incident.number])
            yield ""
        if len(alone) > MOST_TOLD:
            yield words("And {count} more: python -m reports incidents", count=len(alone) - MOST_TOLD)
            yield ""
        if self.on_call is not None and told:
            people = words.listed(self.on_call) if self.on_call else words("nobody whom the roster names")
            yield words("On call now: {people}", people=people)
        yield f"Constancia, {self.about.title}"

    def _block(self, news: News, members: Sequence[News]) -> Iterator[str]:
        incident, words = news.incident, self._words
        yield self._headline(news)
        named = words("Incident {number}", number=incident.number) if incident.number else words("Without history")
        yield f"{named}, {incident.severity}, {incident.requirement}"
        yield words("Required: {title}", title=words(incident.title))
        yield from self._recovered(news) if news.kind == "recovered" else self._open(news)
        if members:
            yield words("Together with it:")
        for each in members[:MOST_TOLD]:
            one = each.incident
            yield f"- {one.number}, {one.severity}, {one.requirement} {one.target}: {self._what(one)}"
        if len(members) > MOST_TOLD:
            yield "- " + words("and {count} more", count=len(members) - MOST_TOLD)

    def _headline(self, news: News) -> str:
        words, what, target = self._words, self._what(news.incident), news.incident.target
        named = what if target in _NAMELESS else f"{what}: {target}"
        match news.kind:
            case "joined":
                named = words("again, {what}", what=named)
            case "reminder":
                named = words("still {what}", what=named)
            case "recovered":
                named = words("recovered: {what}", what=named)
        return named[:1].upper() + named[1:]

    def _what(self, incident: Incident) -> str:
        if incident.kind == "unverified":
            return self._words("{requirement} cannot be verified", requirement=incident.requirement)
        return self._words(headline(incident.requirement, incident.title))

    def _open(self, news: News) -> Iterator[str]:
        incident, words = news.incident, self._words
        began = news.at if news.kind == "joined" else incident.began
        since = self._moment(began)
        if self.now - began >= MINUTE:
            since = words("{moment} ({time} ago)", moment=since, time=self._time(self.now - began))
        if incident.kind == "unverified":
            yield words("Not to be verified since {since}", since=since)
        else:
            yield words("Since {since}", since=since)
        for each in incident.measurements[:MOST_MEASURED]:
            yield self._measured(each)
        if len(incident.measurements) > MOST_MEASURED:
            yield words("and {count} more", count=len(incident.measurements) - MOST_MEASURED)
        step = self.about.next_step(incident.requirement)
        if step:
            yield words("Next step: {step}", step=step)
        if incident.leader:
            yield words("It belongs to incident {number}.", number=incident.leader)
        if incident.acknowledged is not None:
            yield words("Acknowledged by {owner}.", owner=incident.owner or "")
        elif incident.number:
            command = f'python -m reports incidents acknowledge {incident.number} --by "..."'
            by = {"moment": self._moment(incident.deadline), "command": command}
            late = self.now > incident.deadline
            yield (
                words("It was to be acknowledged by {moment}: {command}", **by)
                if late
                else words("Acknowledge it by {moment}: {command}", **by)
            )

    def _recovered(self, news: News) -> Iterator[str]:
        words = self._words
        span = {"begin": self._moment(news.incident.began), "end": self._moment(news.at)}
        yield words("It lasted {time}, from {begin} to {end}.", time=self._time(news.at - news.incident.began), **span)
        if news.why:
            yield words("It is over because: {why}.", why=words(news.why))
        if news.first:
            yield words("There was no message of it before this one.")

    def _measured(self, measurement: Measurement) -> str:
        words = self._words
        what = words.said(measurement.what)
        named = f"{what}, {measurement.subject}" if measurement.subject else what
        observed = words.observed(measurement)
        shown = observed if len(observed) <= MOST_LETTERS else f"{observed[:MOST_LETTERS]}..."
        said = {"what": named, "observed": shown, "limit": words.limit(measurement)}
        if not said["limit"]:
            return words("Observed: {what}: {observed}", **said)
        return words("Observed: {what}: {observed} (limit: {limit})", **said)

    def _moment(self, at: int) -> str:
        return self._words.moment(moment(at), self.about.zone)

    def _time(self, ms: int) -> str:
        return self._words.duration(timedelta(milliseconds=ms))
