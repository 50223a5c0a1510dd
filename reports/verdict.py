"""The verdict on one check run: what it raised is classified once, redacted once, and said in one form."""

import re
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import pytest

from fixtures.measure.due import Planned
from reports.history.kept import milliseconds
from reports.ledger import PROPERTY, Result
from reports.redaction import Redactor
from reports.requirement import (
    Breach,
    Evidence,
    Measurement,
    NotApplicable,
    Outcome,
    Unreachable,
    Unverified,
    requirement_of,
)


class Breached(AssertionError):  # noqa: N818 -- what pytest and Allure print before the message
    """A breach with its redacted message; Allure shows it as failed."""


class NotVerified(Exception):  # noqa: N818 -- as above
    """What could not be verified, with its redacted message; Allure shows it as broken."""


RESULT = pytest.StashKey[Result]()
EVIDENCE = pytest.StashKey[Evidence]()
# What ends the run as a whole is not a check's to classify.
_ENDS_THE_RUN = (KeyboardInterrupt, pytest.exit.Exception)
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_MEASURED = "  {what}\n    observed   {observed}\n    limit      {limit}"
_TRIED = "  tried        {what}\n  came back    {came_back}\n  do           {remedy}"


class Step(Protocol):
    """What to do next, by the runbook."""

    @property
    def next(self) -> str:
        """The step."""

    @property
    def link(self) -> str | None:
        """Where the runbook says more."""


class Waiver(Protocol):
    """A breach accepted for a time."""

    @property
    def until(self) -> date:
        """The last day it holds."""

    @property
    def reason(self) -> str:
        """Why."""

    @property
    def approved_by(self) -> str:
        """By whom."""


class System(Protocol):
    """What a verdict must know of the system that a check run is about."""

    @property
    def timezone(self) -> ZoneInfo:
        """In which the last day of a waiver ends."""

    def not_applicable(self, requirement_id: str, /) -> str | None:
        """Why a requirement does not apply to it, where it says so."""

    def next_step(self, requirement_id: str, /) -> Step | None:
        """The runbook's next step for a requirement."""

    def waiver_for(self, requirement_id: str, target: str, /) -> Waiver | None:
        """The waiver declared for a requirement and a target."""

    def planned(self, requirement_id: str, target: str, every: timedelta, /) -> Planned:
        """When a check on a target is wanted, which by its requirement is due that often."""


