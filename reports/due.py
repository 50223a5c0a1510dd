"""What is due: told from what the history keeps, before anything heavy is loaded.

A schedule asks once a minute, and most of the time nothing is due. So this is decided with the standard library alone
(and psycopg where the history is in PostgreSQL), from the plan of an earlier run: which checks there are, and when each
is wanted. What cannot be told so, because there is no plan or the store does not answer, is for an ordinary run.
"""

import fcntl
import hashlib
import json
import os
import re
import sqlite3
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fixtures.measure.due import AHEAD, Judged, Planned, due_at
from reports.history.address import Address
from reports.history.kept import CODES, milliseconds, moment
from reports.history.plans import Key, Place
from reports.history.schema import VERSION_TABLE, newest
from reports.requirement import Outcome

CONNECTED_WITHIN = 5
MOST_NAMED = 5
NOTED_FOR = timedelta(minutes=5)
NOTHING = "nothing is due"
SELDOM = timedelta(days=1)
_FORMAT = "1"
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")
_Ask = Callable[[str, Sequence[object]], Sequence[tuple[Any, ...]]]


@dataclass(frozen=True)
class Plan:
    """What the checks of a system came to be when they were last collected.

    Attributes:
        environment: which deployment of the system.
        timezone: whose clocks its windows are meant by.
        checks: all of them, by requirement and target.
    """

    environment: str
    timezone: str
    checks: Sequence[Planned]

    @property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.timezone)

    @property
    def credible(self) -> timedelta:
        """How far ahead a claim may lapse: clocks of runners differ, but one that says more was made by a wrong one."""
        return 2 * max((each.limit for each in self.checks), default=timedelta(0))

    def as_text(self) -> str:
        """The plan as JSON, the same for the same checks."""
        checks = [each.as_document() for each in sorted(self.checks, key=lambda each: each.key)]
        return json.dumps({"environment": self.environment, "timezone": self.timezone, "checks": checks})

    @staticmethod
    def from_text(text: str) -> "Plan":
        """The plan that `as_text` wrote.

        Raises:
            ValueError: when it is none; TypeError, KeyError likewise.
        """
        read = json.loads(text)
        return Plan(read["environment"], read["timezone"], tuple(map(Planned.from_document, read["checks"])))


@dataclass(frozen=True)
class Standing:
    """How the checks of a system stand.

    Attributes:
        judged: when each was last judged, by requirement and target.
        claimed: what runs are about, by requirement and target: which run, and until when (ms).
    """

    judged: Mapping[Key, Judged]
    claimed: Mapping[Key, tuple[str, int]]


@dataclass(frozen=True)
class Outlook:
    """What is due of a system, and when the rest will be.

    Attributes:
        system: its name.
        zone: whose clocks times are told by.
        due: what is due now, and nobody is about.
        claimed: what is due now, and another run is about.
        later: when what is due later is.
    """

    system: str
    zone: ZoneInfo
    due: Sequence[Planned]
    claimed: Sequence[Planned]
    later: Sequence[tuple[datetime, Planned]]


@dataclass(frozen=True)
class Asked:
    """What a scheduled run is asked for.

    Attributes:
        files: the system files, by name.
        house: the folder of the suite.
        folder: where the run was started.
        arguments: what is to be collected: folders and files.
        narrowed: what else narrows the selection: the values of such options.
        vantage: from where it looks.
        address: of the history.
    """

    files: Mapping[str, Path]
    house: Path
    folder: Path
    arguments: Sequence[str]
    narrowed: Sequence[object]
    vantage: str
    address: Address

    @property
    def selection(self) -> str:
        """What a plan of such a run is kept under."""
        return json.dumps([sorted(self._argument(each) for each in self.arguments), *self.narrowed])

    def digest(self, system: str) -> str:
        """The SHA-256 of all that decides which checks there are, in hex.

        Of variables it knows those of the file's header alone, because a digest of a password is one thing more that
        must be kept secret; what others change shows when the checks are collected.

        Raises:
            OSError: when it cannot be read; ValueError when the file is no TOML.
        """
        text = self.files[system].read_bytes()
        header = json.dumps(tomllib.loads(text.decode("utf-8-sig")).get("system"), default=str)
        variables = [(name, os.environ.get(name)) for name in _VARIABLE.findall(header)]
        about = [_FORMAT, hashlib.sha256(text).hexdigest(), variables, [*self._sources()]]
        return hashlib.sha256(json.dumps(about).encode()).hexdigest()

    def _sources(self) -> Iterator[tuple[str, int, int]]:
        files = [self.house / "conftest.py", self.house / "pyproject.toml"]
        for argument in self.arguments:
            path = self.folder.joinpath(argument.partition("::")[0])
            files += sorted(path.rglob("*.py")) if path.is_dir() else [path]
        for path in files:
            about = path.stat()
            yield str(path), about.st_size, about.st_mtime_ns

    def _argument(self, text: str) -> str:
        path, found, within = text.partition("::")
        resolved = self.folder.joinpath(path).resolve()
        inside = resolved.relative_to(self.house) if resolved.is_relative_to(self.house) else resolved
        return f"{inside}{found}{within}"


