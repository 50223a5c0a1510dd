"""Alerts: what routes owe of the incidents of a system, told once, by the first of their channels that takes it.

What is owed is read from the history, never from what one run happens to know: so the next run tells what a killed one
could not, and of two runs at once one claims it before it sends. A run that is killed between sending and writing that
down is the one case in which something is told twice; the other way round it would not be told at all.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from reports.alert_text import Letter, News
from reports.history.kept import milliseconds
from reports.history.store import History
from reports.postmortem import About
from reports.redaction import Redactor
from reports.requirement import Unverified
from reports.wording import Wording

if TYPE_CHECKING:
    from reports.history.incidents import Event, Incident
    from reports.history.notices import Attempt, Kind, Message, Notice

ACCEPTED = "accepted"
# Of an incident that recovered before anybody was told this long is remembered: longer than any quiet hours.
REMEMBERED = timedelta(days=1)
# For the beginning of the programs that send, and for writing down what came of it.
MARGIN = timedelta(seconds=60)
BEGINNING = timedelta(seconds=15)
MOST_AT_ONCE = 8
_MS = timedelta(milliseconds=1)


class Channel(Protocol):
    """One way by which messages go out."""

    @property
    def name(self) -> str:
        """As it is declared."""

    @property
    def seconds(self) -> float:
        """How long it may take to accept a message."""

    def send(self, title: str, text: str) -> str:
        """What came of a message: "accepted", or what came back instead. Raises Unverified by a fault of ours."""


class Route(Protocol):
    """Who is alerted to what."""

    @property
    def name(self) -> str:
        """As it is declared."""

    @property
    def channels(self) -> Sequence[Channel]:
        """In the order in which they are tried."""

    @property
    def remind(self) -> timedelta | None:
        """How often it reminds; None for never."""

    def takes(self, severity: str, requirement: str) -> bool:
        """Whether incidents of a severity and a requirement go out by it."""

    def holds_back(self, severity: str, at: datetime) -> bool:
        """Whether a message of a severity waits at an aware moment."""

    def on_call(self, at: datetime) -> Sequence[str] | None:
        """Who can be called then; None where no roles are declared. Raises Unverified when that cannot be known."""


@dataclass(frozen=True)
class Watched:
    """The system whose incidents are told.

    Attributes:
        name: of the system.
        environment: which deployment of it.
        about: what is told of it.
        routes: by which its incidents go out.
        silent: whether maintenance is declared at a moment.
    """

    name: str
    environment: str
    about: About
    routes: Sequence[Route]
    silent: Callable[[datetime], bool]


@dataclass(frozen=True)
class Delivery:
    """What became of one message.

    Attributes:
        message: as it was sent, or would have been.
        attempts: one for each channel that was tried.
        incidents: their numbers; empty where there is no history.
    """

    message: "Message"
    attempts: "tuple[Attempt, ...]"
    incidents: tuple[int, ...]

    @property
    def accepted(self) -> bool:
        """Whether a channel took it."""
        return any(each.outcome == ACCEPTED for each in self.attempts)


@dataclass(frozen=True)
class _Known:
    """All that is on record of one incident and one route."""

    incident: "Incident"
    leader: "Incident"
    turns: "Sequence[Event]"
    told: "Sequence[tuple[Notice, int]]"


class Alerts:
    """The alerts of one system.

    Args:
        history: where its incidents are on record.
        watched: the system.
        run: the uuid of this run.
        redact: what cuts secrets out of everything that is sent.

    Attributes:
        faults: what kept it from writing down what was sent, in which case the next run may send it again.
    """

    def __init__(self, history: History, watched: Watched, *, run: str, redact: Redactor) -> None:
        self._history = history
        self._watched = watched
        self._run = run
        self._redact = redact
        self.faults: list[Unverified] = []

    def nobody_is_told_of(self, incident: "Incident") -> bool:
        """Whether no route takes an incident that stands alone."""
        routes = self._watched.routes
        return incident.leader is None and not any(
            each.takes(incident.severity, incident.requirement) for each in routes
        )

    def tell(self, now: datetime) -> Sequence[Delivery]:
        """Tell what is owed now, one message a route.

        Args:
            now: the time.

        Raises:
            Unverified: when the history cannot be read, or not be written before anything is sent.
        """
        from reports.history import notices

        owed = self._owed(now)
        if not owed:
            return ()
        until = milliseconds(now + max(map(_patience, self._watched.routes)) + MARGIN)
        with self._history.writing() as opened:
            keys = [notice for notice, _ in owed]
            ours = set(notices.claim(opened, keys, run=self._run, now=milliseconds(now), until=until))
        claimed: dict[Route, list[tuple[Notice, News]]] = {}
        for route in self._watched.routes:
            mine = [each for each in owed if each[0].route == route.name and each[0] in ours]
            claimed |= {route: mine} if mine else {}
        letters = {route: self.letter(route, [news for _, news in mine], now) for route, mine in claimed.items()}
        deliveries = self.deliver(letters, now)
        try:
            self._write_down({deliveries[route]: mine for route, mine in claimed.items()}, now)
        except Unverified as fault:
            self.faults.append(fault)
        return list(deliveries.values())

    def _write_down(self, deliveries: "Mapping[Delivery, Sequence[tuple[Notice, News]]]", now: datetime) -> None:
        from reports.history import notices

        with self._history.writing() as opened:
            for delivery, owed in deliveries.items():
                of, told = delivery.message, [notice for notice, _ in owed]
                numbers = [notices.attempted(opened, of, each, delivery.incidents) for each in delivery.attempts]
                if delivery.accepted:
                    notices.settle(opened, told, at=milliseconds(now), number=numbers[-1])
                else:
                    notices.give_back(opened, told)

    def letter(self, route: Route, news: Sequence[News], now: datetime) -> Letter:
        """What a route tells."""
        try:
            on_call = route.on_call(now)
        except Unverified:
            # UPKEEP-2 says what is wrong with the roster; the alert goes out without names.
            words = Wording(self._watched.about.language)
            on_call = [words("nobody known, because the roster cannot be read")]
        return Letter(self._watched.about, news, on_call, milliseconds(now))

    def deliver(self, letters: Mapping[Route, Letter], now: datetime) -> Mapping[Route, Delivery]:
        """Send each letter by its route, all of them at once, and say what became of them."""
        with ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="alert") as pool:
            sending = {route: pool.submit(self._delivered, route, each, now) for route, each in letters.items()}
            return {route: each.result() for route, each in sending.items()}

    def _delivered(self, route: Route, letter: Letter, now: datetime) -> Delivery:
        from reports.history.notices import Attempt, Message

        subject, body = self._redact.line(letter.subject), self._redact(letter.body)
        attempts: list[Attempt] = []
        for channel in route.channels:
            text = body
            if attempts:
                failed = ", ".join(each.channel for each in attempts)
                words = Wording(self._watched.about.language)
                said = "Sent by {channel}, because of {failed} nothing could be sent."
                text = f"{body}\n{words(said, channel=channel.name, failed=failed)}"
            try:
                outcome = channel.send(subject, text)
            except Unverified as fault:
                outcome = self._redact.line(fault.came_back)
            attempts.append(Attempt(milliseconds(now), channel.name, outcome))
            if outcome == ACCEPTED:
                break
        watched = self._watched
        message = Message(watched.name, watched.environment, route.name, letter.kind, subject)
        numbers = (each.incident.number for each in letter.news if each.incident.number)
        return Delivery(message, tuple(attempts), tuple(numbers))

    def _owed(self, now: datetime) -> "Sequence[tuple[Notice, News]]":
        known = self._known(now)
        return [each for route in self._watched.routes for each in self._owed_by(route, known, now)]

    def _known(self, now: datetime) -> Sequence[_Known]:
        from reports.history import incidents, notices

        watched = self._watched
        with self._history.reading() as opened:
            since = milliseconds(now - REMEMBERED)
            found = incidents.recent_of(opened, watched.name, watched.environment, since)
            if not found:
                return ()
            turns, told = notices.turns_of(opened, found), notices.told(opened, found)
        by_incident = defaultdict(list)
        for each in told:
            by_incident[each[0].incident].append(each)
        numbered = {each.number: each for each in found}
        return [
            _Known(each, numbered.get(each.leader or 0, each), turns[each.number], by_incident[each.number])
            for each in found
        ]

    def _owed_by(self, route: Route, known: Sequence[_Known], now: datetime) -> "Iterator[tuple[Notice, News]]":
        mine = [
            (each, [(notice, at) for notice, at in each.told if notice.route == route.name])
            for each in known
            if not route.holds_back(each.incident.severity, now)
        ]
        led_by = {each.incident.number for each, told in mine if told}
        for each, told in mine:
            grouped = not told and each.incident.leader in led_by
            # Who knows of the cause is not woken for each thing that comes of it, and told of its end with the rest.
            if grouped and each.leader.recovered is None:
                continue
            # What a route told of, it tells the end of.
            if told or route in self._ways_of(each):
                owed = turn(each.incident, each.turns, told, route.name)
                yield from ((notice, replace(news, first=news.first and not grouped)) for notice, news in owed)
        reminded = [(each.incident, told) for each, told in mine if to_be_reminded(each.incident, each.turns, told)]
        # Maintenance opens no incident, and those that are open are not repeated while it lasts.
        if route.remind is not None and not self._watched.silent(now):
            latest = [told[-1][1] for _, told in reminded]
            # All at once, as soon as one is due: not a message for each, at minutes of their own.
            if latest and milliseconds(now) - min(latest) >= route.remind // _MS:
                yield from (reminder(incident, told, route.name) for incident, told in reminded)

    def _ways_of(self, known: _Known) -> Sequence[Route]:
        """The routes that an incident goes out by: its leader's, where one takes that; its own otherwise."""
        of = [
            [each for each in self._watched.routes if each.takes(one.severity, one.requirement)]
            for one in (known.leader, known.incident)
        ]
        return of[0] or of[1]


