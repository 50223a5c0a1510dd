"""Uptime, read for many targets at once: from roll-ups where they will do, from results where they will not.

An hour in which a series said one thing throughout can be cut anywhere. Results are read of the others that a window
or a maintenance cuts, and of what is not rolled up yet.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Integer, case, column, func, literal, select, true, values

from fixtures.measure.uptime import Account, Span, Times, merged
from reports.history.holding import DOWN, HOUR, UP, greatest, held, of_one_state, time_in
from reports.history.questions import Series
from reports.history.tables import hour, series

if TYPE_CHECKING:
    from sqlalchemy import CTE, ColumnElement, Connection

# Rows of constants in one statement: SQLite takes 32 766 values.
_ROWS_AT_ONCE = 4000
# The kinds of what is asked: all of a window, and what of it is maintenance.
_ALL, _MAINTENANCE = 0, 1
# Kind, begin, end, in ms.
_Asked = tuple[int, int, int]
# Series, kind, up, down, in ms.
_Known = tuple[int, int, int, int]
_Chosen = Sequence["ColumnElement[bool]"]
_NAMES = [series.c[name] for name in ("system", "environment", "requirement", "target", "vantage")]


def accounts(  # noqa: PLR0913 -- a series is named by so many things
    opened: "Connection",
    system: str,
    environment: str,
    requirement: str,
    *,
    vantage: str,
    begin: int,
    end: int,
    maintenance: Sequence[Span] = (),
) -> Mapping[str, Account]:
    """How long each target of a requirement was up, down, and nobody knew.

    Args:
        opened: the history, to be read.
        system: its name.
        environment: which deployment of it.
        requirement: the id.
        vantage: from where it was seen.
        begin: of the window, in ms since 1970.
        end: the first ms after it.
        maintenance: declared spans, in ms since 1970, each up to and without its end; they may overlap.

    Returns:
        The times by target; of targets alone that have a result on record, whenever it was.
    """
    named = {"system": system, "environment": environment, "requirement": requirement, "vantage": vantage}
    chosen = [series.c[name] == value for name, value in named.items()]
    found = _accounts(opened, chosen, begin, end, maintenance)
    return {of.target: account for of, account in found.items()}


def of_all(opened: "Connection", *, begin: int, end: int, maintenance: Sequence[Span] = ()) -> Mapping[Series, Account]:
    """The same as `accounts` of everything on record, by series."""
    return _accounts(opened, [true()], begin, end, maintenance)


def _accounts(
    opened: "Connection", chosen: _Chosen, begin: int, end: int, maintenance: Sequence[Span]
) -> Mapping[Series, Account]:
    spans = merged(maintenance, begin=begin, end=end)
    asked: list[_Asked] = [(_ALL, begin, end), *((_MAINTENANCE, *span) for span in spans)]
    up: Counter[tuple[int, int]] = Counter()
    down: Counter[tuple[int, int]] = Counter()
    for of, kind, was_up, was_down in _known(opened, chosen, asked):
        up[of, kind] += was_up
        down[of, kind] += was_down

    def times(key: tuple[int, int], length: int) -> Times:
        return Times(up[key], down[key], length - up[key] - down[key])

    found = {}
    within = sum(last - first for first, last in spans)
    for of, *names in opened.execute(select(series.c.id, *_NAMES).where(*chosen)).all():
        measured = times((of, _ALL), end - begin)
        found[Series(*names)] = Account(measured, measured - times((of, _MAINTENANCE), within))
    return found


def _known(opened: "Connection", chosen: _Chosen, asked: Sequence[_Asked]) -> Iterator[_Known]:
    """What is known of spans, in pieces."""
    for each in asked:
        yield from _of_whole_hours(opened, chosen, *each)
    for some in _in_parts(list(chain.from_iterable(map(_parts_of_hours, asked)))):
        yield from _of_hours_in_part(opened, chosen, some)
    for spans in _in_parts(asked):
        yield from _of_results(opened, _not_rolled_up(chosen, spans))


def _of_whole_hours(opened: "Connection", chosen: _Chosen, kind: int, first: int, last: int) -> Iterable[_Known]:
    """What roll-ups say of the whole hours within a span."""
    of = hour.c.series.in_(select(series.c.id).where(*chosen))
    within = (hour.c.hour >= -(-first // HOUR), hour.c.hour < last // HOUR)
    times = select(hour.c.series, literal(kind), func.sum(hour.c.up), func.sum(hour.c.down))
    yield from opened.execute(times.where(of, *within).group_by(hour.c.series))


def _of_hours_in_part(opened: "Connection", chosen: _Chosen, parts: Sequence[_Asked]) -> Iterable[_Known]:
    """What is known of parts of hours that are rolled up."""
    part = _constants("part", parts)
    same = (hour.c.series == series.c.id) & (hour.c.hour == part.c.first // literal(HOUR, BigInteger))
    of = series.join(part, true()).join(hour, same)
    length = part.c.last - part.c.first
    up, down = (case((each == HOUR, length), else_=0) for each in (hour.c.up, hour.c.down))
    columns = (series.c.id.label("series"), part.c.kind)
    yield from opened.execute(select(*columns, up, down).select_from(of).where(*chosen, of_one_state(hour)))
    changing = select(*columns, part.c.first, part.c.last).select_from(of).where(*chosen, ~of_one_state(hour))
    yield from _of_results(opened, changing.cte("spans"))


def _parts_of_hours(asked: _Asked) -> Iterator[_Asked]:
    """What a span leaves of whole hours: none, one or two parts, each within one hour."""
    kind, first, last = asked
    if first // HOUR == last // HOUR:
        yield kind, first, last
        return
    if first % HOUR:
        yield kind, first, -(-first // HOUR) * HOUR
    if last % HOUR:
        yield kind, last // HOUR * HOUR, last


def _not_rolled_up(chosen: _Chosen, asked: Sequence[_Asked]) -> "CTE":
    """What of spans is not rolled up yet, by series."""
    span = _constants("asked", asked)
    first = greatest(series.c.rolled, span.c.first)
    return (
        select(series.c.id.label("series"), span.c.kind, first.label("first"), span.c.last)
        .select_from(series.join(span, span.c.last > series.c.rolled))
        .where(*chosen)
        .cte("spans")
    )


def _of_results(opened: "Connection", spans: "CTE") -> Iterable[_Known]:
    """What results say of spans of series."""
    said = held(opened, spans)
    times = select(said.c.series, said.c.kind, time_in(UP, said), time_in(DOWN, said)).where(
        said.c.finish > said.c.begin
    )
    return opened.execute(times.group_by(said.c.series, said.c.kind))


def _constants(name: str, rows: Sequence[_Asked]) -> "CTE":
    return (
        values(column("kind", Integer), column("first", BigInteger), column("last", BigInteger), name=name)
        .data(rows)
        .cte(name)
    )


def _in_parts(rows: Sequence[_Asked]) -> Iterator[Sequence[_Asked]]:
    for begin in range(0, len(rows), _ROWS_AT_ONCE):
        yield rows[begin : begin + _ROWS_AT_ONCE]
