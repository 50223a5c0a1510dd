"""The rows of docs/requirements.md, for the proofs to be held to."""

import re
from dataclasses import dataclass
from datetime import timedelta

from fixtures.measure.units import parse_duration
from tests.proofs.conftest import HOUSE

ROW = re.compile(r"\| (?P<id>[A-Z]+-\d+) \|(?P<cells>.*)\|")
GATES = {"": frozenset(), "before": {"before"}, "after": {"after"}, "both": {"before", "after"}}


@dataclass(frozen=True)
class Row:
    """What the catalogue says of a requirement."""

    severity: str
    every: timedelta
    gates: frozenset[str]


def catalogue() -> dict[str, Row]:
    rows = {}
    for match in ROW.finditer((HOUSE / "docs" / "requirements.md").read_text(encoding="utf-8")):
        _, _, severity, every, gate, *_ = (cell.strip() for cell in match["cells"].split("|"))
        assert match["id"] not in rows, f"{match['id']} stands there twice"
        rows[match["id"]] = Row(severity, parse_duration(every), frozenset(GATES[gate]))
    return rows
