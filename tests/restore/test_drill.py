"""Real dumps go through real throwaway servers: what is whole comes back exactly, what is not is found out."""

import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from fixtures.archive import Archive, ArchiveFile
from fixtures.measure.restore_messages import Harm
from fixtures.short_folder import short_folder
from reports.requirement import Breach, Unverified
from restore import drill
from restore.drill_report import DrillReport
from restore.server import EmbeddedThrowaway
from tests.restore import dumps as sample
from tests.restore.conftest import Driller
from tests.restore.dumps import Dumps

END = b"\n--\n-- PostgreSQL database dump complete"
PHASES = [
    *("launch the server", "read the backup", "wait for the server", "prepare roles and databases"),
    *("copy the backup in", "restore", "count", "examine", "dispose of the server"),
]


def different(report: DrillReport) -> list[tuple[str, int, int | None]]:
    return [(table, dumped, restored) for table, dumped, restored in report.tables() if dumped != restored]


def with_more(dumps: Dumps, statements: bytes) -> bytes:
    """The plain dump, with statements before its end."""
    return dumps.text().replace(END, b"\n" + statements + END)


@pytest.mark.parametrize("name", ["custom.dump", "plain.sql"])
def test_whole_backup_comes_back_exactly(dumps: Dumps, driller: Driller, name: str) -> None:
    report = driller.hold(dumps[name])
    assert report.harmful() == []
    assert {table: restored for table, _, restored in report.tables()} == sample.ROWS
    assert different(report) == []
    assert report.rows_of("visits") == 200  # its partitions together
    assert report.roles_created == sample.ROLES
    assert [phase.name for phase in report.phases] == PHASES
    assert report.leftovers() == []
    facts = {what: observed for what, observed, _ in report.facts()}
    assert facts["SHA-256 of the backup"] == report.sha256
    assert re.search(r"PostgreSQL 16\.\d+", str(facts["restored into"]))
    kind = (
        "network none, mounted from the host: nothing"
        if driller.server == "container"
        else "network namespace of its own"
    )
    assert kind in str(facts["isolation"])
    gone = "container " if driller.server == "container" else "folder "
    assert any(each.startswith(gone) for each in report.disposal.gone)
    json.dumps(facts)  # they travel between processes


@pytest.mark.parametrize(
    "name",
    ["uncompressed.dump", "inserts.sql", "clean.sql", "schema-public.sql", "schema-public.dump", "via-root.sql"],
)
def test_however_it_was_dumped_it_comes_back(dumps: Dumps, embedded_driller: Driller, name: str) -> None:
    report = embedded_driller.hold(dumps[name])
    assert report.harmful() == []
    assert different(report) == []
    assert report.rows_of("onco_casos") == 300


def test_compressed_plain_sql_comes_back(dumps: Dumps, driller: Driller) -> None:
    report = driller.hold(gzip.compress(dumps.text()))
    assert report.harmful() == []
    assert different(report) == []


def test_dump_of_another_version_goes_into_a_server_of_that_version(tmp_path: Path, driller: Driller) -> None:
    newer = sample.make(tmp_path, major=18, options={"newer.dump": ("-Fc",)})
    report = driller.hold(newer["newer.dump"])
    assert report.harmful() == []
    assert different(report) == []
    assert "PostgreSQL 18." in report.server


def test_harmless_errors_are_told_and_pass(dumps: Dumps, embedded_driller: Driller) -> None:
    report = embedded_driller.hold(dumps["schema-public.sql"])
    assert [(each.harm, each.text) for each in report.complaints] == [(Harm.HARMLESS, 'schema "public" already exists')]
    assert ("harmless errors", 'schema "public" already exists', "") in list(report.facts())


def test_row_that_a_constraint_refuses_is_harmful_and_not_repeated(dumps: Dumps, embedded_driller: Driller) -> None:
    line = re.search(rb"^7\t.*\n", dumps.text(), re.MULTILINE)
    assert line is not None
    report = embedded_driller.hold(dumps.text().replace(line.group(), line.group() * 2))
    told = " ".join(report.harmful())
    assert 'could not create unique index "User_pkey"' in told
    assert "andú" not in told
    cast = dumps.text().replace(b"\n150\tRUT-150\t", b"\nRUT-150\tRUT-150\t")
    report = embedded_driller.hold(cast)
    assert 'invalid input syntax for type integer: "..." (COPY onco_casos, line 150)' in report.harmful()
    assert different(report) == [("public.onco_casos", 300, 0)]


