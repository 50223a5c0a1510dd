"""What is done with records, and what is told of requirements: `python -m reports COMMAND`.

A command line stands on top of all floors, as conftest.py does: here alone do system files and records meet.
"""

import argparse
import os
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from reports.html import ReportError, make

if TYPE_CHECKING:
    from fixtures.answering import Answered, Answering
    from fixtures.system import System
    from reports.catalogue import Row, State
    from reports.coverage import Tasks
    from reports.history.store import History
    from reports.postmortem import About, Facts

HOUSE = Path(__file__).parent.parent
CLAUSES = HOUSE / "docs" / "runbook-clauses.toml"
COVERAGE = HOUSE / "docs" / "runbook-coverage.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m reports", description="Records, and what is verified")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    html = commands.add_parser("html", help="make one HTML file of Allure results, to open from disk")
    html.add_argument("results", type=Path, help="the folder given to pytest as --alluredir")
    html.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("report", "constancia.html"),
        metavar="FILE",
        help="the file to write (default: report/constancia.html)",
    )
    html.set_defaults(command=_html)
    listed = commands.add_parser("requirements", help="list the catalogue, and what systems declare of it")
    listed.add_argument("--system", action="append", default=[], metavar="NAME", help="of this system; repeatable")
    listed.add_argument(
        "--systems", type=Path, default=HOUSE / "systems", metavar="DIR", help="where the system files lie"
    )
    listed.set_defaults(command=_requirements)
    coverage = commands.add_parser("coverage", help="write docs/runbook-coverage.md anew")
    coverage.set_defaults(command=_coverage)
    signing = commands.add_parser("sign-off", help="put on record that you did a recurring task, now")
    signing.add_argument("task", metavar="TASK", help="the name of its [[task]] in the system file")
    signing.add_argument("--by", required=True, metavar="NAME", help="who did it, as the roster names you")
    signing.add_argument("--note", required=True, metavar="TEXT", help="what you did or found")
    signing.add_argument("--system", metavar="NAME", help="whose task, where several systems have one of this name")
    signing.add_argument(
        "--systems", type=Path, default=HOUSE / "systems", metavar="DIR", help="where the system files lie"
    )
    signing.set_defaults(command=_sign_off)
    _add_incidents(commands)
    _add_history(commands)
    chosen = parser.parse_args(arguments)
    code: int = chosen.command(chosen)
    return code