class UnansweredError(Exception):
    """The store, or what is in it, answers nothing that could be used; an ordinary run says why."""


def outlook(system: str, plan: Plan, standing: Standing, now: datetime) -> Outlook:
    """What of a plan is due by now, and what later."""
    zone, at = plan.zone, milliseconds(now)
    times = [(due_at(each, standing.judged.get(each.key), now, zone), each) for each in plan.checks]
    due = [each for when, each in times if when <= now]
    credible = milliseconds(now + plan.credible)
    held = {key for key, (_, until) in standing.claimed.items() if at < until <= credible}
    return Outlook(
        system,
        zone,
        due=[each for each in due if each.key not in held],
        claimed=[each for each in due if each.key in held],
        later=sorted(((when, each) for when, each in times if when > now), key=lambda each: (each[0], each[1].key)),
    )


def nothing_due(asked: Asked, now: datetime, *, left: Callable[[], bool]) -> str | None:
    """That nothing is due and what comes next, in one line; None where something is, or that cannot be told so.

    Args:
        asked: for what.
        now: aware.
        left: whether killed runs have left anything, which an ordinary run sweeps.

    Raises:
        UnansweredError: when it is not known which checks there are.
    """
    spool = asked.address.spool
    waiting = left() or spooled(spool)
    if not waiting and (said := _noted(asked, now)):
        return said
    outlooks = []
    with reading(asked.address) as ask:
        for system, plan in _plans(ask, asked).items():
            at = Place(system, plan.environment, asked.vantage)
            outlooks.append(outlook(system, plan, standing(ask, at, now, dead=dead_runs(spool)), now))
    if waiting or any(each.due for each in outlooks):
        return None
    note(asked, outlooks, now)
    busy = sum(len(each.claimed) for each in outlooks)
    about = f"nothing is due but what another run is about ({busy})" if busy else NOTHING
    return "; ".join([about, *(f"next: {each}" for each in shown_next(outlooks, now, 1))])


def note(asked: Asked, outlooks: Sequence[Outlook], now: datetime) -> None:
    """Write down beside the spool until when nothing is due, where asking the store takes longer than that is worth.

    Other runners of this vantage point can only make it later, but for what they could not verify: so it holds for some
    minutes at most, and is left out where another run is about something.
    """
    times = [when for each in outlooks for when, _ in each.later]
    if asked.address.file is not None or any(each.due or each.claimed for each in outlooks) or not times:
        return
    said = "; ".join([NOTHING, *(f"next: {each}" for each in shown_next(outlooks, now, 1))])
    noted = {
        "digests": [asked.digest(name) for name in sorted(asked.files)],
        "since": milliseconds(now),
        "until": milliseconds(min(*times, now + NOTED_FOR)),
        "said": said,
    }
    path = _note_of(asked)
    with suppress(OSError):  # then the store is asked
        unnamed = path.with_name(f"{path.name}.{os.getpid()}")
        unnamed.write_text(json.dumps(noted), encoding="utf-8")
        unnamed.rename(path)


def _noted(asked: Asked, now: datetime) -> str | None:
    try:
        noted = json.loads(_note_of(asked).read_text(encoding="utf-8"))
        same = noted["digests"] == [asked.digest(name) for name in sorted(asked.files)]
        holds = noted["since"] <= milliseconds(now) < noted["until"]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return str(noted["said"]) if same and holds else None


