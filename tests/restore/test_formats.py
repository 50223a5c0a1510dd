"""Dumps of every format go through a drill, as deep as it is declared, and so does a cluster with several databases."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import lz4.frame
import psycopg
import pytest
import zstandard

from fixtures.content import without_kinds
from fixtures.content_definitions import WORDED
from fixtures.embedded import EmbeddedServer
from fixtures.short_folder import short_folder
from reports.requirement import Breach, Unverified
from restore.drill_report import DrillReport
from restore.examined import OF_ROLES
from tests.fixtures.debian_postgresql import running
from tests.restore import dumps as sample
from tests.restore.conftest import Driller
from tests.restore.dumps import Dumps

HOUSE = Path(__file__).parents[2]
ORDERS = """
CREATE TABLE orders (id serial PRIMARY KEY, customer text NOT NULL);
INSERT INTO orders (customer) SELECT 'c' || n FROM generate_series(1, 40) n;
"""
TICKETS = """
CREATE SCHEMA support;
CREATE TABLE support.tickets (id serial PRIMARY KEY, body text);
INSERT INTO support.tickets (body) SELECT 'b' || n FROM generate_series(1, 7) n;
"""


def same(report: DrillReport) -> dict[str, int | None]:
    """The restored rows by table, which are all as dumped, without a harmful error."""
    assert report.harmful() == []
    assert [each for each in report.tables() if each[1] != each[2]] == []
    assert report.leftovers() == []
    return {table: restored for table, _, restored in report.tables()}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dump of a cluster with two databases and a role, and one of the same in directory format beside it."""
    folder = tmp_path_factory.mktemp("cluster")
    with short_folder("cluster") as home, EmbeddedServer(home, tcp=False) as server:
        entry = ("-h", str(server.socket_dir), "-U", "postgres")
        psql = server.command("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *entry, "-d", "postgres")
        script = f"""
            CREATE ROLE vendedor LOGIN PASSWORD 'no se usa';
            CREATE DATABASE shop OWNER vendedor; CREATE DATABASE "Mesa de ayuda";
            \\connect shop
            {ORDERS}
            ALTER TABLE orders OWNER TO vendedor;
            \\connect "Mesa de ayuda"
            {TICKETS}
        """
        subprocess.run(psql, input=script, text=True, check=True, env={}, stdout=subprocess.DEVNULL)
        dumped = subprocess.run(server.command("pg_dumpall", *entry), stdout=subprocess.PIPE, check=True, env={})
        (folder / "cluster.sql").write_bytes(dumped.stdout)
        inside = server.socket_dir / "directory"
        subprocess.run(server.command("pg_dump", *entry, "-Fd", "-f", str(inside), "shop"), check=True, env={})
        inside.rename(folder / "directory")
    return folder


def test_a_cluster_comes_back_database_by_database(cluster: Path, driller: Driller) -> None:
    report = driller.hold(cluster / "cluster.sql", database="shop")
    found = same(report)
    assert {table: rows for table, rows in found.items() if not table.startswith(("postgres/", "template1/"))} == {
        "shop/public.orders": 40,
        "Mesa de ayuda/support.tickets": 7,
    }
    assert report.rows_of("orders", database="shop") == 40
    assert report.rows_of("support.tickets") == 7
    with pytest.raises(Breach, match="tickets is not among"):
        report.rows_of("tickets", database="shop")


def test_which_of_several_databases_is_meant_must_be_said(cluster: Path, embedded_driller: Driller) -> None:
    for changed in ({}, {"database": "tienda"}):
        report = embedded_driller.hold(cluster / "cluster.sql", **changed)
        assert report.harmful() == []  # it restores, whatever cannot be told of it
        with pytest.raises(Unverified, match=r"the dump holds .*shop.*Name the one that counts"):
            list(report.structures())


def test_a_directory_comes_back(cluster: Path, driller: Driller) -> None:
    assert same(driller.hold(cluster / "directory")) == {"public.orders": 40}


@pytest.mark.parametrize("name", ["tar-format.tar"])
def test_a_tar_comes_back(dumps: Dumps, driller: Driller, name: str) -> None:
    assert same(driller.hold(dumps[name])) == sample.ROWS


@pytest.mark.parametrize("packed", [zstandard.compress, lz4.frame.compress], ids=["zstd", "lz4"])
def test_whatever_is_around_it(dumps: Dumps, embedded_driller: Driller, packed: type) -> None:
    assert same(embedded_driller.hold(packed(dumps.text()))) == sample.ROWS


@pytest.mark.parametrize("name", ["custom.dump", "plain.sql", "tar-format.tar", "inserts.sql"])
def test_without_indexes_and_constraints_the_rows_are_the_same(
    dumps: Dumps, embedded_driller: Driller, name: str
) -> None:
    report = embedded_driller.hold(dumps[name], depth="data")
    assert same(report) == sample.ROWS
    assert list(report.structures()) == []
    assert "not tested" in str({what: observed for what, observed, _ in report.facts()}["depth"])
    full = dict(embedded_driller.hold(dumps[name]).structures())
    assert all(each.indexes > 0 and each.findings() == [] for each in full.values())


CONTENT_CHANGED = {
    "a letter": (b"RUT-7\t", b"RUT-8\t"),
    "a row": (b"\n7\tRUT-7\t", None),
    "a definition": (b"name text NOT NULL", b"name text"),
    "a sequence": (b"SELECT pg_catalog.setval('public.\"User_id_seq\"', 500, true);", b""),
}


def made_with_manifest(dump: Path, database: str, *command: str) -> Path:
    """A plain dump with the manifest that the backup job wrote, its digest aside."""
    made = [sys.executable, "-m", "fixtures.recording", "--database", database, "--", *command, "-f", str(dump)]
    subprocess.run(made, check=True, cwd=HOUSE, stdout=subprocess.DEVNULL)
    change_manifest(dump, sha256=None)
    return dump


def change_manifest(dump: Path, **changed: object) -> None:
    manifest = dump.with_name(f"{dump.name}.manifest.json")
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), **changed}))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain dump of PostgreSQL 16 with a manifest."""
    dump = tmp_path_factory.mktemp("recorded") / "source.sql"
    with short_folder("recorded") as home, EmbeddedServer(home, tcp=False) as server:
        entry = ("-h", str(server.socket_dir), "-U", "postgres")
        psql = server.command("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *entry, "-d", "postgres")
        script = "CREATE DATABASE source;\n\\connect source\n" + sample.SOURCE
        subprocess.run(psql, input=script, text=True, check=True, env={}, stdout=subprocess.DEVNULL)
        database = f"host={server.socket_dir} user=postgres dbname=source"
        return made_with_manifest(dump, database, str(server.binaries.path("pg_dump")))


WORDS = """
CREATE TABLE a (id int PRIMARY KEY, name text DEFAULT 'x'); INSERT INTO a SELECT i, 'name ' || i
    FROM generate_series(1, 30) i;