def _add_history(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    history = commands.add_parser("history", help="export results, or remove old ones")
    commands = history.add_subparsers(required=True, metavar="COMMAND")
    pruning = commands.add_parser("prune", help="remove old results where hourly figures tell all that they said")
    pruning.add_argument(
        "--keep", type=_duration, metavar="DURATION", help='how old results may become (default: "90 days")'
    )
    pruning.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    pruning.set_defaults(command=_prune)
    exporting = commands.add_parser("export", help="write results as lines of JSON")
    exporting.add_argument("--system", metavar="NAME", help="of this one alone")
    exporting.add_argument("--since", type=_date, metavar="DATE", help="from this date or time on (UTC)")
    exporting.add_argument("--until", type=_date, metavar="DATE", help="before this date or time (UTC)")
    exporting.add_argument("-o", "--output", type=Path, metavar="FILE", help="the file to write (default: the output)")
    exporting.set_defaults(command=_export)


def _duration(text: str) -> timedelta:
    from fixtures.measure.units import parse_duration

    try:
        return parse_duration(text)
    except ValueError as reason:
        raise argparse.ArgumentTypeError(str(reason)) from None


def _date(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'"{text}" is no date: write it like 2026-11-21') from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _history() -> "History":
    """The history that runs have made: one made anew where its address is misspelt would say that there is nothing.

    Raises:
        Unverified: when its address is none, or there is no such file.
    """
    from reports.history.address import VARIABLE
    from reports.history.store import History
    from reports.requirement import Unverified

    history = History()
    file = history.address.file
    if file is not None and not file.exists():
        raise Unverified(
            f"reading the history in {file}",
            came_back="no such file",
            remedy=f"Set {VARIABLE} to where runs put their results; the first of them makes it",
        )
    return history


def _prune(chosen: argparse.Namespace) -> int:
    from fixtures.clock import Clock
    from reports.history.kept import milliseconds
    from reports.history.retention import KEPT, prune
    from reports.requirement import Unverified

    try:
        history = _history()
        keep = KEPT if chosen.keep is None else chosen.keep
        removed = prune(history, milliseconds(Clock().now()), keep=keep, dry_run=chosen.dry_run)
    except Unverified as reason:
        return _refuse(f"Not all was removed: {reason}")
    would = "would go" if chosen.dry_run else "removed"
    told = f"what they said is kept as figures of {removed.hours} hours"
    _say(f"{history.address.shown}: {removed.results} results {would}; {told}.")
    return 0


def _export(chosen: argparse.Namespace) -> int:
    from reports.history.exporting import export
    from reports.requirement import Unverified

    if chosen.since and chosen.until and chosen.since >= chosen.until:
        return _refuse(f"Not exported: --until {chosen.until:%Y-%m-%d %H:%M} is not after --since")
    try:
        count = export(_history(), chosen.output, system=chosen.system, since=chosen.since, until=chosen.until)
    except BrokenPipeError:  # whoever reads them has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _refuse(f"Not exported: {chosen.output or 'the output'}: {error.strerror}")
    except Unverified as reason:
        return _refuse(f"Not exported: {reason}")
    if chosen.output is not None:
        _say(f"{count} results: {chosen.output}")
    return 0


def _add_incidents(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    incidents = commands.add_parser("incidents", help="list incidents, answer them, draft their post-mortems")
    _add_listing(incidents, systems=HOUSE / "systems", system=None, all=False)
    incidents.set_defaults(command=_list_incidents)
    family = incidents.add_subparsers(metavar="COMMAND")
    _add_listing(family.add_parser("list", help="list those that nobody has resolved yet (what it does by default)"))
    about = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    about.add_argument("number", type=_number, metavar="NUMBER", help="of the incident, as alerts and the list name it")
    about.add_argument("--systems", type=Path, metavar="DIR", help="where the system files lie")
    answering = argparse.ArgumentParser(add_help=False, parents=[about])
    answering.add_argument("--by", required=True, metavar="NAME", help="who you are, as the roster names you")
    shown = family.add_parser("show", parents=[about], help="tell all that is known of one")
    shown.set_defaults(command=_show_incident)
    taken = family.add_parser("acknowledge", parents=[answering], help="take one on, with all grouped under it")
    taken.add_argument("--note", metavar="TEXT", help="what you know so far")
    taken.set_defaults(command=_answer_incident, answer=_acknowledge, verb="acknowledged")
    told = family.add_parser("told", parents=[answering], help="put on record that stakeholders were told")
    told.add_argument("--note", required=True, metavar="TEXT", help="whom you told, and how")
    told.set_defaults(command=_answer_incident, answer=_tell, verb="stakeholders told")
    resolved = family.add_parser("resolve", parents=[answering], help="say what the cause of one was that is over")
    resolved.add_argument("--cause", required=True, metavar="TEXT", help="what it was")
    resolved.set_defaults(command=_answer_incident, answer=_resolve, verb="resolved")
    drafted = family.add_parser("postmortem", parents=[about], help="draft the post-mortem of one")
    drafted.add_argument("-o", "--output", type=Path, metavar="FILE", help="a file that is not there yet")
    drafted.set_defaults(command=_draft_postmortem)


def _number(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,17}", text):
        raise argparse.ArgumentTypeError(f'"{text}" is no number of an incident: write it like 12')
    return int(text)


def _add_listing(parser: argparse.ArgumentParser, **defaults: object) -> None:
    """The options of the list; without defaults those that are given before the command stay."""
    systems, system, all_ = (defaults.get(name, argparse.SUPPRESS) for name in ("systems", "system", "all"))
    parser.add_argument("--system", default=system, metavar="NAME", help="of this system alone")
    parser.add_argument("--systems", type=Path, default=systems, metavar="DIR", help="where the system files lie")
    parser.add_argument("--all", action="store_true", default=all_, help="the resolved ones, too")


def _html(chosen: argparse.Namespace) -> int:
    try:
        report = make(chosen.results, chosen.output)
    except ReportError as reason:
        return _refuse(f"No report was made: {reason}")
    _say(f"The report: {report.as_uri()}")
    return 0


def _requirements(chosen: argparse.Namespace) -> int:
    from reports.catalogue import CollectionError, as_text

    names = chosen.system or sorted(path.stem for path in chosen.systems.glob("*.toml"))
    try:
        catalogue, states, _ = _told(chosen.systems, names)
    except CollectionError as error:
        return _refuse(str(error))
    _say(as_text(catalogue, states))
    return 0


def _sign_off(chosen: argparse.Namespace) -> int:
    from fixtures.clock import Clock
    from fixtures.signing import SigningError, sign
    from fixtures.system import SystemFileError

    given = {"by": chosen.by, "note": chosen.note, "systems": chosen.systems, "system": chosen.system}
    try:
        path, signed = sign(chosen.task, **given, clock=Clock())
    except (SigningError, SystemFileError) as reason:
        return _refuse(f"Nothing was signed: {reason}")
    _say(f"Signed in {path}: {signed.task}, by {signed.by}, {signed.at:%Y-%m-%d %H:%M} UTC.")
    _say("Keep it under version control, and commit it.")
    return 0


def _list_incidents(chosen: argparse.Namespace) -> int:
    from fixtures.answering import AnsweringError, headers
    from fixtures.clock import Clock
    from fixtures.system import SystemFileError
    from reports.incident_pages import in_one_line
    from reports.requirement import Unverified

    now = Clock().now()
    try:
        from reports.history import incidents

        told = headers(chosen.systems, chosen.system)
        history = _history()
        with history.reading() as opened:
            asked = incidents.all_of if chosen.all else incidents.unresolved_of
            found = [
                in_one_line(each, zone=ZoneInfo(header.timezone), now=now)
                for name, header in told.items()
                for each in asked(opened, name, header.environment)
            ]
    except (AnsweringError, SystemFileError, Unverified) as reason:
        return _refuse(f"No incident was looked for: {reason}")
    none = f"No incident{'' if chosen.all else ' that nobody has resolved'} of {', '.join(told)}"
    _say("\n".join(found) or f"{none} in {history.address.shown}.")
    return 0


def _show_incident(chosen: argparse.Namespace) -> int:
    from fixtures.clock import Clock
    from reports.incident_pages import page

    now = Clock().now()
    known = _known(chosen, now)
    if isinstance(known, str):
        return _refuse(known)
    facts, about = known
    _say(page(facts, zone=about.zone, now=now))
    return 0


def _draft_postmortem(chosen: argparse.Namespace) -> int:
    from fixtures.clock import Clock
    from reports.postmortem import draft

    known = _known(chosen, Clock().now())
    if isinstance(known, str):
        return _refuse(known)
    text = draft(*known)
    if chosen.output is None:
        _say(text.removesuffix("\n"))
        return 0
    try:
        with chosen.output.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        return _refuse(f"{chosen.output}: {error.strerror}; nothing was written")
    _say(f"Written: {chosen.output}")
    return 0


def _known(chosen: argparse.Namespace, now: datetime) -> "tuple[Facts, About] | str":
    """What is known of an incident and its system; why not, where it is not."""
    from fixtures.answering import AnsweringError, headers, step_for
    from fixtures.system import SystemFileError
    from reports.postmortem import About, gathered
    from reports.requirement import Unverified

    try:
        from reports.history import incidents

        with _history().reading() as opened:
            found = incidents.one(opened, chosen.number)
            if found is None:
                return f"There is no incident {chosen.number}; python -m reports incidents lists them."
            facts = gathered(opened, found, now)
        header = headers(chosen.systems, found.system)[found.system]
        steps = {each.requirement: step_for(chosen.systems, found.system, each.requirement) for each in facts.all}
    except (AnsweringError, SystemFileError, Unverified) as reason:
        return f"Nothing can be told of incident {chosen.number}: {reason}"
    return facts, About(header.title, ZoneInfo(header.timezone), header.language, steps.get)


def _acknowledge(answers: "Answering", chosen: argparse.Namespace) -> "Answered":
    return answers.acknowledge(chosen.number, by=chosen.by, note=chosen.note)


def _tell(answers: "Answering", chosen: argparse.Namespace) -> "Answered":
    return answers.told(chosen.number, by=chosen.by, note=chosen.note)


def _resolve(answers: "Answering", chosen: argparse.Namespace) -> "Answered":
    return answers.resolve(chosen.number, by=chosen.by, cause=chosen.cause)


def _answer_incident(chosen: argparse.Namespace) -> int:
    from fixtures.answering import Answering, AnsweringError
    from fixtures.clock import Clock
    from fixtures.signing import SigningError
    from fixtures.system import SystemFileError
    from reports.requirement import Unverified

    try:
        answered = chosen.answer(Answering(_history(), folder=chosen.systems, clock=Clock()), chosen)
    except (AnsweringError, SigningError, SystemFileError, Unverified) as reason:
        return _refuse(f"Nothing was changed: {reason}")
    for each in answered.incidents:
        late = (
            ", after its deadline, which is on record"
            if chosen.verb == "acknowledged" and each.acknowledged_late
            else ""
        )
        _say(f"Incident {each.number} ({each.requirement} {each.target}): {chosen.verb} by {chosen.by}{late}.")
    for each in answered.still_open:
        _say(f"Incident {each.number} ({each.requirement} {each.target}) is not over, and stays open.")
    return 0


def _coverage(_: argparse.Namespace) -> int:
    COVERAGE.write_text(coverage_page(), encoding="utf-8")
    _say(f"Written: {COVERAGE}")
    return 0


def coverage_page() -> str:
    """What docs/runbook-coverage.md must say."""
    from reports.coverage import as_markdown, read

    runbooks = read(CLAUSES)
    return as_markdown(runbooks, *_told(HOUSE / "systems", [each.system for each in runbooks.documents]))


def _told(folder: Path, names: Sequence[str]) -> "tuple[Sequence[Row], State, Tasks]":
    """The catalogue, what systems declare of it, and their tasks by the clause that each is done for.

    No value of a variable is told: for those that are not set, the example beside the system file will do.

    Raises:
        CollectionError: as `collected`.
    """
    from fixtures.system import load
    from reports.catalogue import collected

    for name in names:
        for variable, example in _examples(folder / f"{name}.env.example").items():
            os.environ.setdefault(variable, example)
    catalogue = collected((HOUSE / "checks", HOUSE / "restore"), systems=folder, names=names)
    systems = {name: load(folder / f"{name}.toml") for name in names}
    states = {
        name: {row.requirement.id: _state(system, row.requirement.id, row.targets[name]) for row in catalogue}
        for name, system in systems.items()
    }
    tasks = {name: {each.source: each.name for each in system.task} for name, system in systems.items()}
    return catalogue, states, tasks


def _state(system: "System", requirement_id: str, targets: Sequence[str]) -> str:
    if reason := system.not_applicable(requirement_id):
        return f"not applicable: {reason}"
    from fixtures.targets import NONE_DECLARED

    return "nothing declared: unverified" if targets == [NONE_DECLARED] else f"declared: {', '.join(targets)}"


def _examples(file: Path) -> Mapping[str, str]:
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else ()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def _say(text: str) -> None:
    print(text)  # noqa: T201 -- a command says how it went


def _refuse(text: str) -> int:
    print(text, file=sys.stderr)  # noqa: T201 -- same
    return 1


if __name__ == "__main__":
    sys.exit(main())