def _note_of(asked: Asked) -> Path:
    return asked.address.spool / f"next-{_named(asked)}.json"


def lock_of(asked: Asked) -> Path:
    """The file that a run locks which goes by the spool alone: a long drill keeps no check from being judged."""
    return asked.address.spool / f"alone-{_named(asked)}.lock"


def _named(asked: Asked) -> str:
    about = [asked.selection, sorted(asked.files), asked.vantage, asked.address.shown]
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]


def known_plans(asked: Asked) -> Mapping[str, Plan]:
    """The plans of all systems that are asked for.

    Raises:
        UnansweredError: when there is none, or an old one, or one without any check.
    """
    with reading(asked.address) as ask:
        return _plans(ask, asked)


def _plans(ask: _Ask, asked: Asked) -> Mapping[str, Plan]:
    plans = {}
    for system in asked.files:
        try:
            sql = "SELECT document FROM plan WHERE system = ? AND vantage = ? AND selection = ? AND digest = ?"
            rows = ask(sql, (system, asked.vantage, asked.selection, asked.digest(system)))
            plans[system] = Plan.from_text(rows[0][0])
        except (IndexError, OSError, ValueError, TypeError, KeyError):
            raise UnansweredError(f"no plan of {system}") from None
    if not any(plan.checks for plan in plans.values()):
        raise UnansweredError("no check is selected")  # which is not the same as that none is due
    return plans


def standing(ask: _Ask, at: Place, now: datetime, *, dead: Collection[str]) -> Standing:
    """How the checks of a system stand in the store, but for what `dead` runs have claimed."""
    newest_of_each = """
        SELECT s.requirement, s.target, r.outcome, u.began
        FROM series s
        JOIN result r ON r.series = s.id
            AND r.at = (SELECT max(newest.at) FROM result newest WHERE newest.series = s.id AND newest.at <= ?)
        JOIN run u ON u.id = r.run
        WHERE s.system = ? AND s.environment = ? AND s.vantage = ?"""
    place = (at.system, at.environment, at.vantage)
    # A clock that was set back must not silence a check until that time comes again.
    rows = ask(newest_of_each, (milliseconds(now + AHEAD), *place))
    claims = "SELECT requirement, target, run, until FROM claim WHERE system = ? AND environment = ? AND vantage = ?"
    return Standing(
        judged={
            (row[0], row[1]): Judged(moment(row[3]), unverified=row[2] == CODES[Outcome.UNVERIFIED]) for row in rows
        },
        claimed={(row[0], row[1]): (row[2], row[3]) for row in ask(claims, place) if row[2] not in dead},
    )


@contextmanager
def reading(address: Address) -> Iterator[_Ask]:
    """Asks the store of the history, without SQLAlchemy; "?" stands for a value.

    Raises:
        UnansweredError: when it does not answer, or has another schema than this suite's.
    """
    if address.file is not None:
        faults: tuple[type[Exception], ...] = (sqlite3.Error, OSError)
    else:
        import psycopg

        faults = (psycopg.Error, OSError)
    try:
        with _connected(address) as ask:
            if [(newest(),)] != [tuple(row) for row in ask(f"SELECT version_num FROM {VERSION_TABLE}", ())]:  # noqa: S608 -- a name of ours
                raise UnansweredError("another schema")
            yield ask
    except faults as error:
        # Never the error's own text: it may hold the address, and so a password.
        raise UnansweredError(type(error).__name__) from None


@contextmanager
def _connected(address: Address) -> Iterator[_Ask]:
    if address.file is not None:
        at = f"file:{quote(str(address.file))}?mode=ro"
        with closing(sqlite3.connect(at, uri=True, timeout=CONNECTED_WITHIN)) as opened:
            yield lambda sql, values: opened.execute(sql, tuple(values)).fetchall()
        return
    import psycopg

    url = address.url.replace("+psycopg", "", 1)
    limits = f"-c statement_timeout={1000 * CONNECTED_WITHIN} -c default_transaction_read_only=on"
    with psycopg.connect(url, connect_timeout=CONNECTED_WITHIN, options=limits, autocommit=True) as connected:
        yield lambda sql, values: connected.execute(sql.replace("?", "%s").encode(), tuple(values)).fetchall()


