"""What is on record, as documents for other programs."""

import json
import math
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from sqlalchemy import and_, select

from reports.history.kept import OUTCOMES, milliseconds, moment
from reports.history.tables import detail, result, run, series
from reports.requirement import Unverified

if TYPE_CHECKING:
    from sqlalchemy import Connection, RowMapping

    from reports.history.store import History

_ROWS_AT_ONCE = 2000
_IN_MS = 1000
_OF_ITS_SERIES = [
    series.c[name]
    for name in ("system", "environment", "requirement", "target", "vantage", "severity", "title", "every")
]
_OF_ITSELF = [
    *(result.c.at, result.c.outcome, detail.c.message, detail.c.measurements),
    *(result.c.observed, result.c.bound, series.c.what, series.c.unit),
]
_OF_ITS_RUN = [
    run.c[name] for name in ("uuid", "began", "ended", "exit_code", "suite", "system_file", "gate", "scheduled")
]


def export(
    history: "History",
    output: Path | None,
    *,
    system: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> int:
    """Write every result on record with its run, a line of JSON each.

    Args:
        history: whose.
        output: the file to write, which is there whole or not at all; the standard output by default.
        system: of this one alone.
        since: none from before this time.
        until: none from this time on.

    Returns:
        How many results they are.

    Raises:
        Unverified: when the history cannot be read, or holds nothing of that system.
        OSError: when the file cannot be written.
    """
    first, last = (None if each is None else milliseconds(each) for each in (since, until))
    with history.reading() as opened:
        _must_be_known(opened, history, system)
        found = documents(opened, system=system, since=first, until=last)
        lines = (f"{json.dumps(each, ensure_ascii=False)}\n" for each in found)
        if output is None:
            return _write(sys.stdout, lines)
        unfinished = output.with_name(f".{output.name}.part")
        try:
            with unfinished.open("w", encoding="utf-8") as file:
                count = _write(file, lines)
            unfinished.replace(output)
        finally:
            unfinished.unlink(missing_ok=True)
        return count


def _must_be_known(opened: "Connection", history: "History", system: str | None) -> None:
    known = sorted(opened.execute(select(series.c.system).distinct()).scalars())
    if system is not None and system not in known:
        raise Unverified(
            f'looking for the results of "{system}" in {history.address.shown}',
            came_back="none on record",
            remedy=f"Name one of: {', '.join(known)}" if known else "Let a run put its results there first",
        )


def _write(file: TextIO, lines: Iterable[str]) -> int:
    count = 0
    for count, line in enumerate(lines, start=1):  # noqa: B007 -- how many there were
        file.write(line)
    file.flush()
    return count


def documents(
    opened: "Connection", *, system: str | None = None, since: int | None = None, until: int | None = None
) -> Iterator[dict[str, Any]]:
    """Every result on record with its run, as plain values for JSON; docs/for-operators.md tells their form.

    Args:
        opened: the history, to be read.
        system: of this one alone.
        since: none from before this time, in ms since 1970.
        until: none from this time on, likewise.

    Yields:
        Those of a series together, in the order of their time.
    """
    same = and_(detail.c.series == result.c.series, detail.c.at == result.c.at, detail.c.run == result.c.run)
    asked = (
        select(*_OF_ITS_SERIES, *_OF_ITSELF, *_OF_ITS_RUN)
        .select_from(series.join(result, result.c.series == series.c.id).join(run, run.c.id == result.c.run))
        .join(detail, same, isouter=True)
        .order_by(result.c.series, result.c.at, result.c.run)
    )
    if system is not None:
        asked = asked.where(series.c.system == system)
    if since is not None:
        asked = asked.where(result.c.at >= since)
    if until is not None:
        asked = asked.where(result.c.at < until)
    for row in opened.execute(asked.execution_options(yield_per=_ROWS_AT_ONCE)).mappings():
        yield _document(row)


def _document(row: "RowMapping") -> dict[str, Any]:
    said = {name.name: row[name] for name in (*_OF_ITS_SERIES, *_OF_ITSELF)}
    of = {name.name: row[name] for name in _OF_ITS_RUN}
    return {
        **said,
        "every": said["every"] / _IN_MS,
        "at": _shown(said["at"]),
        "outcome": str(OUTCOMES[said["outcome"]]),
        "observed": _finite(said["observed"]),
        "bound": _finite(said["bound"]),
        "message": said["message"] or "",
        # No JSON has a word for what is no number.
        "measurements": json.loads(said["measurements"] or "[]", parse_constant=str),
        "run": {
            **of,
            "began": _shown(of["began"]),
            "ended": of["ended"] if of["ended"] is None else _shown(of["ended"]),
        },
    }


def _shown(at: int) -> str:
    return moment(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _finite(figure: float | None) -> float | str | None:
    return figure if figure is None or math.isfinite(figure) else str(figure)