CREATE VIEW v AS SELECT a.id, a.name FROM a WHERE a.id > 1; COMMENT ON TABLE a IS 'a';
"""


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plain dumps, with manifests, of Debian's PostgreSQL: of a database in UTF8; of one in LATIN1, written in UTF8."""
    folder = tmp_path_factory.mktemp("older")
    with running() as server:
        with server.connect() as opened:
            for name, encoding in (("words", "UTF8"), ("latin", "LATIN1")):
                made = f"CREATE DATABASE {name} TEMPLATE template0 ENCODING {encoding} LC_COLLATE 'C' LC_CTYPE 'C'"
                opened.execute(made.encode())
        with psycopg.connect(server.url("tests", "words")) as opened:
            opened.execute(WORDS.encode())
        with psycopg.connect(server.url("tests", "latin"), client_encoding="UTF8") as opened:
            opened.execute("CREATE TABLE b (c text); INSERT INTO b VALUES ('é'), ('ñ')".encode())
        made_with_manifest(folder / "words.sql", server.url("tests", "words"), "pg_dump")
        aside = f"--dbname={server.url('tests', 'latin')}&client_encoding=UTF8"  # which the command does not see
        made_with_manifest(folder / "latin.sql", server.url("tests", "latin"), "pg_dump", aside)
    return folder


def held_with(recorded: Path, driller: Driller, text: bytes, **changed: object) -> DrillReport:
    backup = driller.folder / recorded.name
    backup.write_bytes(text)
    manifest = f"{recorded.name}.manifest.json"
    (driller.folder / manifest).write_bytes(recorded.with_name(manifest).read_bytes())
    return driller.hold(backup, **changed)


def not_proven(report: DrillReport) -> tuple[str, ...]:
    assert report.examined is not None
    return report.examined.not_proven()


def test_content_as_recorded_is_proven(recorded: Path, embedded_driller: Driller) -> None:
    report = held_with(recorded, embedded_driller, recorded.read_bytes())
    assert same(report) == sample.ROWS
    assert report.differences() == ()
    facts = {what: observed for what, observed, _ in report.facts()}
    assert str(facts["content unproven"]).startswith("owners, rights, default rights only")