def turn(
    incident: "Incident", turns: "Sequence[Event]", told: "Sequence[tuple[Notice, int]]", route: str
) -> "Iterator[tuple[Notice, News]]":
    """What a route owes of an incident's last turn; nothing where it told of that.

    Args:
        incident: the incident.
        turns: when it opened, was joined and recovered, in order.
        told: what the route told of it, each with when; in that order.
        route: the route's name.
    """
    from reports.history.notices import Notice

    if not turns:
        return
    newest, said = turns[-1], [notice for notice, _ in told if notice.kind != "reminder"]
    over = newest.kind == "recovered"
    if said and (said[-1].occasion, said[-1].kind == "recovered") == (newest.at, over):
        return
    kind: Kind = "recovered" if over else "joined" if said else "opened"
    news = News(incident, kind, newest.at, why=newest.note or "" if over else "", first=over and not said)
    yield Notice(incident.number, route, kind, newest.at), news


def to_be_reminded(incident: "Incident", turns: "Sequence[Event]", told: "Sequence[tuple[Notice, int]]") -> bool:
    """Whether an incident is open, was told of as it is now, and nobody acknowledged it."""
    is_open = incident.recovered is None and incident.acknowledged is None
    said = [notice for notice, _ in told if notice.kind != "reminder"]
    return is_open and bool(turns) and bool(said) and said[-1].occasion == turns[-1].at


def reminder(incident: "Incident", told: "Sequence[tuple[Notice, int]]", route: str) -> "tuple[Notice, News]":
    """A reminder of an incident that was told of."""
    from reports.history.notices import Notice

    at = told[-1][1]
    return Notice(incident.number, route, "reminder", at), News(incident, "reminder", at)


def _patience(route: Route) -> timedelta:
    """How long it may take until the last of its channels has been tried."""
    return sum((timedelta(seconds=each.seconds) + BEGINNING for each in route.channels), timedelta(0))
