"""What is handed to operators is what their schedulers accept, and says what the suite can do."""

import configparser
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import pytest

from fixtures.system import load

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / "deploy/github-actions").glob("*.yml"))
SYSTEM_FILES = sorted((ROOT / "systems").glob("*.toml"))
UNITS = sorted(path for path in (ROOT / "deploy/systemd").iterdir() if path.is_file())
CRON_LINES = [
    line
    for line in (ROOT / "deploy/cron/constancia").read_text().splitlines()
    if line and not line.startswith("#") and not re.match(r"\w+=", line)
]


def _tool(name: str) -> str:
    return str(Path(sysconfig.get_path("scripts")) / name)


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_workflows_fit_the_schema() -> None:
    ended = _run(_tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", *map(str, WORKFLOWS))
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_workflows_have_no_security_finding() -> None:
    ended = _run(_tool("zizmor"), "--offline", "--no-progress", "--persona", "pedantic", *map(str, WORKFLOWS))
    assert ended.returncode == 0, ended.stdout + ended.stderr


def _complaints(unit: Path) -> list[str]:
    """What systemd says about a unit; what it says about units of this machine is left out."""
    program = shutil.which("systemd-analyze")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("systemd-analyze is not on the PATH; install the package systemd")
        pytest.skip("systemd-analyze is not on the PATH")
    instance = unit.with_name(unit.name.replace("@", "@mira"))
    ended = _run(program, "verify", "--man=no", str(instance))
    return [line for line in (ended.stdout + ended.stderr).splitlines() if "constancia" in line]


def _units_with_programs_that_exist(folder: Path) -> Path:
    for unit in UNITS:
        text = re.sub(r"(?<==)/opt/constancia/\S*/python", sys.executable, unit.read_text())
        (folder / unit.name).write_text(text)
    return folder


@pytest.mark.parametrize("name", [unit.name for unit in UNITS])
def test_systemd_accepts_the_unit(name: str, tmp_path: Path) -> None:
    assert _complaints(_units_with_programs_that_exist(tmp_path) / name) == []


def test_systemd_accepts_the_drill_without_docker(tmp_path: Path) -> None:
    name = "constancia-drill@.service"
    units = _units_with_programs_that_exist(tmp_path)
    shutil.copytree(ROOT / f"deploy/systemd/{name}.d", units / f"{name}.d")
    assert _complaints(units / name) == []


def test_systemd_complains_about_a_misspelt_unit(tmp_path: Path) -> None:
    name = "constancia-checks@.service"
    unit = _units_with_programs_that_exist(tmp_path) / name
    unit.write_text(unit.read_text().replace("ProtectSystem", "ProtectSytem"))
    assert any("ProtectSytem" in line for line in _complaints(unit))


@pytest.mark.parametrize("line", CRON_LINES)
def test_cron_line_is_whole(line: str) -> None:
    *times, user, command = line.split(maxsplit=6)
    assert all(re.fullmatch(r"\*|[\d,*/-]+", field) for field in times)
    assert user == "constancia"
    assert not re.search(r"(?<!\\)%", command), "cron takes a bare % for a line break"
    ended = _run("sh", "-n", "-c", command.replace(r"\%", "%"))
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("scheduler", ["cron", "systemd"])
def test_schedules_keep_the_history_from_growing_for_ever(scheduler: str) -> None:
    files = [path for path in (ROOT / "deploy" / scheduler).iterdir() if path.is_file()]
    assert any("-m reports history prune" in path.read_text() for path in files)


def _environments() -> Mapping[str, Mapping[str, str]]:
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.read(ROOT / "tox.ini")
    return {name.removeprefix("testenv:"): parsed[name] for name in parsed.sections() if name.startswith("testenv:")}


@pytest.mark.parametrize("path", [*WORKFLOWS, *UNITS, ROOT / "deploy/cron/constancia"], ids=lambda path: path.name)
def test_environments_that_a_schedule_names_exist(path: Path) -> None:
    named = re.findall(r"tox run -e (\w+)|\.tox/(\w+)/", path.read_text())
    assert {name for pair in named for name in pair if name} <= _environments().keys()


def _variables(workflow: Path) -> dict[str, str]:
    return dict(re.findall(r"^ +([A-Z_]+): ([^#\n]*[^# \n])", workflow.read_text(), re.MULTILINE))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_sets_every_variable_of_the_system_files(workflow: Path) -> None:
    needed = {name for path in SYSTEM_FILES for name in re.findall(r"\$\{(\w+)\}", path.read_text())}
    assert needed <= _variables(workflow).keys()


@pytest.mark.parametrize("path", SYSTEM_FILES, ids=lambda path: path.name)
def test_drill_needs_no_way_into_production(path: Path) -> None:
    variables = _variables(ROOT / "deploy/github-actions/monthly-restore-drill.yml")
    # The history is no part of production.
    assert {name for name, value in variables.items() if "secrets." in value} == {"CONSTANCIA_HISTORY"}
    filled_in = {name: re.sub(r"\$\{\{.*\}\}", "https://example.org/x", value) for name, value in variables.items()}
    assert load(path, filled_in).restore
