"""Dumps of every format go through a drill, as deep as it is declared, and so does a cluster with several databases."""

import json
import subprocess
import sys
from pathlib import Path

import lz4.frame
import pytest
import zstandard

from fixtures.embedded import EmbeddedServer
from fixtures.short_folder import short_folder
from reports.requirement import Breach, Unverified
from restore.drill_report import DrillReport
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


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain dump with the manifest that the backup job wrote, its digest aside."""
    folder = tmp_path_factory.mktemp("recorded")
    dump = folder / "source.sql"
    with short_folder("recorded") as home, EmbeddedServer(home, tcp=False) as server:
        entry = ("-h", str(server.socket_dir), "-U", "postgres")
        psql = server.command("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *entry, "-d", "postgres")
        script = "CREATE DATABASE source;\n\\connect source\n" + sample.SOURCE
        subprocess.run(psql, input=script, text=True, check=True, env={}, stdout=subprocess.DEVNULL)
        pg_dump = str(server.binaries.path("pg_dump"))
        database = f"host={server.socket_dir} user=postgres dbname=source"
        made = [sys.executable, "-m", "fixtures.manifest", "--database", database, "--", pg_dump, "-f", str(dump)]
        subprocess.run(made, check=True, cwd=HOUSE)
    manifest = folder / "source.sql.manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "sha256": None}))
    return dump


def held_with(recorded: Path, driller: Driller, text: bytes) -> DrillReport:
    backup = driller.folder / recorded.name
    backup.write_bytes(text)
    manifest = f"{recorded.name}.manifest.json"
    (driller.folder / manifest).write_bytes(recorded.with_name(manifest).read_bytes())
    return driller.hold(backup)


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
        backup = embedded_driller.folder / recorded.name
        backup.write_bytes(text)
        manifest = recorded.with_name(f"{recorded.name}.manifest.json")
        (embedded_driller.folder / manifest.name).write_bytes(manifest.read_bytes())
        report = embedded_driller.hold(backup, depth="data")
        assert report.harmful() == []
        assert (report.differences() == ()) == as_recorded
