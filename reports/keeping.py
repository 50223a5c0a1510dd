"""The plugin that keeps what a run finds in the history."""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime

import pytest

from reports.history import spool
from reports.history.kept import Kept, Run, figure_of, milliseconds
from reports.history.store import History
from reports.ledger import UNVERIFIED, LedgerKeeper, Result
from reports.requirement import Unverified


class HistoryKeeper:
    """Writes each result down as it comes, and puts all of them on record when the run ends.

    What cannot even be written down is lost: such a run does not end with 0.

    Args:
        history: where to.
        ledger: what is expected and recorded.
        run: that begins.
        now: the time.
    """

    def __init__(self, history: History, *, ledger: LedgerKeeper, run: Run, now: Callable[[], datetime]) -> None:
        self._history = history
        self._ledger = ledger
        self.run = run
        self._now = now
        self._stack = ExitStack()
        self._spooled: spool.Spooled | None = None
        self._written: dict[tuple[str, str], Result] = {}
        self._faults: list[Unverified] = []
        self.taken_in = 0

    @property
    def on_record(self) -> bool:
        """Whether the results of this run, which has ended, are in the history: then its file is gone."""
        return self._spooled is not None and not self._spooled.path.exists()

    def alertable(self, system: str) -> list[Kept]:
        """The results of this run on a system that people are alerted to, as they are kept."""
        results = self._ledger.ledger.results().values()
        return [self._kept(each) for each in results if each.paged and each.target.partition("/")[0] == system]

    def pytest_sessionstart(self) -> None:
        """Begin the run's file in the spool."""
        try:
            self._spooled = self._stack.enter_context(spool.Spooled(self._history.address.spool, self.run))
        except Unverified as fault:
            self._faults.append(fault)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write down what a report says."""
        result = self._ledger.result_on(report)
        if result is not None:
            self._write(result)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write down what left no result, and put all that is spooled on record, by whatever run."""
        for result in self._ledger.ledger.results().values():
            if self._written.get((result.requirement, result.target)) != result:
                self._write(result)
        if self._faults and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = UNVERIFIED
        self._end(int(session.exitstatus))
        try:
            own = None if self._spooled is None else self._spooled.path
            for _ in spool.take_in(self._history, own=own):
                self.taken_in += 1
            self._roll_up()
        except Unverified as fault:
            self._faults.append(fault)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say where the results are, and what went wrong."""
        if self.taken_in:
            late = f", and those of {self.taken_in - 1} earlier runs" if self.taken_in > 1 else ""
            terminalreporter.write_line(f"history: results kept in {self._history.address.shown}{late}")
        for fault in self._faults:
            terminalreporter.write_line(f"history: {fault}", red=True)

    def _end(self, exit_code: int) -> None:
        try:
            if self._spooled is not None:
                self._spooled.end(milliseconds(self._now()), exit_code)
        except Unverified as fault:
            self._faults.append(fault)
        self._stack.close()

    def _roll_up(self) -> None:
        from reports.history import rollups

        rollups.roll(self._history, milliseconds(self._now()))

    def _write(self, result: Result) -> None:
        # A file that could not be collected is no result of a system; that the run failed is told by its exit code.
        if self._spooled is None or result.target.partition("/")[0] not in self.run.systems:
            return
        try:
            self._spooled.add(self._kept(result))
            self._written[result.requirement, result.target] = result
        except Unverified as fault:
            self._faults.append(fault)

    def _kept(self, result: Result) -> Kept:
        system, _, target = result.target.partition("/")
        figure = figure_of(result.measurements)
        return Kept(
            system=system,
            requirement=result.requirement,
            target=target,
            severity=result.severity,
            title=result.title,
            every=round(result.every * 1000),
            at=result.at if result.at is not None else milliseconds(self._now()),
            outcome=result.outcome,
            message=result.message,
            measurements=result.measurements,
            observed=None if figure is None else float(figure.observed or 0),
            bound=float(figure.limit) if figure is not None and isinstance(figure.limit, int | float) else None,
            what="" if figure is None else figure.what,
            unit="" if figure is None else figure.unit,
            paged=result.paged,
        )