class Judge:
    """The plugin around every check run: setup, call and teardown raise its verdict and nothing else.

    Nothing that a check or a library raises reaches pytest or Allure as it was: their messages and tracebacks show
    passwords. A fresh exception with the redacted text takes its place.

    Args:
        systems: by name.
        redact: cuts secrets out of a text.
        now: the time, for waivers.
        blindness: what came back from the canary of a system when it cannot be reached either; None when it can.
        diagnose: what a troubleshooter wants to see beside a breach, texts by name.
    """

    def __init__(
        self,
        systems: Mapping[str, System],
        *,
        redact: Redactor,
        now: Callable[[], datetime],
        blindness: Callable[[str], str | None],
        diagnose: Callable[[pytest.Item], Mapping[str, str]],
    ) -> None:
        self._systems = systems
        self._redact = redact
        self._now = now
        self._blindness = blindness
        self._diagnose = diagnose

    @pytest.fixture
    def evidence(self, request: pytest.FixtureRequest) -> Evidence:
        """What this check run leaves."""
        evidence = Evidence()
        request.node.stash[EVIDENCE] = evidence
        return evidence

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Classify what a noun raises while it is made."""
        with self._classifying(item):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Judge the evidence once the check has ended, and classify what it raised."""
        with self._classifying(item):
            returned = yield
            evidence = self._evidence(item)
            if getattr(item, "funcargs", {}).get("evidence", evidence) is not evidence:
                remedy = "Give the fixture of yours that is called evidence another name"
                raise Unverified("judging the evidence", came_back="it was left with another fixture", remedy=remedy)
            evidence.judge()
            item.stash[RESULT] = self._result(item, Outcome.PASSED)
            return returned

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """Classify what giving back a noun raises; it counts like what the check raised."""
        with self._classifying(item):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put the result on the report, and the message in place of a traceback."""
        report = yield
        result = item.stash.get(RESULT, None)
        # Those of others may hold a secret, or a value that does not travel, which ends the worker.
        report.user_properties = []
        if result is not None and (call.when == "call" or call.excinfo is not None):
            report.user_properties = [(PROPERTY, result.as_text())]
        if report.failed:
            report.longrepr = result.message if result is not None else "no verdict, and so nothing that may be told"
        report.sections = [(name, self._redact(text)) for name, text in report.sections]
        return report

    @contextmanager
    def _classifying(self, item: pytest.Item) -> Iterator[None]:
        """Raise the verdict that whatever is raised inside amounts to, without the error behind it."""
        try:
            yield
        except _ENDS_THE_RUN:
            raise
        except BaseException as error:  # noqa: BLE001 -- whatever it is, it gets a name here
            result = self._verdict_on(item, error)
            item.stash[RESULT] = result
            if result.outcome is Outcome.BREACHED:
                raise Breached(result.message) from None
            if result.outcome is Outcome.UNVERIFIED:
                raise NotVerified(result.message) from None
            raise pytest.skip.Exception(result.message, _use_item_location=True) from None

    def _verdict_on(self, item: pytest.Item, error: BaseException) -> Result:
        """The verdict, whatever the error is like: one that cannot even be told must not come out as it is."""
        try:
            return self._verdict(item, error)
        except Exception:  # noqa: BLE001 -- what it says may be what must not be said
            remedy = "Run the check by itself, and mend what it raises"
            cause = Unverified("running the check", came_back="an error that cannot be told", remedy=remedy)
            return self._verdict(item, cause)

    def _verdict(self, item: pytest.Item, error: BaseException) -> Result:
        found = _gravest(error)
        if isinstance(found, NotApplicable) and self._systems[self._name(item)].not_applicable(requirement_of(item).id):
            self._evidence(item).note("reason", str(found))
            return self._result(item, Outcome.NOT_APPLICABLE, f"  {self._redact.line(str(found))}")
        if isinstance(found, Unreachable) and (silence := self._blindness(self._name(item))):
            found = Unverified(
                f"{found.measurements[0].what} {found.measurements[0].subject}".strip(),
                came_back=f"{found.measurements[0].observed_text}; but the canary does not answer either ({silence})",
                remedy="Check this machine's own network before the system's",
            )
        if isinstance(found, Breach):
            return self._breached(item, found.measurements)
        if isinstance(found, AssertionError):
            return self._breached(item, _of_assertion(found))
        if not isinstance(found, Unverified):
            found = self._failure_of_ours(found)
        self._evidence(item).note(found.what, found.came_back)
        told = {"what": found.what, "came_back": found.came_back, "remedy": found.remedy}
        said = _TRIED.format(**{name: self._redact.line(text) for name, text in told.items()})
        return self._result(item, Outcome.UNVERIFIED, said)

    def _failure_of_ours(self, error: BaseException) -> Unverified:
        """What an unforeseen error of a check, a noun or a library is: nothing that the system can be blamed for."""
        if isinstance(error, pytest.skip.Exception | pytest.xfail.Exception):
            remedy = "A check never skips: raise Unverified, or declare the requirement not applicable"
            return Unverified("running the check", came_back=f"it was skipped ({error})", remedy=remedy)
        if isinstance(error, pytest.fail.Exception):
            return Unverified("running the check", came_back=str(error), remedy="Mend the check")
        # Its text may quote what it was about, a row of the database for one.
        told = _QUOTED.sub("'...'", self._redact(str(error)))
        places = traceback.extract_tb(error.__traceback__)
        where = f" ({places[-1].filename}, line {places[-1].lineno}, in {places[-1].name})" if places else ""
        return Unverified(
            "running the check",
            came_back=f"{type(error).__name__}: {told}{where}",
            remedy="This is a fault of the suite or of its surroundings, not known to be one of the system: report it",
        )

    def _breached(self, item: pytest.Item, failed: Sequence[Measurement]) -> Result:
        row = requirement_of(item)
        system = self._systems[self._name(item)]
        said = [
            _MEASURED.format(
                what=f"{each.what}, {each.subject}" if each.subject else each.what,
                observed=each.observed_text,
                limit=each.limit_text,
            )
            for each in map(self._clean, failed)
        ]
        step = system.next_step(row.id)
        if step is not None:
            said.append(f"  next step\n    {step.next}" + (f"\n    {step.link}" if step.link else ""))
        outcome = Outcome.BREACHED
        waiver = system.waiver_for(row.id, self._target(item).partition("/")[2])
        if waiver is not None:
            holds = self._now().astimezone(system.timezone).date() <= waiver.until
            outcome = Outcome.WAIVED if holds else Outcome.BREACHED
            state = "waived until" if holds else "no longer waived: the waiver ended on"
            said.append(f"  {state} {waiver.until}, by {waiver.approved_by}: {waiver.reason}")
        evidence = self._evidence(item)
        if any(each not in evidence.measurements for each in failed):
            evidence.measurements.extend(failed)
        if outcome is Outcome.BREACHED:
            evidence.attachments.update(self._diagnosed(item))
        return self._result(item, outcome, "\n".join(said))

    def _diagnosed(self, item: pytest.Item) -> Mapping[str, str]:
        """What is attached to a breach; where gathering it fails, that must not hide the breach."""
        try:
            return self._diagnose(item)
        except Exception as error:  # noqa: BLE001 -- whatever it is
            return {"diagnostics": f"not known: {type(error).__name__} while they were gathered"}

    def _result(self, item: pytest.Item, outcome: Outcome, said: str = "") -> Result:
        row = requirement_of(item)
        target = self._target(item)
        # What a schedule makes of it: how long the result holds, and when the next one is missed.
        every = self._systems[self._name(item)].planned(row.id, target.partition("/")[2], row.every).every
        title = _title(item)
        message = f"{outcome.upper()} {row.id} ({row.severity}) {target}\n  {title}\n{said}" if said else ""
        measurements = tuple(map(self._clean, self._evidence(item).measurements))
        return Result(
            row.id,
            row.severity,
            target,
            title,
            outcome,
            measurements,
            self._redact(message),
            every.total_seconds(),
            row.paged,
            milliseconds(self._now()),
        )

    def _clean(self, measurement: Measurement) -> Measurement:
        """The measurement without secrets, each of its texts on one line."""
        texts = {name: value for name, value in vars(measurement).items() if isinstance(value, str) and value}
        clean = {name: self._redact.line(text) for name, text in texts.items()}
        return measurement if clean == texts else replace(measurement, **clean)  # type: ignore[arg-type]  # only fields that hold texts get texts

    def _evidence(self, item: pytest.Item) -> Evidence:
        return item.stash.setdefault(EVIDENCE, Evidence())

    def _target(self, item: pytest.Item) -> str:
        """The target's id, "mira/nocobase": the parameter that begins with the name of a system."""
        parameters = getattr(item, "callspec").params.values()  # noqa: B009 -- only functions have it; Item does not say so
        return next(str(each) for each in parameters if str(each).partition("/")[0] in self._systems)

    def _name(self, item: pytest.Item) -> str:
        return self._target(item).partition("/")[0]


def _title(item: pytest.Item) -> str:
    """The first line of the check's docstring: the requirement as the record prints it."""
    return (getattr(item, "function").__doc__ or item.name).strip().splitlines()[0]  # noqa: B009 -- as above


def _gravest(error: BaseException) -> BaseException:
    """The error itself; of a group, a breach before what is unverified, and that before what is not applicable."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [_gravest(each) for each in error.exceptions]
    return min(leaves, key=lambda each: (not isinstance(each, AssertionError), isinstance(each, NotApplicable)))


def _of_assertion(error: AssertionError) -> Sequence[Measurement]:
    """What a bare assert in a check of an operator's own amounts to."""
    said = str(error).splitlines() or ["it does not hold"]
    return Breach("assertion", observed=said[0], limit="true").measurements
