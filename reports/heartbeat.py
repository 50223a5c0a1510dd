"""The plugin that tells an address outside that scheduled runs go on: it is what calls when nothing here can."""

from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import pytest

from reports.history.kept import Run, milliseconds
from reports.history.store import History
from reports.ledger import BREACHED, UNVERIFIED, LedgerKeeper
from reports.requirement import Unverified

# With which a run ends that came to a verdict.
_VERDICTS = (pytest.ExitCode.OK, BREACHED, UNVERIFIED)
CHANNEL = "heartbeat"


class Heart(Protocol):
    """What sends one system's heartbeat."""

    def send(self, kind: str, document: Mapping[str, object]) -> None:
        """Tell that a run began ("start"), or how it ended ("success", "fail"). Raises Unverified when it cannot."""


@dataclass(frozen=True)
class _Fault:
    system: str
    kind: str
    why: Unverified


class Heartbeats:
    """Sends "start" when a scheduled run begins, and "success" or "fail" when it ends, for each of its systems.

    It is a success when the run came to a verdict, a breach among them, and every alert found a channel. What cannot
    be sent is said and put on record, and changes no verdict.

    Args:
        hearts: by the system's name.
        ledger: of the results of the run.
        told: whether everything that was to be told of a system found a channel.
        history: where what could not be sent is put on record.
        run: that is going on.
        now: the time.
    """

    def __init__(
        self,
        hearts: Mapping[str, Heart],
        *,
        ledger: LedgerKeeper,
        told: Callable[[str], bool],
        history: History,
        run: Run,
        now: Callable[[], datetime],
    ) -> None:
        self._hearts = hearts
        self._ledger = ledger
        self._told = told
        self._history = history
        self._run = run
        self._now = now
        self._faults: list[_Fault] = []
        # Beside the run, which does not wait for the first one.
        self._pool = ThreadPoolExecutor(len(hearts) or 1, thread_name_prefix="heartbeat")
        self._begun: dict[str, Future[_Fault | None]] = {}

    def pytest_sessionstart(self) -> None:
        """Tell that the run begins."""
        document = {"run": self._run.uuid, "vantage": self._run.vantage}
        self._begun = {name: self._pool.submit(self._send, name, "start", document) for name in self._hearts}

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Tell how it ended."""
        # In this order: an end that overtakes its beginning reads as a run that never ended.
        begun = [each.result() for each in self._begun.values()]
        verdict = session.exitstatus in _VERDICTS
        ended = [
            self._pool.submit(
                self._send, name, "success" if verdict and self._told(name) else "fail", self._counts(name, session)
            )
            for name in self._hearts
        ]
        self._faults = [fault for fault in (*begun, *(each.result() for each in ended)) if fault is not None]
        self._pool.shutdown()
        if self._faults:
            self._put_on_record()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what could not be sent."""
        for each in self._faults:
            terminalreporter.write_line(f"heartbeat of {each.system}: {each.why}", red=True)

    def _send(self, name: str, kind: str, document: Mapping[str, object]) -> _Fault | None:
        try:
            self._hearts[name].send(kind, document)
        except Unverified as fault:
            return _Fault(name, kind, fault)
        return None

    def _counts(self, name: str, session: pytest.Session) -> Mapping[str, object]:
        results = self._ledger.ledger.results().values()
        outcomes = Counter(str(each.outcome) for each in results if each.target.partition("/")[0] == name)
        exit_code = int(session.exitstatus)
        return {"run": self._run.uuid, "vantage": self._run.vantage, "exit code": exit_code, **outcomes}

    def _put_on_record(self) -> None:
        from reports.history.notices import Attempt, Message, attempted

        try:
            with self._history.writing() as opened:
                for each in self._faults:
                    environment = self._run.systems[each.system].environment
                    message = Message(each.system, environment, "", CHANNEL, each.why.what)
                    attempted(opened, message, Attempt(milliseconds(self._now()), CHANNEL, each.why.came_back), [])
        except Unverified:
            return  # the history's own plugin says that it is away; the terminal says what could not be sent
