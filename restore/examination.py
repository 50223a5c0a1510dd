"""What a drill asks of the rows that were restored: how new the newest are, and what the declared queries answer."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from fixtures.content import SESSION, Figures, TableFigures, figures_of, figures_sql, listing
from fixtures.database import Database
from fixtures.declared import Plain
from fixtures.drills import FreshDeclared, SmokeDeclared
from fixtures.measure.dump import Contents
from fixtures.measure.dump_statements import qualified
from fixtures.measure.moments import moment_of
from reports.requirement import Breach, Unverified
from restore.questions import Answer, answers, legible
from restore.sandbox import NoAnswerError, Sandbox, identifier, literal

if TYPE_CHECKING:
    import psycopg

LOOKING = 600.0  # seconds that looking for the newest row of a table may take
COUNTING = timedelta(minutes=5)  # that reading one table of the live database may take
READING = 3600.0  # seconds that reading the whole restored database may take
OF_A_TABLE = "SELECT pg_catalog.json_build_object('table'"  # how those of the queries begin that read a table
SMOKE = 60.0  # seconds that the answer to a declared query may take
COLUMN = """
SELECT json_build_array(n.nspname, format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL))
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = {column} AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_type t ON t.oid = a.atttypid
WHERE c.relname = {table} AND c.relkind IN ('r', 'p', 'v', 'm') AND ({schema} = '' OR n.nspname = {schema})
AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp_)'
ORDER BY n.nspname <> 'public', n.nspname;
"""
# Whatever a dump sets for its database, values are read and written as in one where nothing is set.
AS_EVERYWHERE = """
SET standard_conforming_strings = on;
SET DateStyle = 'ISO, MDY';
SET IntervalStyle = 'postgres';
SET TimeZone = 'UTC';
SET extra_float_digits = 1;
SET bytea_output = 'hex';
"""
# An index over the column answers this at once; counting the rows it would not.
NEWEST = f"""{AS_EVERYWHERE}
SELECT json_build_array(max({{column}})::text, EXISTS (SELECT FROM {{table}})) FROM {{table}};
"""  # noqa: S608 -- a text of ours, and names are quoted
WITH_ZONE = "timestamp with time zone"
TIMES = (WITH_ZONE, "timestamp without time zone", "date")
NUMBERS = ("integer", "bigint", "numeric", "double precision")
SMOKE_QUERY = f"""{AS_EVERYWHERE}
SET search_path = public;
BEGIN READ ONLY;
SELECT json_build_array(pg_typeof(value)::text, value::text,
    (SELECT count(*) FROM json_object_keys(row_to_json(answer))))
