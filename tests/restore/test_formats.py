"""Dumps of every format go through a drill, as deep as it is declared, and so does a cluster with several databases."""

import subprocess
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

ENTRY = ("-U", "postgres", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null")
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
        with pytest.raises(Unverified, match=r"the dump holds .*shop.*Name the one that counts"):
            report.harmful()


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
