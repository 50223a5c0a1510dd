"""Writing runs and results: any number of writers at once, each result once."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reports.history.kept import Kept, Run
from reports.history.tables import CODES, detail, result, run, series
from reports.requirement import Outcome

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

_OF_A_SERIES = ("system", "environment", "requirement", "target", "vantage")
_OF_ITS_LAST_RUN = ("severity", "title", "every", "what", "unit")


def record(opened: "Connection", of: Run, results: Sequence[Kept]) -> None:
    """Put a run and results of it on record; those that are there already stay as they are."""
    runs = _runs(opened, of)
    known = _series(opened, of, results)
    rows, details = [], []
    for each in results:
        about = known[of.systems[each.system].environment, each.system, each.requirement, each.target]
        same = each.what == about["what"]
        key = {"series": about["id"], "at": each.at, "run": runs[each.system]}
        figures = {"observed": each.observed if same else None, "bound": each.bound if same else None}
        rows.append({**key, "outcome": CODES[each.outcome], **figures})
        if each.detailed:
            measurements = json.dumps([vars(measurement) for measurement in each.measurements])
            details.append({**key, "message": each.message, "measurements": measurements})
    for table, new in ((result, rows), (detail, details)):
        if new:
            opened.execute(_unless_there(opened, table), new)


def _runs(opened: "Connection", of: Run) -> Mapping[str, int]:
    """The ids of a run's parts, by system."""
    from sqlalchemy import select, update

    for name, system in sorted(of.systems.items()):
        facts = {
            "uuid": of.uuid,
            "system": name,
            "environment": system.environment,
            "vantage": of.vantage,
            "began": of.began,
            "suite": of.suite,
            "system_file": system.file,
            "gate": of.gate,
            "scheduled": of.scheduled,
        }
        opened.execute(_unless_there(opened, run), facts)
    if of.ended is not None:
        ended = update(run).where(run.c.uuid == of.uuid).values(ended=of.ended, exit_code=of.exit_code)
        opened.execute(ended)
    found = opened.execute(select(run.c.system, run.c.id).where(run.c.uuid == of.uuid))
    return dict(iter(found.tuples()))


_Key = tuple[str, str, str, str]


def _series(opened: "Connection", of: Run, results: Sequence[Kept]) -> Mapping[_Key, Mapping[str, Any]]:
    """The series that results belong to, by environment, system, requirement and target; new ones are made."""
    from sqlalchemy import select, update

    environments = {name: each.environment for name, each in of.systems.items()}
    wanted = {(environments[each.system], each.system, each.requirement, each.target): each for each in results}

    def found() -> dict[_Key, dict[str, Any]]:
        named = select(series).where(series.c.vantage == of.vantage, series.c.system.in_(list(of.systems)))
        rows = (dict(row) for row in opened.execute(named).mappings())
        keyed = ((tuple(row[name] for name in _KEY), row) for row in rows)
        return {key: row for key, row in keyed if key in wanted}

    known = found()
    # In one order, lest two writers of the same wait for each other.
    new = [dict(_described(of, key, wanted[key])) for key in sorted(wanted) if key not in known]
    if new:
        opened.execute(_unless_there(opened, series), new)
        known = found()
    for key, row in sorted(known.items()):
        now = dict(_described(of, key, wanted[key]))
        # What a figure is of is told by results that passed: a breach may have ended before it was taken.
        kept = () if wanted[key].outcome is Outcome.PASSED else ("what", "unit")
        changed = {name: now[name] for name in _OF_ITS_LAST_RUN if name not in kept and now[name] != row[name]}
        if changed and now["every"]:
            opened.execute(update(series).where(series.c.id == row["id"]).values(changed))
            row.update(changed)
    return known


_KEY = ("environment", "system", "requirement", "target")


def _described(of: Run, key: _Key, each: Kept) -> Iterator[tuple[str, Any]]:
    yield from zip(_KEY, key, strict=True)
    yield "vantage", of.vantage
    yield from ((name, getattr(each, name)) for name in _OF_ITS_LAST_RUN)


def _unless_there(opened: "Connection", table: "Table") -> Any:  # noqa: ANN401 -- each dialect has a type of its own
    """An INSERT that leaves rows alone which are there already."""
    if opened.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert

        return insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table).on_conflict_do_nothing()
