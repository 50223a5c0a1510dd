"""Drills are put on record one line each, and what cannot be read there is said."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reports.requirement import Unverified
from restore.earlier import DrillRecord, Earlier

AT = datetime(2026, 11, 2, 5, tzinfo=UTC)
HELD = Earlier(
    drill="weekly",
    at=AT,
    file="mira-20261101.sql",
    sha256="0" * 64,
    newest=True,
    good=True,
    seconds=12.5,
    tuned=True,
    depth="full",
    rows={"onco_casos": 300},
    responsible="Operaciones",
)


def changed(**to: object) -> Earlier:
    return HELD.model_copy(update=to)


def test_what_was_put_on_record_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "drills.jsonl"
    record = DrillRecord(path, "weekly")
    assert record.all() == []
    later = changed(at=AT + timedelta(days=35), good=False)
    for each in (later, HELD, changed(drill="daily")):
        record.add(each)
    assert record.all() == [HELD, later]
    assert DrillRecord(path, "daily").all() == [changed(drill="daily")]
    assert path.read_text().count("\n") == 3


@pytest.mark.parametrize("line", ['{"drill": "weekly"}\n', "OK, todo bien\n", '{"drill": "weekly", "at": "2026'])
def test_a_line_of_somebody_else_s_is_not_passed_over(tmp_path: Path, line: str) -> None:
    path = tmp_path / "drills.jsonl"
    DrillRecord(path, "weekly").add(HELD)
    path.write_text(path.read_text() + line)
    with pytest.raises(Unverified, match="a line in it is not as a drill writes it"):
        DrillRecord(path, "weekly").all()


def test_a_record_that_is_no_file_cannot_be_read_or_written(tmp_path: Path) -> None:
    for call in (DrillRecord(tmp_path, "weekly").all, lambda: DrillRecord(tmp_path, "weekly").add(HELD)):
        with pytest.raises(Unverified, match="record"):
            call()