def test_emptied_table_is_seen_by_its_expected_count_alone(dumps: Dumps, embedded_driller: Driller) -> None:
    emptied = re.sub(rb"(COPY public\.onco_casos .*?stdin;\n).*?\n\\\.\n", rb"\1\\.\n", dumps.text(), flags=re.DOTALL)
    report = embedded_driller.hold(emptied)
    assert report.harmful() == []
    assert different(report) == []
    assert report.rows_of("onco_casos") == 0


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_names_that_are_no_utf8_are_counted(driller: Driller, encoding: str) -> None:
    dump = f"""-- PostgreSQL database dump
-- Dumped by pg_dump version 16.14
SET client_encoding = '{encoding}';
SET standard_conforming_strings = on;
CREATE TABLE public."pa\xf1o" (a int);
COPY public."pa\xf1o" (a) FROM stdin;
1
\\.
-- PostgreSQL database dump complete
"""
    report = driller.hold(dump.encode("latin-1"))
    assert report.harmful() == []
    assert [rows for _, *rows in report.tables()] == [[1, 1]]


def test_rows_that_no_statement_of_the_dump_accounts_for_are_seen(dumps: Dumps, embedded_driller: Driller) -> None:
    more = b'DO $$ BEGIN INSERT INTO app."empty" VALUES (1); CREATE TABLE public.more AS SELECT 1; END $$;\n'
    report = embedded_driller.hold(with_more(dumps, more))
    assert ("public.more", 0, 1) in different(report)


def test_damaged_backup_is_reported_without_a_server(
    dumps: Dumps, embedded_driller: Driller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EmbeddedThrowaway, "__enter__", lambda _: pytest.fail("a server was started"))
    for content in (b"", b"completado\n", dumps.text()[:-500], dumps["custom.dump"].read_bytes()[:-500]):
        report = embedded_driller.hold(content)
        assert re.fullmatch("[0-9a-f]{64}", report.sha256)
        for asked in (report.harmful, lambda: list(report.tables()), lambda: report.rows_of("User")):  # noqa: B023 -- asked here
            with pytest.raises(Breach, match="of the backup: "):
                asked()
        assert report.leftovers() == []
        assert list(report.facts())


def test_folder_and_collections_are_no_dump(embedded_driller: Driller, tmp_path: Path) -> None:
    with pytest.raises(Breach, match="a folder"):
        embedded_driller.hold(tmp_path).harmful()


def test_extension_that_is_missing_is_the_servers_fault(dumps: Dumps, driller: Driller) -> None:
    report = driller.hold(dumps.text().replace(b"EXTENSION IF NOT EXISTS vector", b"EXTENSION IF NOT EXISTS postgis"))
    for asked in (report.harmful, lambda: list(report.tables()), lambda: report.rows_of("User")):
        with pytest.raises(Unverified, match=r"the extension postgis is missing in .*images = \{ 16 = "):
            asked()
    assert report.leftovers() == []
    assert report.disposal.gone


def test_what_only_a_superuser_may_needs_a_container(dumps: Dumps, driller: Driller) -> None:
    trigger = b"CREATE FUNCTION public.e() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;\n"
    needed = trigger + b"CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION public.e();\n"
    report = driller.hold(with_more(dumps, needed))
    if driller.server == "container":
        assert report.harmful() == []
    else:
        with pytest.raises(Unverified, match='server = "container"'):
            report.harmful()


def test_dump_that_makes_its_database_comes_back_under_its_name(dumps: Dumps, driller: Driller) -> None:
    report = driller.hold(dumps["create.sql"])
    assert report.harmful() == []
    assert different(report) == []
    assert {table: restored for table, _, restored in report.tables()} == sample.ROWS
    assert report.rows_of("User", database="source") == 500


def test_restore_is_given_up_at_its_time_limit(dumps: Dumps, driller: Driller) -> None:
    slow = dumps.text().replace(
        b"\nSET default_tablespace", b"\nSELECT pg_catalog.pg_sleep(60);\nSET default_tablespace", 1
    )
    report = driller.hold(slow, time_limit="1s")
    assert "given up after the time limit of 1 s" in report.harmful()
    restore = next(phase for phase in report.phases if phase.name == "restore")
    assert timedelta(seconds=0.9).total_seconds() < restore.seconds < 6
    assert report.leftovers() == []


