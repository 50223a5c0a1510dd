"""The plugins of a run that judges what is due: one decides and claims, xdist's workers are told.

The process that answers for the run decides, because workers that did might decide otherwise than each other. Where it
is not known yet which checks there are, the run goes on without workers: then they are collected before it decides.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

import pytest

from fixtures.measure.due import Judged, Planned
from reports.due import (
    Asked,
    Outlook,
    Plan,
    Standing,
    UnansweredError,
    dead_runs,
    judged_in,
    known_plans,
    later_of,
    lock_of,
    note,
    outlook,
    owner_of,
    presumed,
    reading,
    shown_checks,
    shown_next,
    standing,
)
from reports.history import plans as kept
from reports.history.kept import milliseconds
from reports.history.plans import Key, Place
from reports.history.store import History
from reports.requirement import Requirement, Unverified, requirement_of

_TOLD, _COLLECTED = "constancia_due", "constancia_collected"
_COMING = 3
_MODE = 0o600
# A system, a requirement and a target of it.
Due = tuple[str, str, str]


class Header(Protocol):
    """Which deployment of a system it is, and by whose clocks its windows are meant."""

    @property
    def environment(self) -> str:
        """Its name."""

    @property
    def timezone(self) -> str:
        """The time zone's name."""


class System(Protocol):
    """What must be known of a system to tell what is due."""

    @property
    def system(self) -> Header:
        """As above."""

    def planned(self, requirement_id: str, target: str, every: timedelta, /) -> Planned:
        """When a check on a target is wanted, which by its requirement is due that often."""


