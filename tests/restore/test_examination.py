"""How new the newest restored rows are, and what declared queries answer, in real restored databases."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr

from fixtures.database import Database, DatabaseDeclared
from fixtures.declared import Plain
from fixtures.drills import FreshDeclared, SmokeDeclared
from fixtures.embedded import EmbeddedServer, free_port
from reports.requirement import Unverified
from restore.examination import (
    NewestRow,
    SmokeAnswer,
    live_counts,
    live_figures,
    newest_rows,
    restored_figures,
    smoke_answers,
)
from tests.restore.restored import RestoredDatabase, dumped, restored

CHILE = ZoneInfo("America/Santiago")
SOURCE = r"""
CREATE SCHEMA "Ventas";
CREATE SCHEMA other;
CREATE DOMAIN moment AS timestamptz;
CREATE TABLE "Casos" (id int PRIMARY KEY, "createdAt" timestamptz, naive timestamp, day date, s bigint, ms numeric,
    half double precision, never timestamptz, endless timestamptz, far timestamp, text text, huge bigint,
    by_domain moment);
INSERT INTO "Casos" VALUES
    (1, '2026-11-20 10:00+00', '2026-11-20 10:00', '2026-11-19', 1763632800, 1763632800123, 1763632800.5, NULL,
     '2026-01-01', '2026-01-01', '2026-01-01', 1763632800, '2026-11-20 10:00-03'),
    (2, '2026-11-21 09:30:00.25-03', '2026-11-21 09:00', '2026-11-20', 1763719200, 1763719200123, 1763719200.5, NULL,
     'infinity', '12026-01-01', '2026-01-02', 1763632800123456789, NULL),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE empty (at timestamptz);