@pytest.mark.parametrize(
    ("declared", "rows"),
    [("User", 500), ("onco_casos", 300), ("app.empty", 0), ("no_columns", 2), ("public.User", 500)],
)
def test_tables_are_found_as_they_are_declared(dumps: Dumps, one: DrillReport, declared: str, rows: int) -> None:
    del dumps
    assert one.rows_of(declared) == rows


@pytest.fixture(scope="module")
def one(dumps: Dumps) -> DrillReport:
    return Driller(dumps.folder, "embedded").hold(dumps["custom.dump"])


@pytest.mark.parametrize("declared", ["user", "onco_caso", "public.empty", "app.User"])
def test_declared_table_that_is_missing_names_those_there_are(one: DrillReport, declared: str) -> None:
    with pytest.raises(Breach, match=r"is not among .*public\.onco_casos") as raised:
        one.rows_of(declared)
    assert raised.value.measurements[0].limit == f"one called {declared}"


def test_two_drills_at_once_do_not_meet(dumps: Dumps, embedded_driller: Driller) -> None:
    reports: list[DrillReport] = []

    def hold() -> None:
        reports.append(embedded_driller.hold(dumps["custom.dump"]))

    threads = [threading.Thread(target=hold) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.harmful() for each in reports] == [[], []]
    assert all(different(each) == [] for each in reports)


@pytest.fixture
def damaged_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each backup is whole when it is read, and damaged when it is copied in."""

    def cut() -> Iterator[bytes]:
        yield b"--"
        raise Breach("content of the backup", observed="its gzip data are cut", limit="whole", subject="backup.sql")

    monkeypatch.setattr(Archive, "files", lambda _, **__: iter([ArchiveFile("0.sql", 100, cut())]))


def test_damage_found_while_copying_in_is_told_with_what_became_of_the_server(
    dumps: Dumps, driller: Driller, damaged_meanwhile: None
) -> None:
    del damaged_meanwhile
    report = driller.hold(dumps["plain.sql"])
    for asked in (report.harmful, lambda: list(report.tables()), lambda: report.rows_of("User")):
        with pytest.raises(Breach, match="its gzip data are cut"):
            asked()
    assert report.file == "plain.sql"
    assert "PostgreSQL 16" in report.server
    assert report.disposal.gone
    assert report.leftovers() == []
    assert [phase.name for phase in report.phases] == [*PHASES[:5], PHASES[-1]]


@pytest.mark.parametrize("copied", [True, False])
def test_what_a_broken_off_drill_leaves_is_told(
    dumps: Dumps, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, *, copied: bool
) -> None:
    leave = EmbeddedThrowaway.__exit__

    def leave_something(self: EmbeddedThrowaway, *error: object) -> None:
        leave(self, *error)  # type: ignore[arg-type]  # handed on as they came
        self.left = ("a process",)

    if not copied:
        request.getfixturevalue("damaged_meanwhile")
    monkeypatch.setattr(EmbeddedThrowaway, "__exit__", leave_something)
    with short_folder("test") as folder:
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        report = Driller(folder, "embedded").hold(dumps["plain.sql"])
        assert report.leftovers() == ["a process"]
        assert list((folder / f"constancia-leases-{os.geteuid()}").iterdir())  # for the next sweep to look again
    assert (report.damage is None) == copied


def test_backup_swapped_between_reading_and_copying_in_is_no_breach(
    dumps: Dumps, embedded_driller: Driller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swapped() -> Iterator[bytes]:
        raise Unverified("reading again", came_back="it is not the file that was read before", remedy="Run again")
        yield b""

    monkeypatch.setattr(Archive, "files", lambda _, **__: iter([ArchiveFile("0.sql", 100, swapped())]))
    report = embedded_driller.hold(dumps["plain.sql"])
    with pytest.raises(Unverified, match="not the file that was read before"):
        report.harmful()
    assert report.leftovers() == []


def test_nothing_heavy_is_imported_before_a_drill() -> None:
    heavy = ("docker", "testcontainers", "psycopg", "fsspec")
    code = f"import sys, {drill.__name__}; print([each for each in {heavy} if each in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
