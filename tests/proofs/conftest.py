"""A proof runs the suite as its user does, against a lab with a real fault in it, and says exactly what turned red."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.embedded import short_folder
from fixtures.lab.lab import Lab
from reports.ledger import Result
from reports.requirement import Outcome

HOUSE = Path(__file__).parents[2]
LONGEST_RUN = 120


@dataclass(frozen=True)
class Run:
    """What a run of the suite came to.

    Attributes:
        exit_code: of the process.
        results: by "REQUIREMENT target", the target without the system's name.
        output: what it printed, for a failing proof to show.
    """

    exit_code: int
    results: Mapping[str, Result]
    output: str

    def of(self, outcome: Outcome) -> set[str]:
        """Which check runs came to an outcome."""
        return {name for name, result in self.results.items() if result.outcome is outcome}

    @property
    def red(self) -> set[str]:
        """What is breached."""
        return self.of(Outcome.BREACHED)

    @property
    def grey(self) -> set[str]:
        """What is unverified."""
        return self.of(Outcome.UNVERIFIED)


@dataclass(frozen=True)
class Suite:
    """The suite, to be run against the lab of this worker."""

    folder: Path
    environment: Mapping[str, str]

    def run(
        self,
        system: str,
        *options: str,
        rooms: tuple[str, ...] = ("checks",),
        limits: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> Run:
        """Run the suite in a process of its own.

        Args:
            system: which one.
            options: of pytest.
            rooms: "checks", "restore", or both.
            limits: texts of the system file and what to put in their place, for limits too long to be waited for.
            variables: environment variables in place of the lab's.
        """
        text = (HOUSE / "systems" / f"{system}.toml").read_text(encoding="utf-8")
        for before, after in (limits or {}).items():
            assert before in text, f"{system}.toml has no {before!r} any more"
            text = text.replace(before, after)
        systems = self.folder / "systems"
        systems.mkdir(exist_ok=True)
        (systems / f"{system}.toml").write_text(text, encoding="utf-8")
        results = self.folder / "results.json"
        results.unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *rooms, f"--systems={systems}", f"--system={system}"]
            + ["-p", "tests.proofs.recorder", *options],
            cwd=HOUSE,
            env={**_surroundings(), **self.environment, **(variables or {}), "PROOF_RESULTS": str(results)},
            capture_output=True,
            text=True,
            timeout=LONGEST_RUN,
            check=False,
        )
        output = done.stdout + done.stderr
        assert results.exists(), output
        recorded = [Result.from_text(text) for text in json.loads(results.read_text(encoding="utf-8"))]
        named = {f"{each.requirement} {each.target.partition('/')[2]}": each for each in recorded}
        return Run(done.returncode, named, output)


def _surroundings() -> dict[str, str]:
    """This process's environment without what pytest and xdist tell their children."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Lab]:
    """A lab for this worker; the faults that a proof injects are undone when their context ends."""
    base = tmp_path_factory.getbasetemp()
    template = (base if worker_id == "master" else base.parent) / "lab-template"
    with short_folder("lab") as folder, Lab(folder, template=template) as started:
        yield started


@pytest.fixture
def suite(lab: Lab, tmp_path: Path) -> Suite:
    """The suite, to be run against it."""
    return Suite(tmp_path, lab.environment)