FROM (
{{sql}}
) AS answer (value) LIMIT 2;
COMMIT;
"""  # noqa: S608 -- a text of ours, around a query that was declared
MOST_DIGITS = 300  # as a double precision holds
NUMERIC = ("smallint", "integer", "bigint", "oid", "numeric", "real", "double precision")


@dataclass(frozen=True)
class NewestRow:
    """The newest row of a table that always grows.

    Attributes:
        table: as declared.
        column: as declared.
        at: the moment that its newest row claims, which may lie in the future; None where there is none.
        fault: why there is none; empty where there is.
    """

    table: str
    column: str
    at: datetime | None = None
    fault: str = ""


@dataclass(frozen=True)
class SmokeAnswer:
    """What a declared query answered.

    Attributes:
        name: as declared.
        observed: a number or a truth value as it is, whole numbers as int whatever their type in the database, and any
            number as float where it is exactly the float that is declared. A text only where it is the declared one:
            another is somebody's, and told by its type and length.
        fault: why there is no one value; empty where there is.
    """

    name: str
    observed: Plain | None = None
    fault: str = ""


@dataclass(frozen=True)
class RestoredFigures:
    """What the content of a restored database comes to.

    Attributes:
        figures: as `fixtures.content` has them; None where they could not be had.
        fault: why not; empty where they could.
    """

    figures: Figures | None
    fault: str = ""


def newest_rows(
    sandbox: Sandbox, part: Contents, fresh: Sequence[FreshDeclared], zone: ZoneInfo
) -> tuple[NewestRow, ...]:
    """The newest row of each declared table of a restored database.

    A column holds dates, times, or numbers: seconds or milliseconds since 1970, as NocoBase keeps some times. A date
    is the moment at which its day begins, so that a row never looks newer than it is.

    Args:
        sandbox: where the database is.
        part: of the dump, that it was restored from.
        fresh: the tables; one without a schema is that in public, or else the only one of its name.
        zone: of the system, for times without one.

    Raises:
        Unverified: when the server is gone.
    """
    columns = answers(sandbox, part, [_of_column(each) for each in fresh], seconds=LOOKING)
    looked: list[NewestRow | tuple[str, str]] = [
        _found(declared, answer) for declared, answer in zip(fresh, columns, strict=True)
    ]
    questions = [
        _of_newest(declared, each[0])
        for declared, each in zip(fresh, looked, strict=True)
        if not isinstance(each, NewestRow)
    ]
    newest = iter(answers(sandbox, part, questions, seconds=LOOKING))
    return tuple(
        each if isinstance(each, NewestRow) else _newest(declared, each[1], next(newest), zone)
        for declared, each in zip(fresh, looked, strict=True)
    )


def _of_column(declared: FreshDeclared) -> str:
    schema, _, table = declared.table.rpartition(".")
    return COLUMN.format(column=literal(declared.column), table=literal(table), schema=literal(schema))


def _found(declared: FreshDeclared, answer: Answer) -> NewestRow | tuple[str, str]:
    """The schema that a declared table is in, and the type of its column; or why there is none."""

    def without(fault: str) -> NewestRow:
        return NewestRow(declared.table, declared.column, fault=fault)

    if answer.fault:
        return without(answer.fault)
    if not answer.rows:
        return without("there is no such table")
    schemas = [schema for schema, _ in answer.rows]
    if schemas[0] != "public" and len(schemas) > 1:
        return without(f"there are several such tables, in the schemas {legible(', '.join(schemas))}")
    schema, kind = answer.rows[0]
    if kind is None:
        return without("the table has no such column")
    if kind not in (*TIMES, *NUMBERS):
        return without(f"its type is {legible(kind)}, which is no time")
    return schema, kind


def _of_newest(declared: FreshDeclared, schema: str) -> str:
    table = identifier(schema, declared.table.rpartition(".")[2])
    return NEWEST.format(column=identifier(declared.column), table=table)


def _newest(declared: FreshDeclared, kind: str, answer: Answer, zone: ZoneInfo) -> NewestRow:
    if answer.fault:
        return NewestRow(declared.table, declared.column, fault=answer.fault)
    ((text, rows),) = answer.rows
    if text is None:
        fault = "none in any row" if rows else "the table is empty"
        return NewestRow(declared.table, declared.column, fault=fault)
    at = _of_number(text) if kind in NUMBERS else _of_text(text, zone)
    fault = "" if at else "what is the newest is no moment: infinite, or beyond the calendar"
    return NewestRow(declared.table, declared.column, at, fault)


def _of_text(text: str, zone: ZoneInfo) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:  # infinity, a year of five digits, one before Christ
        return None
    return at if at.tzinfo else at.replace(tzinfo=zone)


def _of_number(text: str) -> datetime | None:
    seconds = moment_of(float(text), UTC)
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def smoke_answers(sandbox: Sandbox, part: Contents, smoke: Iterable[SmokeDeclared]) -> tuple[SmokeAnswer, ...]:
    """What each declared query answers, in a transaction of its own that only reads.

    A table that a query names without its schema is that in public. Dates are written as 2026-11-21, in UTC.

    Args:
        sandbox: where the database is.
        part: of the dump, that it was restored from.
        smoke: the queries.

    Raises:
        Unverified: when the server is gone.
    """
    declared = tuple(smoke)
    asked = answers(sandbox, part, [SMOKE_QUERY.format(sql=each.sql) for each in declared], seconds=SMOKE)
    return tuple(_smoke_answer(each, answer) for each, answer in zip(declared, asked, strict=True))


def _smoke_answer(declared: SmokeDeclared, answer: Answer) -> SmokeAnswer:
    def without(fault: str) -> SmokeAnswer:
        return SmokeAnswer(declared.name, fault=fault)

    if answer.fault:
        return without(answer.fault)
    if len(answer.rows) != 1:
        return without("more than one row" if answer.rows else "no row")
    ((kind, text, columns),) = answer.rows
    if columns != 1:
        return without(f"{columns} columns")
    if text is None:
        return without("NULL")
    return SmokeAnswer(declared.name, _plain(kind, text, declared.equals))


def _plain(kind: str, text: str, expected: Plain) -> Plain:
    """A value as JSON takes it, of the type of what it is compared with where nothing is lost by that."""
    if kind == "boolean":
        return text == "true"
    number = Decimal(text) if kind in NUMERIC else None
    if number is None or not number.is_finite() or number.adjusted() > MOST_DIGITS:
        return text if text == expected else f"another {legible(kind)} of {len(text)} characters"
    if isinstance(expected, float):
        # A number that only comes out as this float when it is rounded is told in full.
        near = float(number)
        return near if number == Decimal(repr(expected)) or near != expected else text
    return int(number) if number == number.to_integral_value() else float(number)


def live_counts(database: Database, tables: Iterable[str]) -> Mapping[str, int]:
    """The rows that tables hold now in the live database, exactly, by the names they were asked by.

    As they are counted in a restored one: of a table that others inherit from its own rows only, of a partitioned one
    those of all its parts.

    Args:
        database: the live one.
        tables: with their schemas, where these are not on the search path of the database's role.

    Raises:
        Unverified: when it cannot be reached or has no such table, or when a policy hides rows from our role.
    """
    with _of_live(database, "counting") as opened:
        return {each: _live_count(opened, each, database) for each in tables}


def _live_count(opened: "psycopg.Connection[tuple[Any, ...]]", table: str, database: Database) -> int:
    from psycopg import sql

    name = sql.Identifier(*table.split("."))
    found = opened.execute(
        "SELECT relkind = 'p' FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass(%s)",
        (name.as_string(opened),),
    ).fetchone()
    if found is None:
        raise Unverified(
            f"counting {table} in the live database {database.name}",
            came_back="there is no such table",
            remedy="Declare it with its schema, or put that on the search_path of the role of this run",
        )
    own = sql.SQL("") if found[0] else sql.SQL("ONLY ")
    (rows,) = opened.execute(sql.SQL("SELECT count(*) FROM {}{}").format(own, name)).fetchone() or (0,)
    return int(rows)


def live_figures(database: Database, tables: Sequence[str]) -> Mapping[str, TableFigures]:
    """What the content of tables of the live database comes to now, by the names they were asked by.

    Args:
        database: the live one.
        tables: in the spelling of `qualified`; of a partitioned table its partitions.

    Raises:
        Unverified: when it cannot be reached or has no such table, or when a policy hides rows from our role.
    """
    with _of_live(database, "reading tables") as opened:
        opened.execute(SESSION.encode())
        queries = [
            query for (query,) in opened.execute(listing(tables).encode()) if query.lstrip().startswith(OF_A_TABLE)
        ]
        told = [opened.execute(query.encode()).fetchone() for query in queries]
    found = {qualified(*row["table"]): TableFigures(row["rows"], row["fingerprint"]) for (row,) in filter(None, told)}
    if missing := sorted(set(tables) - set(found)):
        raise Unverified(
            f"reading {', '.join(missing)} in the live database {database.name}",
            came_back="there is no such table",
            remedy="Declare fingerprints of tables that are there",
        )
    return found


def restored_figures(sandbox: Sandbox, part: Contents, tables: Sequence[str] | None = None) -> RestoredFigures:
    """What the content of a restored database comes to: its tables, sequences, large objects and definitions.

    Args:
        sandbox: where it is.
        part: of the dump, that it was restored from.
        tables: those to read, in the spelling of `qualified`; None for all.

    Raises:
        Unverified: when the server is gone.
    """
    limited = f"SET statement_timeout = {round(READING * 1000)};\n{figures_sql(tables)}"
    try:
        return RestoredFigures(figures_of(map(json.dumps, sandbox.ask(part, limited, seconds=READING))))
    except (NoAnswerError, ValueError) as fault:  # both say it in words, without values
        return RestoredFigures(None, str(fault))


@contextmanager
def _of_live(database: Database, doing: str) -> "Iterator[psycopg.Connection[tuple[Any, ...]]]":
    """A connection to the live database, in which no policy hides a row in silence: that is an error there."""
    try:
        with database.connect(longest=COUNTING) as opened:
            opened.execute("SET LOCAL row_security = off")
            yield opened
    except Breach as fault:  # the backup is what is judged here, and of that it says nothing
        raise Unverified(
            f"{doing} in the live database {database.name}",
            came_back=fault.measurements[0].observed_text,
            remedy="See what DATABASE-1 says of it, and hold the drill again",
        ) from None
