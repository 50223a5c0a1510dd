"""What is done with records, and what is told of requirements: `python -m reports COMMAND`.

A command line stands on top of all floors, as conftest.py does: here alone do system files and records meet.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reports.html import ReportError, make

if TYPE_CHECKING:
    from fixtures.system import System
    from reports.catalogue import Row, State
    from reports.coverage import Tasks

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
    chosen = parser.parse_args(arguments)
    code: int = chosen.command(chosen)
    return code


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
