"""The house stands as it was drawn: no import points upwards, no two files import each other, no check is long."""

import ast
import subprocess
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent
ROOMS = ("fixtures", "checks", "restore", "reports", "conftest", "tests", "benchmarks")
VOCABULARY = "reports.requirement"
HISTORY = "reports.history"
# From the ground: what the modules of a room may import, beside their own room.
MAY_IMPORT = {
    "fixtures.measure": (),
    "reports.requirement": ("fixtures.measure",),
    HISTORY: ("fixtures.measure", VOCABULARY),
    "reports": ("fixtures.measure",),
    "fixtures": (VOCABULARY, HISTORY),
    "checks": ("fixtures", VOCABULARY),
    "restore": ("fixtures", VOCABULARY),
}
# The command line stands on top of all floors, as conftest.py does.
ON_TOP = ("reports.__main__",)
LONGEST_CHECK = 12


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=HOUSE,
        capture_output=True,
        text=True,
        check=True,
    )
    return [HOUSE / line for line in listed.stdout.splitlines() if (HOUSE / line).is_file()]


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(HOUSE).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in tracked("*.py")}
OWN = {
    module: {each for each in imports_of(path) if each in MODULES and each != module}
    for module, path in MODULES.items()
    if module.split(".", maxsplit=1)[0] in ROOMS
}


def room_of(module: str) -> str | None:
    rooms = [room for room in MAY_IMPORT if module == room or module.startswith(f"{room}.")]
    return max(rooms, key=len, default=None)


@pytest.mark.parametrize("module", [module for module in OWN if room_of(module) and module not in ON_TOP])
def test_no_import_points_upwards(module: str) -> None:
    room = room_of(module)
    assert room is not None
    allowed = (*MAY_IMPORT[room], room)
    upwards = [each for each in OWN[module] if not each.startswith(allowed)]
    assert not upwards, f"{module} imports {upwards}"


def test_no_two_files_import_each_other() -> None:
    TopologicalSorter(OWN).prepare()  # raises CycleError, which names the cycle


CHECKS = [
    (path, node)
    for path in tracked("checks/test_*.py", "restore/test_*.py")
    for node in ast.parse(path.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
]


@pytest.mark.parametrize(("path", "check"), CHECKS, ids=[node.name for _, node in CHECKS])
def test_check_reads_like_one(path: Path, check: ast.FunctionDef) -> None:
    del path
    documentation = ast.get_docstring(check) or ""
    assert documentation.splitlines()[0].endswith("."), "its first line is the requirement as an auditor reads it"
    assert "Source: " in documentation
    body = check.body[1:]
    assert (check.end_lineno or 0) - body[0].lineno < LONGEST_CHECK


def test_ci_runs_the_commands_of_the_readme() -> None:
    commands = [
        line
        for name in ("README.md", "README.es.md")
        for line in (HOUSE / name).read_text(encoding="utf-8").splitlines()
        if line.startswith(("python3 -m venv", ".venv/bin/tox"))
    ]
    assert len(set(commands)) * 2 == len(commands), "both READMEs give the same commands"
    ci = (HOUSE / ".ci" / "run").read_text(encoding="utf-8")
    assert ".venv/bin/tox run -e tests" in commands
    assert ".venv/bin/tox run -e tests" in ci
