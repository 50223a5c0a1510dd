"""Declared expectations of rows, at both sides of their limits."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest

from fixtures.drills import RestoreDeclared
from reports.requirement import Breach, Evidence, Unverified
from restore.drill_report import DrillReport
from restore.expectations import Bound, bounds, fulfilled, measure

AT = datetime(2026, 11, 2, 5, tzinfo=UTC)


def report(rows: int, *, live: int | None = None, before: int | None = None, newest: bool = True) -> DrillReport:
    """As much of a report as expectations look at."""

    def live_rows() -> dict[str, int]:
        if live is None:
            raise Unverified("counting in the live database", came_back="refused", remedy="Wait")
        return {"t": live}

    def rows_of(table: str, *, database: str | None) -> int:
        del database
        if table != "t":
            raise Breach("restored tables", observed="not there", limit="one called so")
        return rows

    last = None if before is None else SimpleNamespace(at=AT, rows={"t": before})
    return cast(
        "DrillReport",
        SimpleNamespace(rows_of=rows_of, live_rows=live_rows, last_good=lambda: last, of_newest=newest, file="t.sql"),
    )


def declared(count: dict[str, float], table: str = "t") -> RestoreDeclared:
    given = {"backups": "weekly", "live": "main", "record": "drills.jsonl", "counts": {table: count}}
    return RestoreDeclared.model_validate(given)


@pytest.mark.parametrize(
    ("count", "rows", "holds"),
    [
        ({"min": 10}, 10, True),
        ({"min": 10}, 9, False),
        ({"max": 10}, 10, True),
        ({"max": 10}, 11, False),
        ({"exact": 10}, 10, True),
        ({"exact": 10}, 11, False),
        ({"live": 0.02}, 98, True),
        ({"live": 0.02}, 97, False),
        ({"live": 0.02}, 102, True),
        ({"live": 0.02}, 103, False),
        ({"drop": 0.1}, 180, True),
        ({"drop": 0.1}, 179, False),
        ({"min": 10, "drop": 0.1}, 179, False),
    ],
)
def test_limits_themselves_hold(count: dict[str, float], rows: int, holds: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    found = report(rows, live=100, before=200)
    assert all(isinstance(each, Bound) and each.holds for each in bounds(declared(count), found)) is holds
    assert fulfilled(declared(count), found) is holds


@pytest.mark.parametrize("count", [{"live": 0.02}, {"drop": 0.1}])
def test_what_there_is_nothing_to_compare_with_cannot_be_told_and_spoils_no_drill(count: dict[str, float]) -> None:
    with pytest.raises(Unverified):
        measure(Evidence(), declared({"min": 1, **count}), report(10))
    with pytest.raises(Breach, match="at least 11"):  # what can be told goes first
        measure(Evidence(), declared({"min": 11, **count}), report(10))
    assert fulfilled(declared({"min": 1, **count}), report(10))
    assert not fulfilled(declared({"min": 11, **count}), report(10))


def test_an_older_backup_is_not_compared_with_what_is_now() -> None:
    of_an_older = report(10, live=100, before=100, newest=False)
    found = bounds(declared({"min": 1, "live": 0.02, "drop": 0.1}), of_an_older)
    assert [each.of for each in found if isinstance(each, Bound)] == ["declared"]
    with pytest.raises(Unverified, match="nothing that is expected of them"):
        measure(Evidence(), declared({"drop": 0.1}), of_an_older)


def test_a_table_that_is_not_there_is_a_breach() -> None:
    with pytest.raises(Breach):
        list(bounds(declared({"min": 0}, "u"), report(10)))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"counts": {"t": {"live": 0.1}}}, 'name it: live = "..."'),
        ({"counts": {"t": {"drop": 0.1}}}, 'record = "..."'),
        ({"counts": {"t": {"min": 1}}, "fingerprints": ("t",)}, 'name it: live = "..."'),
        ({"counts": {"t": {}}}, "expects nothing"),
        ({"counts": {"t": {"drop": 0.1}}, "record": "drills.jsonl", "pick": "random"}, "a sample of what is kept"),
    ],
)
def test_what_nothing_is_named_for_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        RestoreDeclared.model_validate({"backups": "weekly", **wrong})