def spooled(folder: Path) -> bool:
    """Whether results wait in the spool to be taken in: those of runs that go on do not."""
    return any(_is_unowned(path) for path in folder.glob("*.jsonl"))


def judged_in(folder: Path, at: Place, now: datetime) -> Mapping[Key, Judged]:
    """When checks were last judged by what is in the spool: of a store that is down nobody else can tell."""
    found: dict[Key, Judged] = {}
    for path in sorted(folder.glob("*.jsonl")):
        with suppress(OSError, ValueError, TypeError, KeyError):  # whoever takes it in says what is wrong with it
            lines = path.read_text(encoding="utf-8").split("\n")
            run = json.loads(lines[0])["run"]
            began = moment(run["began"])
            environment = run["systems"].get(at.system, {}).get("environment")
            if (run["vantage"], environment) != (at.vantage, at.environment) or began > now + AHEAD:
                continue
            for result in (json.loads(line).get("result") for line in lines[1:-1]):
                if result is not None and result["system"] == at.system:
                    judged = Judged(began, unverified=result["outcome"] == Outcome.UNVERIFIED)
                    found[result["requirement"], result["target"]] = judged
    return found


def presumed(plan: Plan, folder: Path, now: datetime) -> Mapping[Key, Judged]:
    """What is due daily or more seldom, as if it had been judged when the store went down.

    That is when the oldest run began which is spooled. Or else each time that the store does not answer would be one
    more drill, and one more of what loads a system, in the middle of the day.
    """
    names = [path.name.partition("-")[0] for path in folder.glob("*.jsonl")]
    began = min((moment(int(name)) for name in names if name.isdecimal()), default=now)
    seldom = [each for each in plan.checks if each.on is not None or each.every >= SELDOM]
    return {each.key: Judged(min(began, now)) for each in seldom}


def later_of(one: Mapping[Key, Judged], other: Mapping[Key, Judged]) -> Mapping[Key, Judged]:
    """When checks were last judged by either."""
    both = {key: [each[key] for each in (one, other) if key in each] for key in {*one, *other}}
    return {key: max(found, key=lambda judged: judged.at) for key, found in both.items()}


# A run's claims are void once it is dead: it locks a file of its name while it lives.
_OWNED = ".claims"


def owner_of(run: str, folder: Path) -> Path:
    """The file that a run locks while it lives."""
    return folder / f"{run}{_OWNED}"


def dead_runs(folder: Path) -> Collection[str]:
    """The runs that were killed on this machine before they gave back what they had claimed."""
    return {path.name.removesuffix(_OWNED) for path in folder.glob(f"*{_OWNED}") if _is_unowned(path)}


def _is_unowned(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # locked; or gone, or another user's
        return False
    return True


def shown_next(outlooks: Iterable[Outlook], now: datetime, count: int) -> Sequence[str]:
    """What comes next and when, a phrase each: "HEALTH-1 mira/nocobase at 12:04:10", in the system's time zone."""
    times = [(when, each.system, planned, each.zone) for each in outlooks for when, planned in each.later]
    return [
        f"{planned.requirement} {system}/{planned.target} at {_shown(when.astimezone(zone), now.astimezone(zone))}"
        for when, system, planned, zone in sorted(times, key=lambda each: (each[0], each[1], each[2].key))[:count]
    ]


def shown_checks(checks: Sequence[tuple[str, Planned]]) -> str:
    """Checks by name, of many the first: "2 checks: HEALTH-1 mira/nocobase, HEALTH-4 mira/nocobase"."""
    named = ", ".join(f"{each.requirement} {system}/{each.target}" for system, each in checks[:MOST_NAMED])
    more = f" and {len(checks) - MOST_NAMED} more" if len(checks) > MOST_NAMED else ""
    return f"{len(checks)} check{'s' if len(checks) != 1 else ''}: {named}{more}"


def _shown(when: datetime, now: datetime) -> str:
    return f"{when:%H:%M:%S}" if when.date() == now.date() else f"{when:%Y-%m-%d %H:%M:%S}"
