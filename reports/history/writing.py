"""Writing runs and results: any number of writers at once, each result once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from reports.history.dialects import insert
from reports.history.holding import HOUR, touched
from reports.history.kept import CODES, Kept, Run
from reports.history.tables import detail, late, result, run, series
from reports.requirement import Outcome

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

# Of all suites, for PostgreSQL's advisory locks: writers share it, who rolls up has it alone.
_LOCK = 6_019_447_203
_OF_A_SERIES = ("system", "environment", "requirement", "target", "vantage")
_OF_ANY_RUN = ("severity", "title", "every", "paged")
_OF_ITS_LAST_RUN = (*_OF_ANY_RUN, "what", "unit")
_key = attrgetter("system", "requirement", "target")
_of_its_last_run = attrgetter(*_OF_ITS_LAST_RUN)


def beside_writers(opened: "Connection") -> None:
    """Wait until nobody rolls up or prunes, and keep them from it until this transaction ends.

    Or else a result could come into an hour while somebody rolls it up who does not see it yet.
    """
    if opened.dialect.name == "postgresql":  # SQLite has one writer at a time
        opened.exec_driver_sql(f"SELECT pg_catalog.pg_advisory_xact_lock_shared({_LOCK})")


def without_writers(opened: "Connection") -> None:
    """Wait until nobody writes results, and keep them from it until this transaction ends."""
    if opened.dialect.name == "postgresql":
        opened.exec_driver_sql(f"SELECT pg_catalog.pg_advisory_xact_lock({_LOCK})")


def record(opened: "Connection", of: Run, results: Sequence[Kept]) -> None:
    """Put a run and results of it on record; those that are there already stay as they are."""
    beside_writers(opened)
    runs = _runs(opened, of)
    known = _series(opened, of, results)
    rows, details = [], []
    touches: set[tuple[int, int]] = set()
    for each in results:
        about = known[each.system, each.requirement, each.target]
        run_id = runs[each.system]
        observed, bound = (each.observed, each.bound) if each.what == about.what else (None, None)
        rows.append((about.id, each.at, run_id, CODES[each.outcome], observed, bound))
        if each.detailed:
            measurements = json.dumps([vars(measurement) for measurement in each.measurements])
            details.append((about.id, each.at, run_id, _storable(each.message), measurements))
        if each.at < about.rolled:
            touches.update((about.id, at) for at in touched(each.at, every=about.every, rolled=about.rolled))
    for table, new in ((result, rows), (detail, details), (late, sorted(touches))):
        if new:
            _insert(opened, table, table.c.keys(), new)


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
        _insert(opened, run, tuple(facts), [tuple(facts.values())])
    if of.ended is not None:
        ended = update(run).where(run.c.uuid == of.uuid).values(ended=of.ended, exit_code=of.exit_code)
        opened.execute(ended)
    found = opened.execute(select(run.c.system, run.c.id).where(run.c.uuid == of.uuid))
    return dict(iter(found))


_Key = tuple[str, str, str]


@dataclass
class _Known:
    """A series on record."""

    id: int
    system: str
    requirement: str
    target: str
    severity: str
    title: str
    every: int
    what: str
    unit: str
    paged: bool
    rolled: int


def _series(opened: "Connection", of: Run, results: Sequence[Kept]) -> Mapping[_Key, _Known]:
    """The series that results belong to, by system, requirement and target; new ones are made."""
    from sqlalchemy import update

    known = _on_record(opened, of)
    # In one order, lest two writers of the same wait for each other.
    wanted = sorted(results, key=_key)
    new = [
        (
            *(each.system, of.systems[each.system].environment, each.requirement, each.target, of.vantage),
            *(*_of_its_last_run(each), each.at // HOUR * HOUR),
        )
        for each in wanted
        if _key(each) not in known
    ]
    if new:
        _insert(opened, series, (*_OF_A_SERIES, *_OF_ITS_LAST_RUN, "rolled"), new)
        known = _on_record(opened, of)
    for each in wanted:
        about = known[_key(each)]
        if not each.every or _of_its_last_run(each) == _of_its_last_run(about):
            continue
        # What a figure is of is told by results that passed: a breach may have ended before it was taken.
        names = _OF_ITS_LAST_RUN if each.outcome is Outcome.PASSED else _OF_ANY_RUN
        changed = {name: getattr(each, name) for name in names if getattr(each, name) != getattr(about, name)}
        if changed:
            opened.execute(update(series).where(series.c.id == about.id).values(changed))
            known[_key(each)] = replace(about, **changed)
    return known


def _on_record(opened: "Connection", of: Run) -> dict[_Key, _Known]:
    from sqlalchemy import select

    columns = [series.c[each.name] for each in fields(_Known)]
    found: dict[_Key, _Known] = {}
    for name, system in of.systems.items():
        asked = select(*columns).where(
            series.c.system == name, series.c.environment == system.environment, series.c.vantage == of.vantage
        )
        found |= {_key(about): about for about in (_Known(*row) for row in opened.execute(asked).all())}
    return found


def _storable(text: str) -> str:
    """A text as every database takes it: what is no character of UTF-8, and NUL, spelt out."""
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


def _insert(opened: "Connection", table: "Table", names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows of these columns, but for those that are there already; as fast as each database can."""
    new = insert(opened, table).on_conflict_do_nothing()
    if opened.dialect.name == "sqlite":
        statement = str(new.compile(dialect=opened.dialect, column_keys=names))
        opened.exec_driver_sql(statement, [tuple(row) for row in rows])
        return
    from sqlalchemy import func, literal, select
    from sqlalchemy.dialects.postgresql import ARRAY

    columns = zip(names, zip(*rows, strict=True), strict=True)
    arrays = (literal(list(values), ARRAY(table.c[name].type)) for name, values in columns)
    unnested = func.unnest(*arrays).table_valued(*names).render_derived()
    opened.execute(new.from_select(names, select(unnested)))
