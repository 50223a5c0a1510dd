"""What the documents say is what the suite does."""

import importlib.util
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.measure.units import parse_duration
from reports.requirement import Requirement, Severity

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
ROW = re.compile(r"^\| (?P<id>[A-Z]+-\d+) \|(?P<cells>.*)\|$", re.MULTILINE)
GATES = {"before": {"before"}, "after": {"after"}, "both": {"before", "after"}, "": set[str]()}


def _documented() -> Iterator[Requirement]:
    for row in ROW.finditer((ROOT / "docs/requirements.md").read_text(encoding="utf-8")):
        _, _, severity, every, gate, *_ = (cell.strip() for cell in row["cells"].split("|"))
        yield Requirement(row["id"], Severity(severity), parse_duration(every), frozenset(GATES[gate]))


def _verified() -> Iterator[Requirement]:
    for path in (*(ROOT / "checks").glob("test_*.py"), *(ROOT / "restore").glob("test_*.py")):
        spec = importlib.util.spec_from_file_location(f"documented_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for check in vars(module).values():
            yield from (mark.args[0] for mark in getattr(check, "pytestmark", ()) if mark.name == "requirement")


def test_the_catalogue_lists_every_check_as_it_is_marked() -> None:
    documented = {each.id: each for each in _documented()}
    assert documented == {each.id: each for each in _verified()}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    linked = re.findall(r"\]\((?!\w+:)([^)#]+)", document.read_text(encoding="utf-8"))
    assert [each for each in linked if not (document.parent / each).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_system_files_in_documents_are_toml(document: Path) -> None:
    for block in re.findall(r"^ *```toml\n(.*?)^ *```", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        tomllib.loads(block)
