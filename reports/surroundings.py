"""What a reader of Allure results must know of the run: which suite and system files, where, and how it ended."""

import hashlib
import json
import os
import platform
import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from reports.redaction import Redactor
from reports.requirement import GRAVITY, Outcome

ENVIRONMENT = "environment.properties"
EXECUTOR = "executor.json"
CATEGORIES = "categories.json"
SYSTEMS = "systems"
LANGUAGE = "language"
NOT_ENDED = "none: the run did not end"

_ENDS_A_KEY = re.compile(r"[:= ]")


def categories() -> Sequence[Mapping[str, object]]:
    """The outcomes as Allure's categories, told apart by status and by the first word of the message."""
    status = {Outcome.BREACHED: "failed", Outcome.UNVERIFIED: "broken"}
    named = (outcome for outcome in Outcome if outcome is not Outcome.PASSED)
    return [
        {
            "name": outcome.capitalize(),
            "matchedStatuses": [status.get(outcome, "skipped")],
            # Allure 2 wants the whole message to match, Allure 3 any part of it.
            "messageRegex": rf"^{outcome.upper()}[\s\S]*",
        }
        for outcome in named
    ]


def environment(
    titles: Sequence[str],
    files: Sequence[Path],
    *,
    language: str,
    gate: str | None,
    now: datetime | None,
    verdict: str,
) -> Mapping[str, str]:
    """The facts of a run.

    Args:
        titles: of the systems.
        files: the system files.
        language: in which a report on this run is written.
        gate: "before" or "after" a deployment; None where the run judges none.
        now: the time that the run was told it is; None where it went by the machine's clock.
        verdict: as `verdict` says it.
    """
    about = {"verdict": verdict, SYSTEMS: " · ".join(titles), "constancia": version()}
    about |= {path.name: f"sha256 {digest_of(path)}" for path in files}
    return about | {
        "gate": f"{gate} a deployment" if gate else "none",
        "clock": f"moved to {now.isoformat()}" if now else "the machine's own",
        "python": f"{platform.python_version()}, {platform.system()} {platform.machine()}",
        LANGUAGE: language,
    }


def verdict(outcomes: Sequence[Outcome], *, exit_code: int) -> str:
    """How a run ended: "exit code 1: 1 breached, 12 passed"."""
    counts = [f"{outcomes.count(outcome)} {outcome}" for outcome in reversed(GRAVITY) if outcome in outcomes]
    return f"exit code {exit_code}: {', '.join(counts) or 'nothing was verified'}"


def executor(variables: Mapping[str, str]) -> Mapping[str, str | int]:
    """Who ran it: the pipeline where one says so in its environment variables, else the machine.

    Args:
        variables: of the environment.
    """
    if variables.get("GITHUB_ACTIONS") == "true":
        repository = f"{variables.get('GITHUB_SERVER_URL', '')}/{variables.get('GITHUB_REPOSITORY', '')}"
        return {
            "name": "GitHub Actions",
            "type": "github",
            "url": repository,
            "buildName": f"{variables.get('GITHUB_WORKFLOW', '')} #{variables.get('GITHUB_RUN_NUMBER', '')}",
            "buildOrder": _number(variables.get("GITHUB_RUN_NUMBER", "")),
            "buildUrl": f"{repository}/actions/runs/{variables.get('GITHUB_RUN_ID', '')}",
        }
    if variables.get("GITLAB_CI") == "true":
        return {
            "name": "GitLab CI",
            "type": "gitlab",
            "url": variables.get("CI_PROJECT_URL", ""),
            "buildName": f"{variables.get('CI_JOB_NAME', '')} #{variables.get('CI_PIPELINE_IID', '')}",
            "buildOrder": _number(variables.get("CI_PIPELINE_IID", "")),
            "buildUrl": variables.get("CI_JOB_URL", ""),
        }
    return {"name": platform.node(), "type": "host"}


def write(folder: Path, facts: Mapping[str, str], *, redact: Redactor) -> None:
    """Put the three files beside the results."""
    properties = "".join(f"{_key(name)} = {_ascii(redact(value))}\n" for name, value in facts.items())
    (folder / ENVIRONMENT).write_text(properties, encoding="ascii")
    for name, document in ((EXECUTOR, executor(os.environ)), (CATEGORIES, categories())):
        (folder / name).write_text(redact(json.dumps(document, indent=2, ensure_ascii=False)), encoding="utf-8")


def read(folder: Path) -> Mapping[str, str]:
    """The facts of a run that `write` wrote; empty where there are none."""
    path = folder / ENVIRONMENT
    lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
    pairs = (line.partition(" = ") for line in lines)
    return {name.replace("\\", ""): json.loads(f'"{value}"') for name, _, value in pairs}


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _key(text: str) -> str:
    return _ENDS_A_KEY.sub(r"\\\g<0>", _ascii(text))


def _ascii(text: str) -> str:
    """The escapes of a Java properties file are those of JSON."""
    return json.dumps(" ".join(text.split()))[1:-1]


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def version() -> str:
    """The suite's version."""
    pyproject = Path(__file__).parents[1] / "pyproject.toml"
    return str(tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["version"])
