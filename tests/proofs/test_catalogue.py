"""The catalogue, the checks and their proofs name the same requirements: none without the other two."""

import ast
import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

from tests.proofs.affected import CHECKED, DRILLED, GREEN_IN_PROOFS
from tests.proofs.conftest import HOUSE
from tests.proofs.rows import Row, catalogue


def marked_checks() -> dict[str, Row]:
    rows = {}
    for path in sorted(each for room in ("checks", "restore") for each in (HOUSE / room).glob("test_*.py")):
        for function in vars(imported(path)).values():
            for mark in getattr(function, "pytestmark", ()):
                row = mark.args[0]
                assert row.id not in rows, f"two checks verify {row.id}"
                rows[row.id] = Row(row.severity, row.every, row.gates)
    return rows


def imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"catalogue_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def proven_red() -> set[str]:
    """The requirements that a proof of theirs expects to be breached."""
    found = set()
    for path in (HOUSE / "tests" / "proofs").glob("test_*.py"):
        module = imported(path)
        for function in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(function, ast.FunctionDef):
                proves = {
                    mark.args[0]
                    for mark in getattr(getattr(module, function.name), "pytestmark", ())
                    if mark.name == "proves"
                }
                found |= proves & {name.partition(" ")[0] for name in expected_red(function, module)}
    return found


def expected_red(function: ast.FunctionDef, module: ModuleType) -> Iterator[str]:
    """The names in what a proof gives to `Run.expect` as red, those in the module's sets included."""
    for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
        for keyword in (each for each in call.keywords if each.arg == "red"):
            for node in ast.walk(keyword.value):
                if isinstance(node, ast.Constant):
                    yield from texts_in(node.value)
                elif isinstance(node, ast.Name):
                    yield from texts_in(getattr(module, node.id, None))


def texts_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from texts_in(list(value.values()))
    elif isinstance(value, Iterable):
        for each in value:
            yield from texts_in(each)


def test_catalogue_says_of_each_requirement_what_its_check_says() -> None:
    assert catalogue() == marked_checks()


def test_every_requirement_passes_in_a_green_run_of_a_system() -> None:
    checked = GREEN_IN_PROOFS.union(*CHECKED.values(), *DRILLED.values())
    assert {name.partition(" ")[0] for name in checked} == set(catalogue())


def test_every_requirement_is_proven_to_turn_red() -> None:
    assert proven_red() == set(catalogue())
