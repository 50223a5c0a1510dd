"""Alerts while the history is away: nothing is confirmed then, and what a person must know at once goes out at once.

Each P1 that is breached is told once, and again every hour, by a file beside the spool that remembers it; its end is
told likewise. Once the history is back, incidents take over.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.alert_text import News
from reports.alerts import Alerts, Delivery, Route, Watched
from reports.history.incidents import Incident
from reports.history.kept import Kept, milliseconds
from reports.requirement import Outcome, Severity

if TYPE_CHECKING:
    from reports.history.notices import Kind

AGAIN = timedelta(hours=1) // timedelta(milliseconds=1)
FILE = "alerted-without-history.json"
_MODE = 0o600
# What a system's results were told as: by requirement and target, since when, and when by which route.
Memory = dict[str, dict[str, Any]]


class UnkeptAlerts:
    """The alerts of one system while its history cannot be read or written.

    Args:
        alerts: what sends them.
        watched: the system.
        folder: of the spool, where what was told is remembered.
    """

    def __init__(self, alerts: Alerts, watched: Watched, folder: Path) -> None:
        self._alerts = alerts
        self._watched = watched
        self._file = folder / FILE

    def tell(self, results: Sequence[Kept], now: datetime) -> Sequence[Delivery]:
        """Tell which P1 requirements this run saw breached, and which hold again."""
        breached = any(_matters(each) for each in results)
        return self._told(results, now, history=False) if breached or self._file.exists() else ()

    def end(self, results: Sequence[Kept], now: datetime) -> Sequence[Delivery]:
        """The history is back: tell what holds again, and forget what incidents tell from now on."""
        return self._told(results, now, history=True) if self._file.exists() else ()

    def _told(self, results: Sequence[Kept], now: datetime, *, history: bool) -> Sequence[Delivery]:
        with _remembering(self._file) as remembered:
            if remembered is None:  # another run is telling it
                return ()
            memory = remembered.setdefault(self._watched.name, {})
            letters: dict[Route, list[News]] = {route: [] for route in self._watched.routes}
            for each in results:
                entry = memory.get(_key(each))
                for route in self._watched.routes:
                    news = _news(each, entry, route, milliseconds(now), quiet=history or self._watched.silent(now))
                    letters[route] += news
            written = {route: self._alerts.letter(route, news, now) for route, news in letters.items() if news}
            deliveries = self._alerts.deliver(written, now)
            for route, delivery in deliveries.items():
                if delivery.accepted:
                    _note(memory, route, letters[route], milliseconds(now))
            if history:
                for each in results:
                    if each.outcome is Outcome.BREACHED:
                        memory.pop(_key(each), None)
            return list(deliveries.values())


def _news(each: Kept, entry: dict[str, Any] | None, route: Route, now: int, *, quiet: bool) -> Iterator[News]:
    """What a route is to tell of a result; where it is `quiet`, of what it told before that it is over, and no more."""
    told = entry["routes"].get(route.name) if entry else None
    if _matters(each) and not quiet and route.takes(each.severity, each.requirement):
        # What was told by a clock that was ahead is told again, too.
        if told is None or not 0 <= now - told < AGAIN:
            kind: Kind = "opened" if told is None else "reminder"
            yield News(_incident(each, entry["began"] if entry else each.at), kind, each.at)
    elif entry and told is not None and each.outcome is Outcome.PASSED:
        yield News(_incident(each, entry["began"]), "recovered", each.at)


def _matters(each: Kept) -> bool:
    return each.outcome is Outcome.BREACHED and each.severity == Severity.P1


def _key(each: Kept | Incident) -> str:
    return f"{each.requirement} {each.target}"


def _incident(each: Kept, began: int) -> Incident:
    """A result in the form of an incident that has no number, because nothing keeps it."""
    return Incident(
        system=each.system,
        environment="",
        requirement=each.requirement,
        target=each.target,
        kind="breached",
        severity=each.severity,
        title=each.title,
        vantage="",
        began=began,
        opened=each.at,
        deadline=each.at,
        measurements=tuple(one for one in each.measurements if not one.holds),
    )


def _note(memory: Memory, route: Route, news: Sequence[News], now: int) -> None:
    for each in news:
        key = _key(each.incident)
        entry = memory.setdefault(key, {"began": each.incident.began, "routes": {}})
        if each.kind != "recovered":
            entry["routes"][route.name] = now
            continue
        entry["routes"].pop(route.name, None)
        if not entry["routes"]:
            del memory[key]


@contextmanager
def _remembering(file: Path) -> Iterator[dict[str, Memory] | None]:
    """What was told, to be changed and written down again; None while another run does.

    Where it cannot be read or written it is empty: told twice is better than not at all.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
    except OSError:
        yield {}
        return
    # Without a buffer, which would try again when it is closed, and fail: a full disk may be why the history is away.
    with os.fdopen(descriptor, "r+b", buffering=0) as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        memory = _read(opened.read())
        yield memory
        with suppress(OSError):
            opened.seek(0)
            opened.write(json.dumps(memory).encode())
            opened.truncate()


def _read(written: bytes) -> dict[str, Memory]:
    """What was written; what nobody can read was nothing."""
    try:
        memory = json.loads(written or b"{}")
        whole = all(
            isinstance(entry["began"], int) and all(isinstance(at, int) for at in entry["routes"].values())
            for entries in memory.values()
            for entry in entries.values()
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}
    return memory if whole else {}
