"""What people are told has a translation, and says the same in it."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel.messages.pofile import read_po

from fixtures.answering import NOT_VERIFIED
from reports.headlines import HEADLINES
from reports.incidents import WHY_OVER
from reports.requirement import Measurement
from reports.wording import LANGUAGES, SAID_BY_OTHERS, Wording

HOUSE = Path(__file__).parents[2]
EVIDENCE = ("at_most", "at_least", "equal", "age", "none_of", "note")
RAISED = ("Breach", "Unreachable", "Measurement")
SPANISH = Wording("es")
TRANSLATED = {str(each.id): str(each.string) for each in read_po((LANGUAGES / "es.po").open("rb")) if each.id}


def sources(*rooms: str) -> Iterator[tuple[Path, ast.Module]]:
    for room in rooms:
        for path in sorted((HOUSE / room).rglob("*.py")):
            if "lab" not in path.parts:
                yield path, ast.parse(path.read_text(encoding="utf-8"))


def form(text: str) -> str:
    """A text with places, whatever they are called."""
    return re.sub(r"\{[^{}]*\}", "{}", text)


def text_in(node: ast.expr) -> str | None:
    """What a literal says, the places of an f-string as {}; None of anything else, and of what is a place alone."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = [each.value if isinstance(each, ast.Constant) else "{}" for each in node.values]
        return "".join(map(str, parts))
    return None


def name_of(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def is_evidence(call: ast.Call) -> bool:
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and function.attr in EVIDENCE
        and isinstance(function.value, ast.Name)
        and function.value.id == "evidence"
    )


def titles() -> set[str]:
    checks = (
        node
        for _, module in sources("checks", "restore")
        for node in module.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )
    return {(ast.get_docstring(each) or "").splitlines()[0] for each in checks}


def measured() -> dict[str, str]:
    """What is measured, by the place where it is named."""
    found = {}
    for path, module in sources("checks", "restore", "fixtures"):
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and node.args and (is_evidence(node) or name_of(node) in RAISED):
                said = text_in(node.args[0])
                if said is not None:
                    found[f"{path.relative_to(HOUSE)}:{node.lineno}"] = said
    return found


def told() -> dict[str, str]:
    """The texts that a Wording is asked for, by their place: the language's own are called `words`, or `_words`."""
    return {
        f"{path.relative_to(HOUSE)}:{node.lineno}": said
        for path, module in sources("reports")
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and name_of(node) in ("words", "_words") and node.args
        if (said := text_in(node.args[0])) is not None
    }


def forms_said() -> set[str]:
    """All that stands in the suite's sources as a text."""
    found = {
        form(said)
        for _, module in sources("checks", "restore", "fixtures", "reports")
        for node in ast.walk(module)
        if isinstance(node, ast.Constant | ast.JoinedStr) and (said := text_in(node)) is not None
    }
    return found | titles()


KNOWN = {form(each) for each in TRANSLATED}


MISSING = "write them into reports/languages/es.po, with their {places} named"


def test_every_requirement_has_its_title_in_spanish() -> None:
    assert sorted(titles() - set(TRANSLATED)) == [], MISSING


def test_everything_measured_or_told_has_a_translation() -> None:
    missing = {place: said for place, said in {**measured(), **told()}.items() if form(said) not in KNOWN}
    assert missing == {}, MISSING


def test_every_headline_has_a_translation() -> None:
    assert sorted({*HEADLINES.values(), *SAID_BY_OTHERS} - set(TRANSLATED)) == [], MISSING


def test_every_reason_why_an_incident_is_over_has_a_translation() -> None:
    assert sorted({*WHY_OVER.values(), NOT_VERIFIED} - set(TRANSLATED)) == [], MISSING


def test_every_requirement_has_a_headline() -> None:
    ids = {
        text_in(decorator.args[0])
        for _, module in sources("checks", "restore")
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call)
        and name_of(decorator) == "requirement"
        and isinstance(decorator.args[0], ast.Constant)
    }
    assert sorted(map(str, ids - set(HEADLINES))) == []


def test_no_translation_is_of_what_nobody_says_any_more() -> None:
    said = forms_said()
    assert [each for each in TRANSLATED if form(each) not in said] == []


def test_a_translation_is_there_and_has_the_same_places() -> None:
    places = re.compile(r"\{\w+\}")
    odd = [
        text
        for text, translated in TRANSLATED.items()
        if not translated or sorted(places.findall(text)) != sorted(places.findall(translated))
    ]
    assert odd == []


@pytest.mark.parametrize(
    ("said", "spanish"),
    [
        ("status 503", "estado 503"),
        ("no answer within 10 s", "sin respuesta en 10 s"),
        ("sorry, too many clients already (SQLSTATE 53300)", "ya hay demasiados clientes conectados (SQLSTATE 53300)"),
        ('connection to server at "::1", port 1 failed: Connection refused', "la conexión a ::1, puerto 1, falló: "),
        ("{nothing} of ours", "{nothing} of ours"),
        ("", ""),
    ],
)
def test_what_checks_say_is_told_by_its_form(said: str, spanish: str) -> None:
    assert SPANISH.said(said).startswith(spanish)
    assert Wording("en").said(said) == said


@pytest.mark.parametrize(
    ("measurement", "spanish", "english"),
    [
        (Measurement("a", 2.413, "s", "at most", 432000, holds=False), ("2,41 s", "como máximo 5 días"), ("2.41 s",)),
        (Measurement("a", 180_000, "s", "at most", 60), ("2 días 2 h", "como máximo 1 min"), ("2 days 2 h",)),
        (
            Measurement("a", 1.00001, "s", "at most", 1, holds=False),
            ("1 s (exactamente 1,00001 s)",),
            ("1 s (exactly",),
        ),
        (Measurement("a", 12_000, "rows", "at least", 1), ("12 000 filas", "como mínimo 1 filas"), ("12 000 rows",)),
        (Measurement("a", 3_400_000, "bytes", "at most", 1), ("3,4 MB", "como máximo 1 bytes"), ("3.4 MB",)),
        (Measurement("a", observed=True, comparison="exactly", limit=False), ("sí", "exactamente no"), ("yes",)),
        (Measurement("a", None, "", "at least", 1), ("nada", "como mínimo 1"), ("nothing",)),
        (Measurement("a", "none", "", "must be", "2.5.1"), ("ninguno", "debe ser 2.5.1"), ("none",)),
        (Measurement("a", "refused", "", "must be", "answered"), ("refused", "debe ser una respuesta"), ("refused",)),
        (Measurement("a", 3), ("3", ""), ("3",)),
    ],
)
def test_measurements(measurement: Measurement, spanish: tuple[str, ...], english: tuple[str]) -> None:
    assert (SPANISH.observed(measurement), SPANISH.limit(measurement))[: len(spanish)] == spanish
    assert Wording("en").observed(measurement).startswith(english)


def test_times() -> None:
    zone = ZoneInfo("America/Santiago")
    at = datetime(2026, 11, 26, 6, 12, tzinfo=UTC)
    assert SPANISH.moment(at, zone) == "26-11-2026 03:12"
    assert Wording("en").moment(at, zone) == "2026-11-26 03:12"
    assert SPANISH.duration(timedelta(minutes=7)) == "7 min"


def test_lists() -> None:
    assert SPANISH.listed(["a"]) == "a"
    assert SPANISH.listed(["a", "b", "c"]) == "a, b y c"
    assert Wording("en").listed(["a", "b"]) == "a and b"
