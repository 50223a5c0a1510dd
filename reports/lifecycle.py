"""When an incident opens, goes on and is over: rules on the results of one series, which know no store."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Literal, Protocol, TypeVar

from reports.history.kept import HOLDS_FOR, Kept
from reports.requirement import Measurement, Outcome

MINUTE = 60_000
HOUR = 60 * MINUTE
# By severity: so many breached results in a row confirm an incident.
CONFIRMED_BY: Mapping[str, int] = {"P1": 2, "P2": 2, "P3": 3, "P4": 3}
# What is due less often than this is not waited for again.
SELDOM = 15 * MINUTE
# By severity: how fast somebody has to acknowledge it (operations guide, "Clasificación de Severidad").
RESPONSE: Mapping[str, int] = {"P1": 15 * MINUTE, "P2": HOUR, "P3": 4 * HOUR, "P4": 24 * HOUR}
# Breached again within this time of its recovery, it is the same incident.
FLAPPING = 30 * MINUTE
# So many times `every` a requirement may stay unverified.
UNVERIFIED_FOR = 3
# A row of results ends where none was taken for 3 x every, but not for less than this: a run beside may be a long one.
SILENCE = HOUR
# So far from each other may the incidents of one group have begun.
TOGETHER = 10 * MINUTE
# What breaks other things, before what breaks with them; these families alone can have a cause in common. The others
# are about what people do, or about the past: no outage explains them.
CAUSES = ("DATABASE", "CACHE", "HOST", "UPSTREAM")
EFFECTS = ("HEALTH", "LATENCY", "ERRORS", "TRAFFIC", "QUEUE", "SYNC", "MIGRATE", "USAGE", "ACCESS")

Kind = Literal["breached", "unverified"]


def _never(_: datetime) -> bool:
    return False


@dataclass(frozen=True)
class Rules:
    """What a system declares of its incidents.

    Attributes:
        confirmed_by: how many breached results in a row confirm one, by severity.
        silent: whether what is seen at a moment opens none, because maintenance is declared then.
    """

    confirmed_by: Mapping[str, int] = field(default_factory=lambda: CONFIRMED_BY)
    silent: Callable[[datetime], bool] = _never

    def needed(self, result: Kept) -> int:
        """How many breached results in a row confirm an incident of this requirement."""
        whole_database = result.requirement.startswith("DATABASE-") and result.severity == "P1"
        return 1 if whole_database or result.every > SELDOM else self.confirmed_by[result.severity]


@dataclass(frozen=True)
class Confirmed:
    """That an incident is to be opened.

    Attributes:
        kind: "breached", or "unverified".
        began: the first of the results that it was confirmed by, in ms since 1970.
        newest: the last of them.
    """

    kind: Kind
    began: int
    newest: Kept

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """What did not hold; of what is unverified, what came back instead."""
        if self.kind == "breached":
            return tuple(each for each in self.newest.measurements if not each.holds)
        return tuple(self.newest.measurements[-1:])


def confirmed(results: Sequence[Kept], rules: Rules) -> Confirmed | None:
    """What the results of a series confirm, if anything.

    Args:
        results: the newest first, back to the last one that was verified, and to those before it that count together.
        rules: of the system.
    """
    if not results or rules.silent(results[0].moment):
        return None
    if results[0].outcome is Outcome.BREACHED:
        return _confirmed_breach(results, rules)
    if results[0].outcome is Outcome.UNVERIFIED:
        return _confirmed_unverified(results, rules)
    return None


def _confirmed_breach(results: Sequence[Kept], rules: Rules) -> Confirmed | None:
    # What could not be told between two breaches says neither that it held nor that it did not.
    row = [each for each in _unbroken(results, rules) if each.outcome is not Outcome.UNVERIFIED]
    breached = list(_while(row, Outcome.BREACHED))
    return Confirmed("breached", breached[-1].at, results[0]) if len(breached) >= rules.needed(results[0]) else None


def _confirmed_unverified(results: Sequence[Kept], rules: Rules) -> Confirmed | None:
    every = results[0].every
    seen = [each for each in results if not rules.silent(each.moment)]
    unverified = list(_while(seen, Outcome.UNVERIFIED))
    verified = seen[len(unverified) : len(unverified) + 1]
    row = [*unverified, *verified]
    # Of a silence between two results only what the earlier one speaks for counts: nothing was not verified then.
    lasted = sum(min(later.at - earlier.at, HOLDS_FOR * every) for later, earlier in pairwise(row))
    if not every or lasted <= UNVERIFIED_FOR * every:
        return None
    return Confirmed("unverified", unverified[-1].at, results[0])


def _unbroken(results: Sequence[Kept], rules: Rules) -> Iterator[Kept]:
    """The newest results, back to a silence or to declared maintenance."""
    later = None
    for each in results:
        broken = later is not None and later.at - each.at > max(UNVERIFIED_FOR * each.every, SILENCE)
        if broken or rules.silent(each.moment):
            return
        yield each
        later = each


def _while(results: Sequence[Kept], outcome: Outcome) -> Iterator[Kept]:
    for each in results:
        if each.outcome is not outcome:
            return
        yield each


def over(kind: Kind, newest: Kept) -> bool:
    """Whether an incident of a kind is over with this result: a breach that cannot be told any more is not."""
    if kind == "unverified":
        return newest.outcome is not Outcome.UNVERIFIED
    return newest.outcome not in (Outcome.BREACHED, Outcome.UNVERIFIED)


class Grave(Protocol):
    """What must be known of an incident to tell which of several the others come from."""

    @property
    def number(self) -> int:
        """By which people call it."""

    @property
    def family(self) -> str:
        """The family of its requirement."""

    @property
    def severity(self) -> str:
        """From "P1" to "P4"."""

    @property
    def kind(self) -> Kind:
        """Either "breached" or "unverified"."""

    @property
    def began(self) -> int:
        """In ms since 1970."""


_Incident = TypeVar("_Incident", bound=Grave)


def gravity(incident: Grave) -> tuple[str, str, int, int, int]:
    """The smallest of several is the one to group the others under: the gravest, or else the likeliest cause."""
    cause = CAUSES.index(incident.family) if incident.family in CAUSES else len(CAUSES)
    return incident.severity, incident.kind, cause, incident.began, incident.number


def grouped_with(new: _Incident, groups: Sequence[Sequence[_Incident]]) -> Sequence[_Incident]:
    """The group that a new incident belongs to, the one with the gravest where it could be several; empty for none.

    Args:
        new: the new one.
        groups: the open ones of its system; one that stands alone is a group, too.
    """
    fits = [group for group in groups if _explained_by_outages(new, *group) and _near(new, *group)]
    return min(fits, key=lambda group: min(map(gravity, group)), default=())


def _explained_by_outages(*incidents: Grave) -> bool:
    return all(each.family in (*CAUSES, *EFFECTS) for each in incidents)


def _near(*incidents: Grave) -> bool:
    begun = [each.began for each in incidents]
    return max(begun) - min(begun) <= TOGETHER