CREATE TABLE "Ventas"."Orden" (at timestamptz);
INSERT INTO "Ventas"."Orden" VALUES ('2030-01-01 00:00+00');
CREATE TABLE "Ventas".twice (at date);
CREATE TABLE other.twice (at date);
CREATE TABLE other.once (at date);
INSERT INTO other.once VALUES ('2026-07-01');
CREATE TABLE "Ventas".here (at date);
CREATE TABLE public.here (at date);
INSERT INTO public.here VALUES ('2026-11-01');
CREATE FUNCTION count(int) RETURNS bigint LANGUAGE sql AS 'SELECT 99::bigint';
CREATE FUNCTION cases() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM public."Casos"';
CREATE FUNCTION writes() RETURNS bigint LANGUAGE sql AS 'DELETE FROM public."Casos" RETURNING 1::bigint';
"""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RestoredDatabase]:
    path: Path = tmp_path_factory.mktemp("examination") / "dump.sql"
    with restored(dumped(SOURCE, path)) as found:
        # A dump that was made with --create may set such things for its database.
        name = found.sandbox.home(found.part)
        found.change(
            f"ALTER DATABASE {name} SET DateStyle = 'German'; ALTER DATABASE {name} SET TimeZone = 'Asia/Tokyo';"
            f"ALTER DATABASE {name} SET search_path = other; ALTER DATABASE {name} SET extra_float_digits = -10;"
        )
        yield found


def newest(database: RestoredDatabase, *tables: tuple[str, str]) -> tuple[NewestRow, ...]:
    fresh = [FreshDeclared(table=table, column=column) for table, column in tables]
    return newest_rows(database.sandbox, database.part, fresh, CHILE)


def at(*moment: int, zone: ZoneInfo | None = None) -> datetime:
    return datetime(*moment, tzinfo=zone or UTC)  # type: ignore[arg-type,misc]  # whole numbers, in their order


@pytest.mark.parametrize(
    ("table", "column", "expected"),
    [
        ("Casos", "createdAt", at(2026, 11, 21, 12, 30, 0, 250_000)),
        ("public.Casos", "by_domain", at(2026, 11, 20, 13)),
        ("Casos", "naive", at(2026, 11, 21, 12)),  # Chile's summer time is three hours behind UTC
        ("Casos", "day", at(2026, 11, 20, 3)),  # when the day begins there
        ("Casos", "s", at(2025, 11, 21, 10)),
        ("Casos", "ms", at(2025, 11, 21, 10, 0, 0, 123_000)),
        ("Casos", "half", at(2025, 11, 21, 10, 0, 0, 500_000)),
        ("Ventas.Orden", "at", at(2030, 1, 1)),  # of the future: told as it is
        ("once", "at", at(2026, 7, 1, 4)),  # the only one of its name; four hours behind in winter
        ("here", "at", at(2026, 11, 1, 3)),  # that in public goes before others
    ],
)
def test_newest_row_is_the_moment_that_it_means(
    database: RestoredDatabase, table: str, column: str, expected: datetime
) -> None:
    (found,) = newest(database, (table, column))
    assert (found.table, found.column, found.fault) == (table, column, "")
    assert found.at == expected


def test_each_way_not_to_have_a_newest_row_is_told_and_none_takes_another_with_it(database: RestoredDatabase) -> None:
    faults = {
        ("Casos", "never"): "none in any row",
        ("empty", "at"): "the table is empty",
        ("Ventas.here", "at"): "the table is empty",
        ("casos", "createdAt"): "there is no such table",
        ("other.Casos", "createdAt"): "there is no such table",
        ("Casos", "createdat"): "the table has no such column",
        ("Casos", "xmin"): "the table has no such column",
        ("Casos", "text"): "its type is text, which is no time",
        ("Casos", "endless"): "what is the newest is no moment: infinite, or beyond the calendar",
        ("Casos", "far"): "what is the newest is no moment: infinite, or beyond the calendar",
        ("Casos", "huge"): "what is the newest is no moment: infinite, or beyond the calendar",
        ("twice", "at"): "there are several such tables, in the schemas Ventas, other",
    }
    found = newest(database, *faults, ("Casos", "s"))
    assert {(each.table, each.column): each.fault for each in found if each.at is None} == faults
    assert found[-1].at == at(2025, 11, 21, 10)
    assert newest(database) == ()


def test_table_that_does_not_answer_takes_no_other_with_it(tmp_path: Path) -> None:
    elsewhere = """
    CREATE FOREIGN DATA WRAPPER nothing;
    CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
    CREATE FOREIGN TABLE public.b_old PARTITION OF public.b FOR VALUES FROM (0) TO (10) SERVER nowhere;
    """
    statements = """
    CREATE TABLE a (day date);
    INSERT INTO a VALUES ('2026-11-20');
    CREATE TABLE b (day date, year int) PARTITION BY RANGE (year);
    """
    with restored(dumped(statements, tmp_path / "dump.sql")) as found:
        found.change(elsewhere)
        first, broken, second = newest(found, ("a", "day"), ("b", "day"), ("a", "day"))
    assert first == second
    assert first.at == at(2026, 11, 20, 3)
    assert broken.fault == 'foreign-data wrapper "..." has no handler'


def answered(database: RestoredDatabase, sql: str, equals: Plain) -> SmokeAnswer:
    smoke = [SmokeDeclared.model_validate({"name": "query", "sql": sql, "equals": equals})]
    (answer,) = smoke_answers(database.sandbox, database.part, smoke)
    assert answer.name == "query"
    json.dumps(answer.observed)  # it travels between processes
    return answer


@pytest.mark.parametrize(
    ("sql", "declared", "observed"),
    [
        ('SELECT count(*) FROM "Casos"', 3, 3),
        ('SELECT count(*) FROM "Casos"', 3.0, 3.0),
        ('SELECT count(*) FROM "Casos"', 4, 3),
        ("SELECT cases() -- to the end of the line", 3, 3),
        ('SELECT sum(id) FROM "Casos"', 6, 6),
        ("SELECT 6.00", 6, 6),
        ("SELECT 0.10", 0.1, 0.1),
        ("SELECT 0.1::double precision", 0.1, 0.1),
        ("SELECT 0.1::real", 0.1, 0.1),
        ("SELECT 0.5", 1, 0.5),
        ("SELECT 0.10000000000000000001", 0.1, "0.10000000000000000001"),
        ("SELECT 0.10000000000000000001", 0.2, 0.1),
        ("SELECT 12345678901234567890123", 1, 12345678901234567890123),
        ("SELECT true", True, True),
        ("SELECT 1 = 2", True, False),
        ("SELECT 'José'", "José", "José"),
        ("SELECT 'Josefa'", "José", "another text of 6 characters"),
        ("SELECT '1'", 1, "another text of 1 characters"),
        ("SELECT 'NaN'::numeric", 1, "another numeric of 3 characters"),
        ("SELECT repeat('9', 401)::numeric", 1, "another numeric of 401 characters"),
        ('SELECT max("createdAt") FROM "Casos"', "2026-11-21 12:30:00.25+00", "2026-11-21 12:30:00.25+00"),
        ("SELECT DATE '2026-11-21'", "2026-11-21", "2026-11-21"),
        ("SELECT current_setting('transaction_read_only')", "on", "on"),
        ("VALUES (7)", 7, 7),
        ("TABLE other.once", "2026-07-01", "2026-07-01"),
        ("WITH one AS (SELECT 1) SELECT 'a;b \\d :x'", "a;b \\d :x", "a;b \\d :x"),
    ],
)
def test_smoke_query_is_answered_by_its_value(
    database: RestoredDatabase, sql: str, declared: Plain, observed: Plain
) -> None:
    answer = answered(database, sql, declared)
    assert answer.fault == ""
    assert (type(answer.observed), answer.observed) == (type(observed), observed)


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ('SELECT id FROM "Casos" WHERE false', "no row"),
        ('SELECT id FROM "Casos"', "more than one row"),
        ('SELECT id, id FROM "Casos" WHERE id = 1', "2 columns"),
        ("SELECT NULL::text", "NULL"),
        ("SELECT count(*) FROM casos", 'relation "casos" does not exist'),
        ('SELECT 1 / (count(*) - 3) FROM public."Casos"', "division by zero"),
        ("SELECT 'RUT-7'::int", 'invalid input syntax for type integer: "..."'),
        (
            "SELECT writes()",
            "raised by a function of the dump writes; its words, which can be a row's, are not repeated",
        ),
    ],
)
def test_query_without_one_value_is_told(database: RestoredDatabase, sql: str, fault: str) -> None:
    answer = answered(database, sql, 1)
    assert (answer.observed, answer.fault) == (None, fault)


def test_query_that_fails_takes_no_other_with_it(database: RestoredDatabase) -> None:
    queries = {"a": "SELECT 1", "b": "SELECT 1 / 0", "c": "SELECT 3", "d": "SELECT nothing", "e": "SELECT 5"}
    smoke = [SmokeDeclared(name=name, sql=sql, equals=1) for name, sql in queries.items()]
    answers = smoke_answers(database.sandbox, database.part, smoke)
    assert [(each.name, each.observed) for each in answers] == [("a", 1), ("b", None), ("c", 3), ("d", None), ("e", 5)]
    assert [each.fault for each in answers if each.fault] == ["division by zero", 'column "nothing" does not exist']


def test_query_that_does_not_end_is_ended(database: RestoredDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restore.examination.SMOKE", 0.3)
    with pytest.raises(Unverified, match="canceling statement due to statement timeout"):
        answered(database, "SELECT true FROM pg_sleep(1000)", equals=True)


def test_content_of_a_restored_database_comes_to_figures(database: RestoredDatabase) -> None:
    found = restored_figures(database.sandbox, database.part)
    assert found.fault == ""
    assert found.figures is not None
    assert {name: each.rows for name, each in found.figures.tables.items()} == {
        '"Ventas"."Orden"': 1,
        '"Ventas".here': 0,
        '"Ventas".twice': 0,
        "other.once": 1,
        "other.twice": 0,
        'public."Casos"': 3,
        "public.empty": 0,
        "public.here": 1,
    }
    some = restored_figures(database.sandbox, database.part, ['public."Casos"'])
    assert some.figures is not None
    assert some.figures.tables == {'public."Casos"': found.figures.tables['public."Casos"']}
    assert some.figures.schema == found.figures.schema


def test_content_that_cannot_be_read_is_told(database: RestoredDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restore.examination.READING", 0.001)
    with pytest.raises(Unverified, match="looking into the restored database"):
        restored_figures(database.sandbox, database.part)


@pytest.fixture(scope="module")
def live(postgresql: EmbeddedServer, execute: Callable[..., None]) -> Iterator[Callable[[str], Database]]:
    """The live database, as one of its roles."""
    execute(
        "CREATE ROLE counter LOGIN PASSWORD 'Quilpue77'",
        "CREATE ROLE stranger LOGIN PASSWORD 'Quilpue77'",
        'CREATE SCHEMA "Ventas"',
        'CREATE TABLE "Ventas"."Orden" (id int)',
        'INSERT INTO "Ventas"."Orden" SELECT generate_series(1, 7)',
        "CREATE TABLE parent (id int)",
        "CREATE TABLE heir () INHERITS (parent)",
        "INSERT INTO parent VALUES (1), (2)",
        "INSERT INTO heir VALUES (3)",
        "CREATE TABLE parts (id int) PARTITION BY RANGE (id)",
        "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10)",
        "INSERT INTO parts VALUES (4), (5), (6)",
        "CREATE TABLE guarded (id int)",
        "INSERT INTO guarded VALUES (1), (2)",
        "ALTER TABLE guarded ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY chosen ON guarded USING (id = 1)",
        'GRANT USAGE ON SCHEMA "Ventas" TO counter',
        'GRANT SELECT ON "Ventas"."Orden", parent, parts, guarded TO counter',
    )

    def entered(role: str) -> Database:
        url = SecretStr(f"postgresql://{role}:Quilpue77@127.0.0.1:{postgresql.port}/postgres")
        return Database(DatabaseDeclared(name="main", url=url))

    yield entered
    execute('DROP SCHEMA "Ventas" CASCADE', "DROP TABLE heir, parent, parts, guarded", "DROP ROLE counter, stranger")


def test_live_rows_are_counted_as_restored_ones(live: Callable[[str], Database]) -> None:
    counted = live_counts(live("counter"), ["Ventas.Orden", "parent", "public.parts"])
    assert counted == {"Ventas.Orden": 7, "parent": 2, "public.parts": 3}


def test_live_content_is_that_of_its_backup_until_a_letter_changes(
    live: Callable[[str], Database], database: RestoredDatabase, execute: Callable[..., None]
) -> None:
    table = '"Ventas"."Orden"'
    database.change("CREATE SCHEMA copied; CREATE TABLE copied.line (id int); INSERT INTO copied.line VALUES (7), (3);")
    execute(
        "CREATE SCHEMA copied",
        "CREATE TABLE copied.line (id int)",
        "INSERT INTO copied.line VALUES (3), (7)",
        "GRANT USAGE ON SCHEMA copied TO counter",
        "GRANT SELECT ON copied.line TO counter",
    )
    try:
        restored_content = restored_figures(database.sandbox, database.part, ["copied.line"]).figures
        assert restored_content is not None
        assert live_figures(live("counter"), ["copied.line"]) == restored_content.tables
        execute("UPDATE copied.line SET id = 8 WHERE id = 7")
        changed = live_figures(live("counter"), ["copied.line", table])
        assert changed["copied.line"].rows == 2
        assert changed["copied.line"] != restored_content.tables["copied.line"]
        assert changed[table].rows == 7
    finally:
        execute("DROP SCHEMA copied CASCADE")
        database.change("DROP TABLE copied.line; DROP SCHEMA copied;")


@pytest.mark.parametrize(
    ("role", "table", "came_back"),
    [
        ("counter", "public.nothing", "there is no such table"),
        ("counter", "public.guarded", "row-level security policy"),
        ("stranger", "public.parent", "permission denied for table parent"),
        ("nobody", "public.parent", "password authentication failed"),
    ],
)
def test_live_content_that_cannot_be_read_is_unverified(
    live: Callable[[str], Database], role: str, table: str, came_back: str
) -> None:
    with pytest.raises(Unverified, match=came_back):
        live_figures(live(role), [table])


@pytest.mark.parametrize(
    ("role", "table", "came_back"),
    [
        ("counter", "Orden", "there is no such table"),
        ("counter", "guarded", "row-level security policy"),
        ("stranger", "parent", "permission denied for table parent"),
        ("nobody", "parent", "password authentication failed"),
    ],
)
def test_live_database_that_does_not_tell_is_unverified(
    live: Callable[[str], Database], role: str, table: str, came_back: str
) -> None:
    with pytest.raises(Unverified, match=came_back):
        live_counts(live(role), [table])


def test_live_database_that_is_not_there_is_unverified() -> None:
    url = SecretStr(f"postgresql://counter:Quilpue77@127.0.0.1:{free_port()}/postgres")
    with pytest.raises(Unverified, match=r"counting in the live database main: .*refused"):
        live_counts(Database(DatabaseDeclared(name="main", url=url)), ["parent"])
