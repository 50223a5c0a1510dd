"""A proof runs the suite as its user does, against a lab with a real fault in it, and says exactly what turned red."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fixtures.lab.history import LabHistory, variables_of
from fixtures.lab.lab import Lab
from fixtures.short_folder import short_folder
from reports.ledger import BREACHED, UNVERIFIED, Result
from reports.requirement import Outcome
from tests.proofs.forking import Forking

HOUSE = Path(__file__).parents[2]
LONGEST_RUN = 120
# Those that the suite depends on, by name: what merely happens to be installed would take longer to load than a run.
PLUGINS = ("-p", "xdist", "-p", "allure_pytest.plugin", "-p", "tests.proofs.recorder")
# The folder of leases, which is empty when all is well, and pytest's own for its workers.
STAYS = ("constancia-leases-", "pytest-of-")
NONE: AbstractSet[str] = frozenset()


@dataclass(frozen=True)
class Run:
    """What a run of the suite came to.

    Attributes:
        exit_code: of the process.
        results: by "REQUIREMENT target", the target without the system's name.
        output: what it printed, for a failing proof to show.
        left: what it left in the folder for temporary files.
    """

    exit_code: int
    results: Mapping[str, Result]
    output: str
    left: Sequence[str]

    def of(self, outcome: Outcome) -> set[str]:
        """Which check runs came to an outcome."""
        return {name for name, result in self.results.items() if result.outcome is outcome}

    def expect(
        self, *, red: AbstractSet[str] = NONE, grey: AbstractSet[str] = NONE, waived: AbstractSet[str] = NONE
    ) -> None:
        """Hold the run to exactly these breached, unverified and waived check runs, and to the exit code of that.

        Whatever else was expected of it has passed then, or is declared not applicable.
        """
        assert self.results, self.output
        assert not self.left, self.output
        assert self.of(Outcome.BREACHED) == red, self.output
        assert self.of(Outcome.UNVERIFIED) == grey, self.output
        assert self.of(Outcome.WAIVED) == waived, self.output
        assert self.exit_code == (BREACHED if red else UNVERIFIED if grey else 0), self.output

    def said(self, check_run: str) -> str:
        """What a person is told of a check run that did not pass."""
        return self.results[check_run].message

    def observed(self, check_run: str) -> dict[str, str]:
        """What was measured or noted in a check run, by what it is."""
        return {each.what: each.observed_text for each in self.results[check_run].measurements}


@dataclass(frozen=True)
class Suite:
    """The suite, to be run against the lab of this worker.

    Attributes:
        folder: for the system file and the results.
        temporary: for its temporary files, with a path short enough for a server's socket.
        environment: the lab's.
        forking: what runs are forked from that need no process of their own, as xdist's workers do.
        past: of the lab.
    """

    folder: Path
    temporary: Path
    environment: Mapping[str, str]
    forking: Forking
    past: LabHistory

    def run(  # noqa: PLR0913 -- whatever differs from an everyday run is said by name
        self,
        system: str,
        *options: str,
        rooms: tuple[str, ...] = ("checks",),
        limits: Mapping[str, str] | None = None,
        also: str = "",
        variables: Mapping[str, str] | None = None,
        later: timedelta | None = None,
        since: Callable[[Path], None] | None = None,
        goes_on: bool = False,
        meanwhile: Callable[["subprocess.Popen[str]"], None] | None = None,
    ) -> Run:
        """Run the suite in a process of its own.

        Args:
            system: which one.
            options: of pytest.
            rooms: "checks", "restore", or both.
            limits: texts of the system file and what to put in their place, for limits too long to be waited for.
            also: what the system file declares beside that.
            variables: environment variables in place of the lab's.
            later: how far its clock is moved on.
            since: what is done to the file of its history, in which all was well for forty days, before it runs.
            goes_on: whether its history is that of the run before instead.
            meanwhile: what is done while it runs.
        """
        systems = self.folder / "systems"
        systems.mkdir(exist_ok=True)
        (systems / f"{system}.toml").write_text(_changed(system, limits or {}) + also, encoding="utf-8")
        results = self.folder / "results.json"
        results.unlink(missing_ok=True)
        now = datetime.now(UTC) + (later or timedelta(0))
        moved = [f"--now={now:%Y-%m-%dT%H:%M:%SZ}"] if later else []
        history = self.folder / "history.db"
        if not goes_on:
            self.past.copy(history, now)
        if since is not None:
            since(history)
        arguments = [*rooms, f"--systems={systems}", f"--system={system}", *PLUGINS, "--color=no", *moved, *options]
        environment = {**self._variables(), **(variables or {}), "PROOF_RESULTS": str(results)}
        if meanwhile is None and "-n" not in options:
            printed = self.folder / "output.txt"
            exit_code = self.forking.run(arguments, environment, output=printed, longest=LONGEST_RUN)
            output = printed.read_text(encoding="utf-8")
        else:
            exit_code, output = _run_apart(arguments, environment, meanwhile)
        left = [path.name for path in self.temporary.iterdir() if not path.name.startswith(STAYS)]
        written = json.loads(results.read_text(encoding="utf-8")) if results.exists() else []
        recorded = [Result.from_text(text) for text in written]
        named = {f"{each.requirement} {each.target.partition('/')[2]}": each for each in recorded}
        return Run(exit_code, named, output, left)

    def _variables(self) -> dict[str, str]:
        """The lab's variables, and of this process's own what pytest and xdist do not tell their children."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
        history = variables_of(self.folder / "history.db")
        ours = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "TMPDIR": str(self.temporary)}
        return {**kept, **self.environment, **history, **ours}


def _run_apart(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    meanwhile: Callable[["subprocess.Popen[str]"], None] | None,
) -> tuple[int, str]:
    """Run pytest as its user does; its exit code and what it printed."""
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=HOUSE,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        if meanwhile is not None:
            meanwhile(process)
        output, _ = process.communicate(timeout=LONGEST_RUN)
    return process.returncode, output


def _changed(system: str, limits: Mapping[str, str]) -> str:
    text = (HOUSE / "systems" / f"{system}.toml").read_text(encoding="utf-8")
    for before, after in limits.items():
        assert before in text, f"{system}.toml has no {before!r} any more"
        text = text.replace(before, after)
    return text


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Lab]:
    """A lab for this worker; the faults that a proof injects are undone when their context ends."""
    base = tmp_path_factory.getbasetemp()
    template = (base if worker_id == "master" else base.parent) / "lab-template"
    with short_folder("lab") as folder, Lab(folder, template=template) as started:
        yield started


@pytest.fixture
def suite(lab: Lab, forking: Forking, tmp_path: Path) -> Suite:
    """The suite, to be run against it."""
    for log in (lab.nocobase_access, lab.comercial_access):
        log.visited()
    temporary = lab.folder / "tmp"
    temporary.mkdir(exist_ok=True)
    return Suite(tmp_path, temporary, lab.environment, forking, lab.history)
