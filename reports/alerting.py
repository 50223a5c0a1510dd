"""The plugin that follows incidents after a scheduled run, and tells whoever is to be told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reports.alerts import Alerts, Delivery
from reports.alerts_unkept import UnkeptAlerts
from reports.history.kept import Kept
from reports.history.store import History
from reports.incidents import Incidents
from reports.keeping import HistoryKeeper
from reports.postmortem import About, write_drafts
from reports.requirement import Unverified

if TYPE_CHECKING:
    from reports.history.incidents import Incident


@dataclass(frozen=True)
class Followed:
    """What is done for one system once its results are on record.

    Attributes:
        incidents: its incidents.
        alerts: what tells of them.
        unkept: what tells of results while there is no history.
        afterwards: what else is done about incidents, such as drafts of post-mortems.
    """

    incidents: Incidents
    alerts: Alerts
    unkept: UnkeptAlerts
    afterwards: Callable[[datetime], None]


def drafts_in(
    folder: Path | None, system: str, environment: str, *, history: History, about: About
) -> Callable[[datetime], None]:
    """What drafts the post-mortems of incidents that recovered, in a folder; nothing where none is declared."""

    def drafted(now: datetime) -> None:
        if folder is not None:
            write_drafts(system, environment, history=history, about=about, folder=folder, now=now)

    return drafted


class Alerting:
    """Follows and tells, when a scheduled run ends.

    Args:
        keeper: which put the results on record, and is registered before this.
        followed: by the system's name.
        now: the time.
    """

    def __init__(self, keeper: HistoryKeeper, followed: Mapping[str, Followed], *, now: Callable[[], datetime]) -> None:
        self._keeper = keeper
        self._followed = followed
        self._now = now
        self._faults: list[Unverified] = []
        self.deliveries: dict[str, list[Delivery]] = {name: [] for name in followed}
        self._untold: set[str] = set()
        self._unrouted: list[Incident] = []

    def told(self, system: str) -> bool:
        """Whether everything that was to be told of a system found a channel."""
        return system not in self._untold and all(each.accepted for each in self.deliveries[system])

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Follow the incidents, and tell what is owed: of this run and of those that could not."""
        for name, followed in self._followed.items():
            results, now = self._keeper.alertable(name), self._now()
            # Where this run's results are not on record, the history's own plugin says why.
            if self._keeper.on_record and self._follow(name, results, now):
                self.deliveries[name] += followed.unkept.end(results, now)
            else:
                self._untold.add(name)
                self.deliveries[name] += followed.unkept.tell(results, now)

    def _follow(self, name: str, results: Sequence[Kept], now: datetime) -> bool:
        """Do what the history and the results come to; whether the history could be reached."""
        followed = self._followed[name]
        try:
            changes = followed.incidents.follow(results, now)
            self.deliveries[name] += followed.alerts.tell(now)
        except Unverified as fault:
            self._faults.append(fault)
            return False
        self._faults += followed.alerts.faults
        opened = [each.incident for each in changes if each.kind in ("opened", "joined")]
        self._unrouted += [each for each in opened if followed.alerts.nobody_is_told_of(each)]
        try:
            followed.afterwards(now)
        except Unverified as fault:
            self._faults.append(fault)
        return True

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was told, and what could not be."""
        for each in chain.from_iterable(self.deliveries.values()):
            said = "; ".join(f"{one.channel}: {one.outcome}" for one in each.attempts)
            told = "alert" if each.accepted else "NOT SENT, the next run tries again: alert"
            line = f"{told} by route {each.message.route} ({said}): {each.message.subject}"
            terminalreporter.write_line(line, red=not each.accepted)
        for one in self._unrouted:
            what = f"incident {one.number} ({one.severity}, {one.requirement} {one.target})"
            terminalreporter.write_line(f"alerts: no [[route]] takes {what}: nobody is told of it")
        for fault in self._faults:
            terminalreporter.write_line(f"alerts: {fault}", red=True)
