"""What is kept of a run and of its results, as it goes into the history and comes out of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from reports.requirement import Measurement, Outcome

# What is due more often than this keeps its figure alone when it passes: it says the same all day.
_SELDOM = timedelta(hours=1) // timedelta(milliseconds=1)
# A result speaks until the next one, and for so many times `every` at most.
HOLDS_FOR = 2
# Outcomes as they are stored, for ever.
CODES: Mapping[Outcome, int] = {
    Outcome.PASSED: 0,
    Outcome.BREACHED: 1,
    Outcome.UNVERIFIED: 2,
    Outcome.WAIVED: 3,
    Outcome.NOT_APPLICABLE: 4,
}
OUTCOMES: Mapping[int, Outcome] = {code: outcome for outcome, code in CODES.items()}


def moment(at: int) -> datetime:
    """Milliseconds since 1970 as a time in UTC."""
    return datetime.fromtimestamp(at // 1000, UTC) + timedelta(milliseconds=at % 1000)


def milliseconds(at: datetime) -> int:
    """An aware time as whole milliseconds since 1970."""
    return (at - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


@dataclass(frozen=True)
class SystemRun:
    """What a run was on: one system, as a file described it.

    Attributes:
        environment: which deployment of it, such as "production".
        file: the SHA-256 of the system file, in hex.
    """

    environment: str
    file: str


@dataclass(frozen=True)
class Run:
    """One run of the suite.

    Attributes:
        uuid: its own, in hex.
        vantage: from where it looked.
        began: in ms since 1970.
        suite: the suite's version.
        gate: "before" or "after" a deployment; empty where it judged none.
        scheduled: whether it ran what was due.
        systems: by name.
        ended: in ms since 1970; None where it was killed.
        exit_code: of the process; None as above.
    """

    uuid: str
    vantage: str
    began: int
    suite: str
    gate: str
    scheduled: bool
    systems: Mapping[str, SystemRun]
    ended: int | None = None
    exit_code: int | None = None

    def as_document(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**vars(self), "systems": {name: vars(each) for name, each in self.systems.items()}}

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> "Run":
        """The run that `as_document` wrote.

        Raises:
            TypeError: when it is none; AttributeError, KeyError likewise.
        """
        systems = {name: SystemRun(**each) for name, each in document["systems"].items()}
        return Run(**{**document, "systems": systems})


@dataclass(frozen=True)
class Kept:
    """A result as it is kept.

    Attributes:
        system: its name.
        requirement: the id.
        target: without the system's name.
        severity: "P1" to "P4"; empty of a lost one.
        title: the requirement as the record prints it.
        every: how often it is due, in ms; 0 of a lost one.
        at: when it was judged, in ms since 1970.
        outcome: what it came to.
        message: what a person must know; empty when passed.
        measurements: all of them; of a passed result that is often due none come back.
        observed: the figure that speaks for it, in `unit`; None where it has none.
        bound: that figure's limit.
        what: that figure's name.
        unit: that figure's unit, "s" and "bytes" among them.
        paged: whether people are alerted to a breach.
        vantage: from where it was seen; filled in by the store.
        run: the run's uuid; filled in by the store.
    """

    system: str
    requirement: str
    target: str
    severity: str
    title: str
    every: int
    at: int
    outcome: Outcome
    message: str = ""
    measurements: Sequence[Measurement] = ()
    observed: float | None = None
    bound: float | None = None
    what: str = ""
    unit: str = ""
    paged: bool = True
    vantage: str = field(default="", compare=False)
    run: str = field(default="", compare=False)

    @property
    def moment(self) -> datetime:
        """When it was judged, in UTC."""
        return moment(self.at)

    @property
    def detailed(self) -> bool:
        """Whether all that it says is kept, and not only its figure."""
        return self.outcome is not Outcome.PASSED or self.every >= _SELDOM

    def as_document(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**vars(self), "outcome": str(self.outcome), "measurements": [vars(each) for each in self.measurements]}

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> "Kept":
        """The result that `as_document` wrote.

        Raises:
            TypeError: when it is none; ValueError, KeyError likewise.
        """
        measurements = tuple(Measurement(**each) for each in document["measurements"])
        return Kept(**{**document, "outcome": Outcome(document["outcome"]), "measurements": measurements})


def figure_of(measurements: Sequence[Measurement]) -> Measurement | None:
    """The measurement whose number speaks for a result: of those held to a limit the first with a unit, or else any."""
    numbers = [
        each
        for each in measurements
        if each.comparison and isinstance(each.observed, int | float) and not isinstance(each.observed, bool)
    ]
    return next((each for each in numbers if each.unit), numbers[0] if numbers else None)


def measurements_in(text: str) -> tuple[Measurement, ...]:
    """The measurements that are kept as JSON."""
    return tuple(Measurement(**each) for each in json.loads(text))
