"""The vocabulary: requirements, outcomes, measurements, breaches, and the evidence a check leaves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Literal, Self

import pytest

from fixtures.measure.units import parse_duration, shown

Value = int | float | str | bool | None
Gate = Literal["before", "after", "both"]

FAMILIES: Mapping[str, str] = {
    "HEALTH": "Health",
    "UPTIME": "Uptime",
    "LATENCY": "Latency",
    "ERRORS": "Errors",
    "TRAFFIC": "Traffic",
    "USAGE": "Usage",
    "DATABASE": "Database",
    "UPSTREAM": "Upstream sources",
    "SYNC": "Synchronised data",
    "MIGRATE": "Migrations",
    "QUEUE": "Job queues",
    "CACHE": "Cache",
    "HOST": "Host",
    "LOGS": "Logs and jobs",
    "BACKUP": "Backups",
    "RESTORE": "Restore drills",
    "ACCESS": "Access",
    "DEPS": "Dependencies",
    "UPKEEP": "Upkeep",
    "MONITOR": "Monitors",
    "ALERT": "Alerts",
    "INCIDENT": "Incidents",
    "SELF": "The suite itself",
}


class Outcome(StrEnum):
    """What one check run on one target came to."""

    PASSED = "passed"
    BREACHED = "breached"
    UNVERIFIED = "unverified"
    WAIVED = "waived"
    NOT_APPLICABLE = "not applicable"


# What a later result of the same check run may not cover up.
GRAVITY = (Outcome.NOT_APPLICABLE, Outcome.PASSED, Outcome.WAIVED, Outcome.UNVERIFIED, Outcome.BREACHED)


class Severity(StrEnum):
    """How fast people must answer a breach: P1 15 min, P2 1 h, P3 4 h, P4 24 h (operations guide)."""

    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"


@dataclass(frozen=True)
class Requirement:
    """One row of the catalogue, as the check that verifies it declares it."""

    id: str
    severity: Severity
    every: timedelta
    gates: frozenset[str]
    paged: bool = True

    @property
    def family(self) -> str:
        """The part of the id before its number, a key of FAMILIES."""
        return self.id.rpartition("-")[0]


def requirement(
    requirement_id: str, *, severity: str, every: str, gate: Gate | None = None, paged: bool = True
) -> pytest.MarkDecorator:
    """Mark a check as the one that verifies a row of the catalogue.

    Args:
        requirement_id: its id, such as "BACKUP-1".
        severity: "P1" to "P4".
        every: how often it is due, such as "1h".
        gate: whether it judges a deployment "before" it, "after" it, or "both"; none by default.
        paged: whether people are alerted to a breach; what only sums up others is for reports.

    Raises:
        ValueError: when one of these is not as described.
    """
    family, _, number = requirement_id.rpartition("-")
    if family not in FAMILIES or not number.isdecimal():
        raise ValueError(f"requirement id {requirement_id!r}: expected FAMILY-NUMBER with one of {', '.join(FAMILIES)}")
    gates = frozenset({"before", "after"} if gate == "both" else {gate} if gate else ())
    return pytest.mark.requirement(Requirement(requirement_id, Severity(severity), parse_duration(every), gates, paged))


def requirement_of(item: pytest.Item) -> Requirement:
    """The row of the catalogue that a check verifies.

    Raises:
        UsageError: when it is marked with none.
    """
    marker = item.get_closest_marker("requirement")
    if marker is None:
        raise pytest.UsageError(f"{item.nodeid} verifies no requirement: mark it with @requirement(...)")
    row: Requirement = marker.args[0]
    return row


@dataclass(frozen=True)
class Measurement:
    """One thing that was looked at: what, of which subject, what was observed, the limit, and whether it holds.

    Values are plain, because they travel between processes as JSON: durations in seconds with unit "s", sizes in bytes
    with unit "bytes". Without a comparison it is a fact that was noted, with nothing to hold.
    """

    what: str
    observed: Value
    unit: str = ""
    comparison: str = ""
    limit: Value = None
    holds: bool = True
    subject: str = ""

    @property
    def observed_text(self) -> str:
        """What was observed, with its unit, for a person; in full where rounding would hide what it breaches."""
        text = shown(self.observed, self.unit)
        hidden = not self.holds and self.observed != self.limit and text == shown(self.limit, self.unit)
        return f"{text} (exactly {self.observed} {self.unit})".replace(" )", ")") if hidden else text

    @property
    def limit_text(self) -> str:
        """The limit with its comparison ("at most 25 h"), empty for a noted fact."""
        return f"{self.comparison} {shown(self.limit, self.unit)}" if self.comparison else ""


def _in_one_line(measurement: Measurement) -> str:
    return f"{measurement.what}: {measurement.observed_text} ({measurement.limit_text})"


class Breach(AssertionError):  # noqa: N818 -- the field's word: a finding about the system, not an error of ours
    """The system falls short of a requirement.

    Args:
        what: what was looked at.
        observed: what was found.
        limit: what it must be.
        subject: the thing it was looked at on (a file, an address, a table).
    """

    def __init__(self, what: str, *, observed: str, limit: str, subject: str = "") -> None:
        self.measurements: Sequence[Measurement] = (
            Measurement(what, observed, comparison="must be", limit=limit, holds=False, subject=subject),
        )
        super().__init__(_in_one_line(self.measurements[0]))

    @classmethod
    def of(cls, measurements: Sequence[Measurement]) -> Self:
        """The breach that these failed measurements, at least one, amount to."""
        first = measurements[0]
        breach = cls(first.what, observed=first.observed_text, limit=first.limit_text, subject=first.subject)
        breach.measurements = tuple(measurements)
        breach.args = (_in_one_line(first),)
        return breach


class Unreachable(Breach):
    """A breach seen over the network: unverified instead where the declared canary cannot be reached either."""


class Unverified(Exception):  # noqa: N818 -- as Breach
    """We could not tell whether the requirement is met, for a reason of our own.

    Args:
        what: what was tried.
        came_back: what came back instead.
        remedy: what a person can do so that it can be told again.
    """

    def __init__(self, what: str, *, came_back: str, remedy: str) -> None:
        self.what = what
        self.came_back = came_back
        self.remedy = remedy
        super().__init__(f"{what}: {came_back}. {remedy}")


# What two well-kept clocks may differ by before a time stamp is called one of the future.
CLOCK_SKEW = timedelta(minutes=1)


class NotApplicable(Exception):  # noqa: N818 -- as Breach
    """The system declares that the requirement does not apply to it, for this reason."""


Quantity = int | float | timedelta


@dataclass
class Evidence:
    """What one check run leaves: measurements that hold or not, and attachments that show how they came about.

    Measurements are collected while the check runs and judged together when it ends, so that a breach names everything
    that fell short and not only the first thing. A fault that makes the rest pointless is raised by the noun itself.
    """

    measurements: list[Measurement] = field(default_factory=list)
    attachments: dict[str, str] = field(default_factory=dict)

    def at_most(self, what: str, observed: Quantity, *, limit: Quantity, unit: str = "", subject: str = "") -> None:
        """Hold an observed value to an upper limit, the limit itself included."""
        value, bound = _plain(observed), _plain(limit)
        self._compare(what, value, "at most", bound, holds=value <= bound, unit=_unit(observed, unit), subject=subject)

    def at_least(self, what: str, observed: Quantity, *, limit: Quantity, unit: str = "", subject: str = "") -> None:
        """Hold an observed value to a lower limit, the limit itself included."""
        value, bound = _plain(observed), _plain(limit)
        self._compare(what, value, "at least", bound, holds=value >= bound, unit=_unit(observed, unit), subject=subject)

    def age(self, what: str, observed: timedelta, *, limit: timedelta, subject: str = "") -> None:
        """Hold an age to an upper limit, and to not lying in the future (clocks that differ by a little aside)."""
        ahead = observed < -CLOCK_SKEW
        comparison = "not in the future, at most" if ahead else "at most"
        holds = not ahead and observed <= limit
        self._compare(what, _plain(observed), comparison, _plain(limit), holds=holds, unit="s", subject=subject)

    def equal(self, what: str, observed: Value, *, expected: Value, unit: str = "", subject: str = "") -> None:
        """Hold an observed value to exactly the expected one, type included: neither True nor "1" equals 1."""
        same = type(observed) is type(expected) and observed == expected
        self._compare(what, observed, "exactly", expected, holds=same, unit=unit, subject=subject)

    def none_of(self, what: str, found: Sequence[str], *, subject: str = "") -> None:
        """Hold a list of findings to being empty; the breach names each of them."""
        observed = f"{len(found)}: {', '.join(found)}" if found else "none"
        self._compare(what, observed, "must be", "none", holds=not found, subject=subject)

    def note(self, what: str, observed: Quantity | Value, *, unit: str = "", subject: str = "") -> None:
        """Record a fact without a limit: context that a reader of the record needs."""
        value = observed.total_seconds() if isinstance(observed, timedelta) else observed
        self._keep(Measurement(what, value, _unit(observed, unit), subject=subject))

    def attach(self, name: str, text: str) -> None:
        """Keep a text (raw samples, a report) beside the measurements."""
        self.attachments[name] = text

    def judge(self) -> None:
        """Close the evidence of a check run.

        Raises:
            Breach: naming every measurement that does not hold.
        """
        failed = [each for each in self.measurements if not each.holds]
        if failed:
            raise Breach.of(failed)

    def _compare(  # noqa: PLR0913 -- a measurement has this many parts
        self, what: str, observed: Value, comparison: str, limit: Value, *, holds: bool, unit: str = "", subject: str
    ) -> None:
        self._keep(Measurement(what, observed, unit, comparison, limit, holds, subject))

    def _keep(self, measurement: Measurement) -> None:
        for value in (measurement.observed, measurement.limit):
            if not isinstance(value, Value):
                kind = type(value).__name__
                raise TypeError(f"{measurement.what}: a {kind} cannot be kept on record; give a number or a text")
        self.measurements.append(measurement)


def _plain(quantity: Quantity) -> int | float:
    return quantity.total_seconds() if isinstance(quantity, timedelta) else quantity


def _unit(quantity: Quantity | Value, unit: str) -> str:
    return "s" if isinstance(quantity, timedelta) else unit