@pytest.mark.parametrize("kind", CONTENT_CHANGED)
def test_content_that_is_not_as_recorded_differs(recorded: Path, embedded_driller: Driller, kind: str) -> None:
    before, after = CONTENT_CHANGED[kind]
    text = recorded.read_bytes()
    assert text.count(before) >= 1
    if after is None:  # the whole line
        begin = text.index(before) + 1
        text = text[:begin] + text[text.index(b"\n", begin) + 1 :]
    else:
        text = text.replace(before, after, 1)
    report = held_with(recorded, embedded_driller, text)
    assert report.harmful() == []
    assert report.differences()
    assert "cannot be known" in str({what: observed for what, observed, _ in report.facts()}["content unproven"])


def test_without_definitions_the_rows_on_record_are_compared_all_the_same(
    recorded: Path, embedded_driller: Driller
) -> None:
    whole = recorded.read_bytes()
    for text, as_recorded in ((whole, True), (whole.replace(b"RUT-7\t", b"RUT-8\t", 1), False)):
        report = held_with(recorded, embedded_driller, text, depth="data")
        assert report.harmful() == []
        assert (report.differences() == ()) == as_recorded
        assert not_proven(report) == ("definitions",)


def test_what_nothing_was_recorded_of_is_not_proven(recorded: Path, embedded_driller: Driller) -> None:
    backup = embedded_driller.folder / recorded.name
    whole = held_with(recorded, embedded_driller, recorded.read_bytes())
    assert not_proven(whole) == OF_ROLES
    assert whole.examined is not None
    assert whole.examined.recorded is not None
    figures = whole.examined.recorded.figures
    less = {"sequences": {}, "schema": without_kinds(figures.schema, ["comments", "owners"])}
    change_manifest(backup, figures={**asdict(figures), **less})
    report = embedded_driller.hold(backup)
    assert report.differences() == ()
    moved = ('sequence public."User_id_seq"', "sequence public.onco_casos_id_seq")
    assert not_proven(report) == (*OF_ROLES, "comments", *moved)
    backup.with_name(f"{backup.name}.manifest.json").unlink()
    assert not_proven(embedded_driller.hold(backup)) == ("tables", "sequences", "large objects", "definitions")


def test_what_was_recorded_where_and_when_is_told(recorded: Path, embedded_driller: Driller) -> None:
    report = held_with(recorded, embedded_driller, recorded.read_bytes())
    assert report.examined is not None
    assert report.examined.recorded is not None
    told = {what: str(observed) for what, observed, _ in report.examined.facts()}
    assert told["content recorded of"].startswith("source at /")
    assert ", PostgreSQL 16." in told["content recorded of"]
    assert told["content recorded of"].endswith(", in UTF8")
    taken_at = report.examined.recorded.taken_at
    assert told["content recorded as of"] == f"{taken_at:%Y-%m-%d %H:%M:%S} UTC"
    assert list(replace(report.examined, recorded=None).facts()) == []


@pytest.mark.needs("pg_ctlcluster")
def test_what_a_newer_postgresql_words_otherwise_is_not_compared(older: Path, embedded_driller: Driller) -> None:
    dump = older / "words.sql"
    counts = {"a": {"min": 1}}
    report = held_with(dump, embedded_driller, dump.read_bytes(), counts=counts)
    assert report.harmful() == []
    assert report.differences() == ()
    assert set(not_proven(report)) == {*OF_ROLES, *WORDED}
    examined = report.examined
    assert examined is not None
    otherwise = replace(examined, not_compared=OF_ROLES).differences()
    assert otherwise == ("definitions: other views",)
    for before, after, told in (
        (b"\tname 7\n", b"\tname 8\n", "public.a: as many rows, of another content"),
        (b"TABLE public.a IS 'a'", b"TABLE public.a IS 'b'", "definitions: other comments"),
    ):
        text = dump.read_bytes()
        assert text.count(before) == 1
        changed = held_with(dump, embedded_driller, text.replace(before, after), counts=counts)
        assert changed.differences() == (told,)


@pytest.mark.needs("pg_ctlcluster")
def test_rows_in_another_encoding_than_their_sources_are_counted_only(older: Path, embedded_driller: Driller) -> None:
    dump = older / "latin.sql"
    counts = {"b": {"min": 1}}
    report = held_with(dump, embedded_driller, dump.read_bytes(), counts=counts)
    assert report.harmful() == []
    assert report.differences() == ()
    assert not_proven(report) == ("tables", "definitions")
    text = dump.read_bytes().replace("ñ\n".encode(), b"", 1)
    changed = held_with(dump, embedded_driller, text, counts=counts)
    assert changed.differences() == ("public.b: 1 rows instead of 2",)
