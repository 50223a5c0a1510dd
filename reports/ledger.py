"""The ledger of a run: what was expected, what was recorded, and the verdict that follows.

Kept by the process that answers for the run, never by an xdist worker: a worker that dies takes its results with it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import pytest

from reports.requirement import GRAVITY, Measurement, Outcome

PROPERTY = "constancia"
# xdist reports a worker that died under a phase of its own, "???".
PHASES = ("setup", "call", "teardown")
BREACHED = 1
UNVERIFIED = 6


@dataclass(frozen=True)
class Result:
    """What one check run on one target came to; plain values, because it travels from worker to controller as JSON.

    Attributes:
        requirement: its id; of a result that was lost on the way, as of another target, or else the test's name.
        severity: "P1" to "P4"; empty of a lost one.
        target: "mira/nocobase", or "mira/-" where the system declares none.
        title: the requirement as the record prints it.
        outcome: one of Outcome.
        measurements: in the order taken.
        message: what a person must know, redacted; empty when passed.
        every: how often it is due, in seconds; 0 of a lost one.
        paged: whether people are alerted to a breach.
        at: when it was judged, in ms since 1970; None of a lost one.
    """

    requirement: str
    severity: str
    target: str
    title: str
    outcome: Outcome
    measurements: tuple[Measurement, ...] = ()
    message: str = ""
    every: float = 0
    paged: bool = True
    at: int | None = None

    def as_text(self) -> str:
        """The result as JSON."""
        return json.dumps({**vars(self), "measurements": [vars(each) for each in self.measurements]}, default=str)

    @staticmethod
    @lru_cache(maxsize=16)  # several plugins read each report
    def from_text(text: str) -> "Result":
        """The result that `as_text` wrote."""
        read = json.loads(text)
        read["outcome"] = Outcome(read["outcome"])
        read["measurements"] = tuple(Measurement(**each) for each in read["measurements"])
        return Result(**read)


@dataclass
class Ledger:
    """Expected against recorded, by test id; a file that could not be collected is recorded under its path."""

    expected: dict[str, None] = field(default_factory=dict)
    recorded: dict[str, Result] = field(default_factory=dict)

    def expect(self, test_ids: Iterable[str]) -> None:
        """Note which check runs must leave a result."""
        self.expected.update(dict.fromkeys(test_ids))

    def record(self, test_id: str, result: Result) -> None:
        """Note a result; of several of one check run the gravest stays."""
        known = self.recorded.get(test_id)
        if known is None or GRAVITY.index(result.outcome) > GRAVITY.index(known.outcome):
            self.recorded[test_id] = result

    def results(self) -> Mapping[str, Result]:
        """Every expected and every recorded check run with its result; what left none is unverified."""
        missing = [test_id for test_id in self.expected if test_id not in self.recorded]
        lost = {each: self._lost(each, "no result: it was not run, or its process was killed") for each in missing}
        return self.recorded | lost

    def record_lost(self, test_id: str, why: str) -> None:
        """Note that a check run left no result, and why."""
        self.record(test_id, self._lost(test_id, why))

    def _lost(self, test_id: str, why: str) -> Result:
        """The result of a check run that left none; what the same check said of another target tells what it was."""
        check, _, target = test_id.rstrip("]").partition("[")
        said = (result for known, result in self.recorded.items() if known.partition("[")[0] == check)
        function = check.rpartition("::")[2]
        twin = next(said, Result(function, "", target, function, Outcome.UNVERIFIED))
        message = f"UNVERIFIED {test_id}\n  {why}"
        return Result(
            twin.requirement,
            twin.severity,
            target,
            twin.title,
            Outcome.UNVERIFIED,
            (Measurement("result", why),),
            message,
            twin.every,
            twin.paged,
        )

    def exit_status(self, pytest_status: int) -> int:
        """The exit code of the run: 0, 1 (something breached), 6 (something unverified), or pytest's own.

        Args:
            pytest_status: what pytest would exit with. Interrupted (2), internal error (3), usage (4) and nothing
                collected (5) keep their meaning; so does any failure that the ledger does not explain.
        """
        if pytest_status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            return pytest_status
        outcomes = {result.outcome for result in self.results().values()}
        if Outcome.BREACHED in outcomes:
            return BREACHED
        if Outcome.UNVERIFIED in outcomes:
            return UNVERIFIED
        return pytest_status


class LedgerKeeper:
    """The plugin that keeps the ledger of a run and decides its exit code."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self._broken_off = False

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Without xdist, what is expected is what was collected and selected."""
        self.ledger.expect(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """With xdist it is what the workers collected."""
        self.ledger.expect(ids)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """What cannot be collected leaves no result, and nobody to miss it: it is one of its own."""
        if report.failed:
            why = report.longreprtext.strip().splitlines()[-1:]
            said = f"it could not be collected, so nothing in it was verified: {''.join(why).removeprefix('E').strip()}"
            message = f"UNVERIFIED {report.nodeid}\n  {said}"
            measurements = (Measurement("collected", said),)
            result = Result(report.nodeid, "", "", "cannot be collected", Outcome.UNVERIFIED, measurements, message)
            self.ledger.record(report.nodeid, result)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record what a report says; one that says nothing but is no success is a result that was lost."""
        result = self.result_on(report)
        if result is not None:
            self.ledger.record(report.nodeid, result)
        elif not report.passed:
            why = (
                "its process was killed"
                if report.when not in PHASES
                else f"it ended without a result: {report.longrepr}"
            )
            self.ledger.record_lost(report.nodeid, why)

    @staticmethod
    def result_on(report: pytest.TestReport | pytest.CollectReport) -> Result | None:
        """The result that a report carries."""
        properties = report.user_properties if isinstance(report, pytest.TestReport) else ()
        said = [value for name, value in properties if name == PROPERTY]
        return Result.from_text(str(said[-1])) if said else None

    def pytest_keyboard_interrupt(self) -> None:
        """Note that the run was broken off, by hand or by `pytest.exit`, which may say 0."""
        self._broken_off = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Replace pytest's exit code by the verdict."""
        status = self.ledger.exit_status(int(exitstatus))
        session.exitstatus = status or (pytest.ExitCode.INTERRUPTED if self._broken_off else pytest.ExitCode.OK)
