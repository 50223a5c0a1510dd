"""Options, and which plugins take part in a run; nothing else."""

import argparse
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from fixtures.clock import Clock
    from fixtures.system import System
    from reports.alerting import Alerting
    from reports.due import Asked
    from reports.history.address import Address
    from reports.history.store import History
    from reports.keeping import HistoryKeeper
    from reports.ledger import LedgerKeeper
    from reports.redaction import Redactor

HOUSE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """What a run verifies is one option; everything else about a system is its file."""
    group = parser.getgroup("constancia")
    group.addoption("--system", action="append", default=[], metavar="NAME", help="verify this system; repeatable")
    group.addoption(
        "--systems",
        type=Path,
        default=HOUSE / "systems",
        metavar="DIR",
        help="where the system files lie (default: systems/)",
    )
    group.addoption("--gate", choices=["before", "after"], help="only the checks of this gate around a deployment")
    group.addoption("--due", action="store_true", help="only what is due by now, as the history tells; often nothing")
    group.addoption("--backup", metavar="FILE", help="let the drills restore this backup, not the one they would pick")
    group.addoption(
        "--self-check",
        action="store_true",
        help="let each drill first reject a cut, a flipped and an emptied copy of its backup",
    )
    group.addoption(
        "--now",
        type=_moment,
        metavar="TIME",
        help="run as if it were this time, such as 2026-11-21T03:00:00Z (on record)",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Where nothing is due, say so and end, before anything heavy is loaded."""
    option = config.option
    if not (option.due and option.system) or hasattr(config, "workerinput") or option.help or option.version:
        return None
    for name, given in (("--gate", option.gate), ("--backup", option.backup)):
        if given:
            raise pytest.UsageError(f"{name} judges now, whatever is due: leave out either {name} or --due")
    from fixtures.clock import Clock
    from reports.due import UnansweredError, nothing_due
    from reports.history.address import address_in
    from reports.requirement import Unverified
    from restore.remains import anything_left

    try:
        said = nothing_due(_asked(config, address_in()), Clock(option.now).now(), left=anything_left)
    except (UnansweredError, Unverified):
        # Workers cannot be told what is due of checks that are not known yet: this run collects them itself.
        option.numprocesses, option.dist, option.tx = 0, "no", []
        return None
    if said is None:
        return None
    sys.stdout.write(f"constancia: {said}\n")
    return pytest.ExitCode.OK


def _asked(config: pytest.Config, address: "Address") -> "Asked":
    from reports.due import Asked
    from reports.history.address import vantage_point

    option = config.option
    return Asked(
        files={name: option.systems / f"{name}.toml" for name in option.system},
        house=HOUSE,
        folder=config.invocation_params.dir,
        arguments=config.args,
        narrowed=[getattr(option, name, None) for name in ("keyword", "markexpr", "deselect", "ignore", "ignore_glob")],
        vantage=vantage_point(),
        address=address,
    )


def pytest_configure(config: pytest.Config) -> None:
    """Load the chosen systems and let the plugins take part that verify them."""
    config.addinivalue_line("markers", "requirement(row): the row of the catalogue that a check verifies")
    _refuse_a_record_inside_a_file(config)
    if not config.option.system:
        _refuse_checks_without_a_system(config)
        return
    from fixtures.clock import Clock
    from fixtures.nouns import Targets
    from fixtures.system import SystemFileError, available, load
    from fixtures.targets import Chosen
    from reports.allure import AllureRecord
    from reports.ledger import LedgerKeeper
    from reports.output import CleanOutput
    from reports.redaction import Redactor
    from reports.terminal import ClosingTable
    from reports.verdict import Judge
    from restore.sweeper import Sweeper

    files = available(_systems(config))
    unknown = [name for name in config.option.system if name not in files]
    if unknown:
        there = ", ".join(files) or "none"
        raise pytest.UsageError(f"no system {unknown[0]} in {config.option.systems}; there are: {there}")
    try:
        systems = {name: load(files[name]) for name in config.option.system}
    except SystemFileError as error:
        raise pytest.UsageError(Redactor((), os.environ)(str(error))) from None
    clock = Clock(config.option.now)
    history = _history(config)
    targets = {name: Targets(each, clock=clock, history=history) for name, each in systems.items()}
    chosen = Chosen(targets, gate=config.option.gate)
    redact = Redactor((secret for each in systems.values() for secret in each.secrets()), os.environ)
    judge = Judge(systems, redact=redact, now=clock.now, blindness=chosen.blindness, diagnose=chosen.diagnose)
    plugins: dict[str, object] = {
        "output": CleanOutput(redact),
        "sweeper": Sweeper(),
        "targets": chosen,
        "judge": judge,
    }
    keeper = None if hasattr(config, "workerinput") or config.option.collectonly else LedgerKeeper()
    kept = None
    if keeper is not None and history is not None:
        kept = _history_keeper(config, history, keeper, systems, files, clock)
        plugins |= {"ledger": keeper, "table": ClosingTable(keeper), "history": kept}
    if config.option.due and history is not None:
        plugins["due"] = _what_is_due(config, history, systems, clock, None if kept is None else kept.run.uuid)
        if kept is not None and keeper is not None:
            alerting = _alerting(history, kept, systems, clock, redact)
            plugins |= {"alerts": alerting, "heartbeat": _heartbeats(history, kept, keeper, alerting, systems, clock)}
    if config.getoption("allure_report_dir", None) and not config.option.collectonly:
        ledger = keeper.ledger if keeper is not None else None
        plugins["allure"] = AllureRecord(systems, files=[files[name] for name in systems], redact=redact, ledger=ledger)
    for name, plugin in plugins.items():
        config.pluginmanager.register(plugin, f"constancia-{name}")


def _history(config: pytest.Config) -> "History | None":
    """The history of the whole run, opened once; none where checks are only listed, whatever is due."""
    from reports.history.store import History
    from reports.requirement import Unverified

    if config.option.collectonly and not config.option.due:
        return None
    try:
        return History()
    except Unverified as fault:
        raise pytest.UsageError(str(fault)) from None


def _history_keeper(
    config: pytest.Config,
    history: "History",
    ledger: "LedgerKeeper",
    systems: "Mapping[str, System]",
    files: "Mapping[str, Path]",
    clock: "Clock",
) -> "HistoryKeeper":
    from reports.history.address import VARIABLE, vantage_point
    from reports.history.kept import Run, SystemRun, milliseconds
    from reports.keeping import HistoryKeeper
    from reports.surroundings import digest_of, version

    if config.option.now and not os.environ.get(VARIABLE):
        said = "puts results of another time on record: name a history for them"
        raise pytest.UsageError(f"--now {said}, such as {VARIABLE}=sqlite:////tmp/another-time.db")
    run = Run(
        uuid=uuid4().hex,
        vantage=vantage_point(),
        began=milliseconds(clock.now()),
        suite=version(),
        gate=config.option.gate or "",
        scheduled=config.option.due,
        systems={name: SystemRun(each.system.environment, digest_of(files[name])) for name, each in systems.items()},
    )
    return HistoryKeeper(history, ledger=ledger, run=run, now=clock.now)


def _alerting(
    history: "History", kept: "HistoryKeeper", systems: "Mapping[str, System]", clock: "Clock", redact: "Redactor"
) -> "Alerting":
    from fixtures.maintenance import Maintenance
    from fixtures.roster import Roster
    from fixtures.routes import routes
    from reports.alerting import Alerting, Followed, drafts_in
    from reports.alerts import Alerts, Watched
    from reports.alerts_unkept import UnkeptAlerts
    from reports.incidents import Incidents, Seen
    from reports.lifecycle import CONFIRMED_BY, Rules
    from reports.postmortem import About

    run = kept.run

    def followed(system: "System") -> Followed:
        header, maintenance = system.system, Maintenance(system.maintenance, system.timezone)

        def silent(at: datetime) -> bool:
            return maintenance.at(at) is not None

        about = About(header.title, system.timezone, header.language, system.told_step)
        ways = routes(system.route, system.channel, roster=Roster(system.roster), timezone=system.timezone)
        watched = Watched(header.name, header.environment, about, ways, silent)
        alerts = Alerts(history, watched, run=run.uuid, redact=redact)
        rules = Rules({**CONFIRMED_BY, **system.alerts.confirmed_by}, silent)
        folder = Path(system.incidents.postmortems) if system.incidents else None
        return Followed(
            Incidents(history, Seen(header.name, header.environment, run.vantage), rules),
            alerts,
            UnkeptAlerts(alerts, watched, history.address.spool),
            drafts_in(folder, header.name, header.environment, history=history, about=about),
        )

    return Alerting(kept, {name: followed(each) for name, each in systems.items()}, now=clock.now)


def _heartbeats(
    history: "History",
    kept: "HistoryKeeper",
    ledger: "LedgerKeeper",
    alerting: "Alerting",
    systems: "Mapping[str, System]",
    clock: "Clock",
) -> object:
    from fixtures.heartbeat import Heartbeat
    from reports.heartbeat import Heartbeats

    hearts = {name: Heartbeat(each.heartbeat) for name, each in systems.items() if each.heartbeat}
    return Heartbeats(hearts, ledger=ledger, told=alerting.told, history=history, run=kept.run, now=clock.now)


def _what_is_due(
    config: pytest.Config, history: "History", systems: "Mapping[str, System]", clock: "Clock", run: str | None
) -> object:
    from reports.scheduled import ToldWhatIsDue, WhatIsDue

    if hasattr(config, "workerinput"):
        return ToldWhatIsDue(systems)
    return WhatIsDue(_asked(config, history.address), systems, history=history, run=run, now=clock.now)


def _refuse_a_record_inside_a_file(config: pytest.Config) -> None:
    written_to = config.getoption("allure_report_dir", None)
    if written_to:
        path = config.invocation_params.dir.joinpath(written_to)
        files = [each for each in (path, *path.parents) if each.exists() and not each.is_dir()]
        if files:
            raise pytest.UsageError(f"--alluredir {written_to}: {files[0]} is no folder; name one to write to")


def _refuse_checks_without_a_system(config: pytest.Config) -> None:
    # Told by their paths, because under xdist the process that could say so cleanly collects nothing.
    for argument in config.args:
        path = config.invocation_params.dir.joinpath(argument.partition("::")[0]).resolve()
        if any(path.is_relative_to(HOUSE / room) or path == HOUSE for room in ("checks", "restore")):
            raise _without_a_system(config, argument)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse checks without a system that lie outside this house, too, whose paths tell nothing."""
    checks = [item.nodeid for item in items if item.get_closest_marker("requirement")]
    if checks and not config.option.system:
        raise _without_a_system(config, checks[0])


def _without_a_system(config: pytest.Config, what: str) -> pytest.UsageError:
    from fixtures.system import available

    there = ", ".join(available(_systems(config))) or "none"
    return pytest.UsageError(f"{what} verifies a system: add --system NAME (there are: {there})")


def _systems(config: pytest.Config) -> Path:
    folder: Path = config.option.systems
    if not folder.is_dir():
        raise pytest.UsageError(f"--systems {folder}: there is no such folder")
    return folder


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'"{text}" is no time: write it like 2026-11-21T03:00:00Z') from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
