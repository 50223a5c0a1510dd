"""Documents lead where they say, and name what there is."""

import re
import tomllib
from pathlib import Path

import pytest

from fixtures.drills import RestoreDeclared
from tests.proofs.rows import catalogue

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def anchors(document: Path) -> set[str]:
    """What a link can name behind a #, as GitHub makes it of headings; lines within blocks of code are none."""
    text = re.sub(r"^ *```.*?^ *```", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    linked = re.findall(r"\]\((?!\w+:)([^)#]+)", document.read_text(encoding="utf-8"))
    assert [each for each in linked if not (document.parent / each).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_headings(document: Path) -> None:
    linked = re.findall(r"\]\((?!\w+:)([^)#]*)#([^)]+)\)", document.read_text(encoding="utf-8"))
    lost = [
        (file, place) for file, place in linked if place not in anchors(document.parent / file if file else document)
    ]
    assert lost == []


@pytest.mark.parametrize(("name", "number"), [("README.md", "Seventy"), ("README.es.md", "setenta")])
def test_readmes_count_the_requirements(name: str, number: str) -> None:
    assert len(catalogue()) == 70, "say the new number here and in both READMEs"
    assert f"[{number} " in (ROOT / name).read_text(encoding="utf-8")


def test_page_on_system_files_explains_every_key_of_a_drill() -> None:
    page = (ROOT / "docs" / "describing-a-system.md").read_text(encoding="utf-8")
    rows = page.partition("| key of `[[restore]]` |")[2].partition("\n\n")[0]
    explained = {key for row in rows.splitlines()[2:] for key in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert explained == set(RestoreDeclared.model_fields)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_system_files_in_documents_are_toml(document: Path) -> None:
    for block in re.findall(r"^ *```toml\n(.*?)^ *```", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        tomllib.loads(block)