class WhatIsDue:
    """The plugin that lets a run judge what is due, and nothing that another run is about.

    Args:
        asked: what the run is asked for.
        systems: by name.
        history: where plans and claims are kept.
        run: its uuid; None where it only lists what is due, and so claims nothing.
        now: the time.
    """

    def __init__(
        self,
        asked: Asked,
        systems: Mapping[str, System],
        *,
        history: History,
        run: str | None,
        now: Callable[[], datetime],
    ) -> None:
        self._asked = asked
        self._systems = systems
        self._history = history
        self._run = run
        self._now = now
        self._began = now()
        self._spool = history.address.spool
        self._stack = ExitStack()
        self._distributed = False
        self._known = False
        self._plans: Mapping[str, Plan] = {}
        self._outlooks: Mapping[str, Outlook] = {}
        self._judged: dict[str, Mapping[Key, Judged]] = {}
        self._due: Collection[Due] = ()
        self._faults: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Decide, where workers are about to be started that must be told."""
        self._distributed = session.config.pluginmanager.hasplugin("dsession")
        if self._distributed:
            try:
                self._decide(known_plans(self._asked))
                self._known = True
            except UnansweredError:  # it did a moment ago
                self._faults.append("what is due can no longer be told: the next run tries again")

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401 -- of xdist, which publishes no types
        """Tell a worker."""
        node.workerinput[_TOLD] = [list(each) for each in sorted(self._due)]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:  # noqa: ANN401 -- as above
        """Forget a plan that is not what a worker collected: the next run collects it anew."""
        collected = getattr(node, "workeroutput", {}).get(_COLLECTED, {})
        old = [name for name, plan in self._plans.items() if collected.get(name, _digest(plan)) != _digest(plan)]
        for name in old:
            self._writing(partial(kept.forget, at=self._place(name), selection=self._asked.selection))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Decide, where this process collects, and leave out what is not due."""
        self._known = not session.testsfailed
        self._decide(_plans_of(items, self._systems), keep=self._known)
        _leave_out(config, items, self._systems, self._due)

    def pytest_report_header(self) -> list[str]:
        """Say what runs, where it is decided before anything is collected."""
        return self._said() if self._distributed else []

    def pytest_report_collectionfinish(self) -> list[str]:
        """Say what runs, where it was collected here."""
        return self._said()

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Nothing due is no failure, where there is anything that could be."""
        planned = any(plan.checks for plan in self._plans.values())
        if session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and planned and not self._due:
            session.exitstatus = pytest.ExitCode.OK

    def pytest_unconfigure(self) -> None:
        """Give back what was claimed, now that the results are on record, and note when anything is due next."""
        self._stack.close()
        if self._run is not None and self._known and not self._faults:
            note(self._asked, list(self._afterwards()), self._now())

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what comes next, and what kept this run from knowing what is due."""
        for each in shown_next(self._afterwards(), self._now(), _COMING):
            terminalreporter.write_line(f"next: {each}")
        for fault in self._faults:
            terminalreporter.write_line(f"due: {fault}", red=True)

    def _afterwards(self) -> Iterable[Outlook]:
        """How things stand once what is due has been judged."""
        for name, plan in self._plans.items():
            done = {
                (requirement, target): Judged(self._began)
                for system, requirement, target in self._due
                if system == name
            }
            yield outlook(name, plan, Standing({**self._judged.get(name, {}), **done}, {}), self._now())

    def _said(self) -> list[str]:
        by_name = [
            (name, each) for name, known in self._outlooks.items() for each in known.due if self._is_due(name, each)
        ]
        others = [(name, each) for name, known in self._outlooks.items() for each in known.claimed]
        said = [f"due: {shown_checks(by_name) if by_name else 'nothing'}"]
        return said + ([f"another run is about {shown_checks(others)}"] if others else [])

    def _is_due(self, system: str, planned: Planned) -> bool:
        return (system, *planned.key) in self._due

    def _decide(self, plans: Mapping[str, Plan], *, keep: bool = False) -> None:
        self._plans = plans
        try:
            self._due = self._claimed(keep=keep) if self._run is not None else self._listed()
        except (UnansweredError, Unverified) as fault:
            self._faults.append(f"the history cannot say what is due, the spool alone does: {fault}")
            self._due = self._alone()

    def _listed(self) -> Collection[Due]:
        """What is due, claimed by nobody."""
        with self._history.reading():  # which makes the schema, where there is none
            pass
        return self._look()

    def _claimed(self, *, keep: bool) -> Collection[Due]:
        """What is due, and this run's from now on.

        Raises:
            Unverified: when the store cannot be written.
            UnansweredError: when it cannot be read.
        """
        run, now = self._own(), milliseconds(self._now())
        dead = [each for each in dead_runs(self._spool) if each != run]
        with self._history.writing() as opened:
            kept.give_back(opened, dead)
            # In one order, lest two runs wait for each other.
            for name, plan in sorted(self._plans.items()) if keep else ():
                digest = self._asked.digest(name)
                kept.keep(opened, self._place(name), self._asked.selection, digest=digest, document=plan.as_text())
        for each in dead:
            owner_of(each, self._spool).unlink(missing_ok=True)
        wanted = self._look()
        taken: set[Due] = set()
        with self._history.writing() as opened:
            for name, plan in sorted(self._plans.items()):
                until = {each.key: now + each.limit // timedelta(milliseconds=1) for each in plan.checks}
                asked = {(each, target): until[each, target] for system, each, target in wanted if system == name}
                credible = now + plan.credible // timedelta(milliseconds=1)
                ours = kept.take(opened, self._place(name), asked, run=run, now=now, credible=credible)
                taken |= {(name, *key) for key in ours}
        # Between the look and the claim another run may have judged what was due, and given it back.
        return taken.intersection(self._look())

    def _look(self) -> Collection[Due]:
        """What is due that no other run is about; how everything stands is kept.

        Raises:
            UnansweredError: when the store cannot be read.
        """
        now, outlooks = self._now(), {}
        with reading(self._history.address) as ask:
            ours = {*dead_runs(self._spool), *([self._run] if self._run is not None else [])}
            for name, plan in self._plans.items():
                found = standing(ask, self._place(name), now, dead=ours)
                self._judged[name] = later_of(found.judged, judged_in(self._spool, self._place(name), now))
                outlooks[name] = outlook(name, plan, Standing(self._judged[name], found.claimed), now)
        return self._keep(outlooks)

    def _alone(self) -> Collection[Due]:
        """What is due by the spool, where the store cannot say.

        Of this machine's runs that are asked for the same one at a time takes that.
        """
        now = self._now()
        for name, plan in self._plans.items():
            spooled = judged_in(self._spool, self._place(name), now)
            self._judged[name] = {**presumed(plan, self._spool, now), **spooled}
        looked = {
            name: outlook(name, plan, Standing(self._judged[name], {}), now) for name, plan in self._plans.items()
        }
        due = self._keep(looked)
        try:
            self._spool.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(lock_of(self._asked), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
            self._stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._faults.append("another run is about what is due meanwhile")
            return ()
        except OSError as error:
            self._faults.append(f"{lock_of(self._asked)} cannot be locked: {error.strerror}")
        return due

    def _keep(self, outlooks: Mapping[str, Outlook]) -> Collection[Due]:
        self._outlooks = outlooks
        return {(name, *each.key) for name, known in outlooks.items() for each in known.due}

    def _own(self) -> str:
        """Lock a file of this run's name: while that is so, its claims hold, and no longer where it is killed."""
        run = str(self._run)
        path = owner_of(run, self._spool)
        try:
            self._spool.mkdir(parents=True, exist_ok=True)
            unnamed = path.with_suffix(".new")
            descriptor = os.open(unnamed, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
            self._stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            unnamed.rename(path)  # only now that it is locked, lest another run takes this one for dead
        except OSError as error:
            self._faults.append(
                f"{path} cannot be written ({error.strerror}): should this run be killed, its claims hold on"
            )
        self._stack.callback(self._give_back, run)
        return run

    def _give_back(self, run: str) -> None:
        if self._writing(partial(kept.give_back, runs=[run])):
            owner_of(run, self._spool).unlink(missing_ok=True)

    def _writing(self, act: Callable[[Any], object]) -> bool:
        """Whether the store took what `act` does; if not, that is told."""
        try:
            with self._history.writing() as opened:
                act(opened)
        except Unverified as fault:
            self._faults.append(str(fault))
            return False
        return True

    def _place(self, system: str) -> Place:
        return Place(system, self._systems[system].system.environment, self._asked.vantage)


class ToldWhatIsDue:
    """The plugin of a worker of xdist, which is told what is due, and tells what it collected.

    Args:
        systems: by name.
    """

    def __init__(self, systems: Mapping[str, System]) -> None:
        self._systems = systems

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Leave out what is not due."""
        told: Any = config
        if not session.testsfailed:
            collected = {name: _digest(plan) for name, plan in _plans_of(items, self._systems).items()}
            told.workeroutput[_COLLECTED] = collected
        _leave_out(config, items, self._systems, {tuple(each) for each in told.workerinput[_TOLD]})


def _plans_of(items: Iterable[pytest.Item], systems: Mapping[str, System]) -> Mapping[str, Plan]:
    """What collected checks are as plans, by system."""
    checks: dict[str, dict[Key, Planned]] = {name: {} for name in systems}
    for item in items:
        row: Requirement = requirement_of(item)
        system, target = _target_of(item, systems)
        checks[system][row.id, target] = systems[system].planned(row.id, target, row.every)
    return {
        name: Plan(systems[name].system.environment, systems[name].system.timezone, tuple(found.values()))
        for name, found in checks.items()
    }


def _leave_out(
    config: pytest.Config, items: list[pytest.Item], systems: Mapping[str, System], due: Collection[Due]
) -> None:
    judged: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        system, target = _target_of(item, systems)
        (judged if (system, requirement_of(item).id, target) in due else left_out).append(item)
    items[:] = judged
    if left_out:
        config.hook.pytest_deselected(items=left_out)


def _target_of(item: pytest.Item, systems: Mapping[str, System]) -> tuple[str, str]:
    """The system and the target that a check run is about: the parameter that begins with the name of a system."""
    parameters: Sequence[object] = getattr(item, "callspec").params.values()  # noqa: B009 -- only functions have it
    system, _, target = next(str(each) for each in parameters if str(each).partition("/")[0] in systems).partition("/")
    return system, target


def _digest(plan: Plan) -> str:
    return hashlib.sha256(plan.as_text().encode()).hexdigest()
