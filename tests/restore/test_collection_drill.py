"""Tables made from definitions are compared with those of a real dump, in real throwaway servers that are gone then."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fixtures.drills import Drill, RestoreDeclared
from fixtures.embedded import EmbeddedServer, binaries
from fixtures.lab.dumps import packed
from fixtures.recreation import RecreateDeclared, Recreation
from fixtures.short_folder import short_folder
from reports.requirement import Breach, Unverified
from restore.collection_drill import CollectionsReport, Recreated, held, without_rows
from tests.fixtures.kept import NOW, backup_set, put
from tests.restore.conftest import IMAGES

# What NocoBase makes of the definitions below, with names and a body that stumble.
SOURCE = r"""
CREATE ROLE keeper NOLOGIN;
CREATE SCHEMA app AUTHORIZATION keeper;
CREATE TYPE state AS ENUM ('open', 'closed');
CREATE TABLE users (id bigserial PRIMARY KEY, code varchar(255), "createdAt" timestamptz, "updatedAt" timestamptz);
CREATE TABLE cases (
    id bigserial PRIMARY KEY, code varchar(20) NOT NULL UNIQUE, state state NOT NULL, "año ""1"" x" integer,
    dose numeric(8, 2), data jsonb, tags jsonb, seen date, "createdAt" timestamptz, "createdById" bigint
);
ALTER TABLE cases OWNER TO keeper;
CREATE TABLE app.visits (id uuid PRIMARY KEY, case_id bigint REFERENCES cases (id), at timestamp, length float);
CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
-- COPY cases (id) FROM stdin;
INSERT INTO cases (id) VALUES (1);
RETURN 1;
END $$;
CREATE VIEW open_cases AS SELECT id, code FROM cases WHERE state = 'open';
INSERT INTO users (code) SELECT 'u' || i FROM generate_series(1, 50) i;
INSERT INTO cases (code, state, "createdById") SELECT 'c' || i, 'open', i % 50 + 1 FROM generate_series(1, 500) i;
INSERT INTO app.visits SELECT gen_random_uuid(), i FROM generate_series(1, 500) i;
"""
OPTIONS = {
    "custom": ("-Fc",),
    "plain": (),
    "inserts": ("--inserts",),
    "tar": ("-Ft",),
    "create": ("--create",),
    "directory": ("-Fd",),
}
ID = {"name": "id", "type": "bigInt", "primaryKey": True, "autoIncrement": True, "allowNull": False}
CHOICES = {"enum": [{"value": "open", "label": "Open"}, {"value": "closed", "label": "Closed"}]}
DEFINED: dict[str, dict[str, Any]] = {
    "users": {"template": "general", "fields": [ID, {"name": "code", "type": "uid"}]},
    "cases": {
        "template": "general",
        "updatedAt": False,
        "createdBy": True,
        "fields": [
            ID,
            {"name": "code", "type": "string", "length": 20, "allowNull": False, "unique": True},
            {"name": "state", "type": "string", "interface": "select", "allowNull": False, "uiSchema": CHOICES},
            {"name": 'año "1" x', "type": "integer"},
            {"name": "dose", "type": "decimal", "precision": 8, "scale": 2},
            {"name": "data", "type": "jsonb"},
            {"name": "tags", "type": "array"},
            {"name": "seen", "type": "dateOnly"},
            {"name": "createdBy", "type": "belongsTo", "target": "users", "foreignKey": "createdById"},
            {"name": "visits", "type": "hasMany", "target": "visits", "foreignKey": "case_id"},
        ],
    },
    "visits": {
        "schema": "app",
        "timestamps": False,
        "fields": [
            {"name": "id", "type": "uuid", "primaryKey": True},
            {"name": "at", "type": "datetimeNoTz"},
            {"name": "length", "type": "float"},
        ],
    },
    "open": {"template": "view", "viewName": "open_cases", "fields": [ID, {"name": "code", "type": "string"}]},
    "counted": {"template": "sql", "sql": "SELECT 1", "fields": [{"name": "n", "type": "integer"}]},
}
Definitions = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Collections:
    """Holds drills for a test."""

    folder: Path
    dumps: Path
    server: str

    def hold(
        self, *expected: str, definitions: Definitions | None = None, dump: str | bytes = "custom"
    ) -> CollectionsReport:
        """Recreate collections (all by default) of an archive with these definitions, beside a dump."""
        newest = self.folder / "dumps" / "backup-2026-06-30.dump"
        if isinstance(dump, str) and (self.dumps / dump).is_dir():
            shutil.copytree(self.dumps / dump, newest)
            for path in newest.iterdir():
                os.utime(path, ((NOW - timedelta(hours=10)).timestamp(),) * 2)
        else:
            content = dump if isinstance(dump, bytes) else (self.dumps / dump).read_bytes()
            put(newest, NOW - timedelta(hours=10), content)
        return held(self.declared(*expected, definitions=definitions))

    def declared(self, *expected: str, definitions: Definitions | None = None) -> Recreation:
        """What a system file would declare, over an archive with these definitions."""
        listed = [{"name": name, **each} for name, each in (definitions or DEFINED).items()]
        content = packed({"a/collections.json": json.dumps(listed).encode()}, NOW, gzipped=True)
        put(self.folder / "collections" / "backup-2026-06-30.dump", NOW - timedelta(hours=10), content)
        given = {"backups": "daily", "server": self.server, "images": IMAGES, "counts": {"t": {"min": 1}}}
        return Recreation(
            RecreateDeclared.model_validate({"collections": "daily", "restore": "weekly"}),
            backup_set(self.folder / "collections", collections=expected or tuple(DEFINED)),
            Drill(RestoreDeclared.model_validate(given), backup_set(self.folder / "dumps")),
        )


@pytest.fixture(scope="session")
def collection_dumps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dumps of the database that the definitions are of, one in each format."""
    folder = tmp_path_factory.mktemp("collection-dumps")
    with short_folder("dumps") as home, EmbeddedServer(home, major=16, tcp=False) as server:
        entry = ("-h", str(server.socket_dir), "-U", "postgres")
        argv = server.command("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *entry, "-d", "postgres", "-o", "/dev/null")
        for statements in ("CREATE DATABASE source;", "\\connect source\n" + SOURCE):
            subprocess.run(argv, input=statements, text=True, check=True, env={})
        for name, option in OPTIONS.items():
            argv = [str(binaries(16).path("pg_dump")), *entry, *option, "-f", str(folder / name), "source"]
            subprocess.run(argv, check=True, env={})
    return folder


@pytest.fixture
def collections(tmp_path: Path, collection_dumps: Path, server: str) -> Collections:
    return Collections(tmp_path, collection_dumps, server)


@pytest.fixture
def embedded(tmp_path: Path, collection_dumps: Path) -> Collections:
    return Collections(tmp_path, collection_dumps, "embedded")


def field(definition: dict[str, Any], name: str) -> dict[str, Any]:
    """A field of a definition, to be changed."""
    found: dict[str, Any] = next(each for each in definition["fields"] if each["name"] == name)
    return found


def findings(report: CollectionsReport) -> dict[str, tuple[str, ...]]:
    """What is wrong, by collection."""
    assert report.hindrance is None, report.hindrance
    assert not report.left
    return {each.name: each.findings for each in report.collections if each.findings}


@pytest.mark.parametrize("dump", OPTIONS)
def test_definitions_become_the_tables_of_the_dump(embedded: Collections, dump: str) -> None:
    report = embedded.hold(dump=dump)
    assert findings(report) == {}
    report.require_compared()
    assert report.collections == (
        Recreated("users", 2, "recreated with 4 columns"),
        Recreated("cases", 10, "recreated with 10 columns"),
        Recreated("visits", 3, "recreated with 4 columns"),
        Recreated("open", 2, "not recreated: a view"),
        Recreated("counted", 1, "not recreated: a query"),
    )


def test_each_kind_of_server_says_what_it_is_and_is_gone(collections: Collections) -> None:
    report = collections.hold("cases")
    report.require_compared()
    assert findings(report) == {}
    facts = dict(report.facts())
    assert "PostgreSQL 16" in str(facts["recreated in"])
    assert "database dump" in str(facts["rows"])
    assert str(facts["compared with the dump"]).startswith("backup-2026-06-30.dump, SHA-256 ")
    assert report.isolation
    assert report.gone
    assert not report.left


def test_collection_that_is_not_defined_is_named(embedded: Collections) -> None:
    report = embedded.hold("cases", "patients")
    assert report.undefined() == ["patients"]
    assert findings(report) == {}
    report.require_compared()


def test_table_may_lie_in_a_schema_that_the_definition_does_not_name(embedded: Collections) -> None:
    definitions = deepcopy(DEFINED)
    del definitions["visits"]["schema"]
    report = embedded.hold("visits", definitions=definitions)
    report.require_compared()
    assert findings(report) == {}


def test_every_difference_from_the_dump_is_found(embedded: Collections) -> None:
    definitions = deepcopy(DEFINED)
    cases, visits, view = definitions["cases"], definitions["visits"], definitions["open"]
    cases["fields"].remove(field(cases, "data"))
    cases["fields"].append({"name": "more", "type": "text"})
    field(cases, "dose")["type"] = "double"
    field(cases, "code").update(length=10, allowNull=True)
    field(cases, "state")["uiSchema"] = {"enum": ["open"]}
    visits["autoGenId"] = field(visits, "id")["primaryKey"] = False
    view["fields"].append({"name": "dose", "type": "decimal"})
    report = embedded.hold(definitions=definitions)
    report.require_compared()
    assert findings(report) == {
        "cases": (
            "more is not in the dump's table",
            "data (jsonb) is in the dump's table and not in the definition",
            "code is character varying(10) by its definition, character varying(20) in the dump",
            "code takes NULL by its definition, takes no NULL in the dump",
            "state is character varying(255) by its definition, public.state in the dump",
            "dose is double precision by its definition, numeric(8,2) in the dump",
        ),
        "visits": ("the primary key is none by its definition, id in the dump",),
        "open": ("dose is not in the dump's view",),
    }


def test_what_the_dump_does_not_hold_and_what_cannot_be_made_is_found(embedded: Collections) -> None:
    definitions = deepcopy(DEFINED)
    definitions["cases"]["tableName"] = "casos"
    definitions["open"]["viewName"] = "users"  # a table
    definitions["visits"]["fields"] = []
    definitions["users"]["fields"] += [{"name": f"x{number}", "type": "integer"} for number in range(1_600)]
    report = embedded.hold(definitions=definitions)
    report.require_compared()
    assert findings(report) == {
        "users": ("PostgreSQL refuses its table: tables can have at most 1600 columns",),
        "cases": ("the dump does not hold it: its rows could not be brought back",),
        "visits": ("it has no list of fields; export collections together with their fields",),
        "open": ("the dump does not hold it: its rows could not be brought back",),
    }


def test_what_cannot_be_told_is_no_pass(embedded: Collections) -> None:
    definitions = deepcopy(DEFINED)
    field(definitions["cases"], "dose")["type"] = "formula"
    definitions["visits"]["inherits"] = ["users"]
    report = embedded.hold("users", "cases", "visits", definitions=definitions)
    assert findings(report) == {}
    outcomes = [each.outcome for each in report.collections]
    assert outcomes == ["recreated with 4 columns", "not recreated", "not recreated"]
    with pytest.raises(Unverified) as raised:
        report.require_compared()
    assert "cases: its field dose is of the type formula, not known here" in str(raised.value)
    assert "visits: it inherits from another collection" in str(raised.value)


def test_nothing_to_be_made_needs_no_server(embedded: Collections) -> None:
    report = embedded.hold("counted", dump=b"no dump")
    report.require_compared()
    assert (report.server, report.gone, report.left) == ("", (), ())


HOSTILE = (
    'x"); DROP TABLE users; --',
    "x\n\\! touch {bait}\n",
    "x\\",
    "${{HOME}}",
    ":'HOME'",
    "select",
    "  ",
    "x" * 70,
)


def test_names_of_a_definition_are_names_whatever_they_hold(
    embedded: Collections, no_file: Callable[[str], str]
) -> None:
    told = [each.format(bait=no_file("bait")) for each in HOSTILE]
    odd = {
        f"odd{number}": {"fields": [ID, {"name": name, "type": "text"}], "tableName": name, "timestamps": False}
        for number, name in enumerate(told)
    }
    report = embedded.hold("users", *odd, definitions={**DEFINED, **odd})
    assert findings(report) == dict.fromkeys(odd, ("the dump does not hold it: its rows could not be brought back",))
    assert {each.outcome for each in report.collections[1:]} == {"recreated with 2 columns"}
    assert report.collections[0] == Recreated("users", 2, "recreated with 4 columns")


def test_zero_in_a_name_is_refused_before_any_server(embedded: Collections) -> None:
    odd = {"fields": [{"name": 'x"\0\n"; DROP TABLE users; --', "type": "text"}]}
    (found,) = findings(embedded.hold("odd", definitions={"odd": odd}))["odd"]
    assert "what no name in a database can hold" in found


CUT = "content of the backup|end of the backup"


@pytest.mark.parametrize("dump", ["plain", "custom"])
def test_damaged_dump_leaves_it_untold(embedded: Collections, collection_dumps: Path, dump: str) -> None:
    content = (collection_dumps / dump).read_bytes()
    report = embedded.hold("cases", "patients", dump=content[: len(content) * 2 // 3])
    assert report.undefined() == ["patients"]
    with pytest.raises(Unverified, match=f"comparing collections with backup-2026-06-30.dump: ({CUT})"):
        report.require_compared()


def test_no_dump_leaves_it_untold(embedded: Collections) -> None:
    (embedded.folder / "dumps").mkdir()
    with pytest.raises(Unverified, match="comparing collections with the newest database dump: newest backup"):
        held(embedded.declared()).require_compared()


def test_no_collection_declared_is_no_pass(embedded: Collections) -> None:
    found = replace(embedded.declared(), backups=backup_set(embedded.folder / "collections"))
    with pytest.raises(Unverified, match="it declares none"):
        held(found)


def test_no_archive_of_definitions_is_a_breach(embedded: Collections) -> None:
    found = embedded.declared()
    (embedded.folder / "collections" / "backup-2026-06-30.dump").unlink()
    with pytest.raises(Breach, match="newest backup"):
        held(found)


@pytest.mark.parametrize("line", ["SELECT nobody_knows_this();", "CREATE EXTENSION postgis;"])
def test_table_missing_in_a_structure_that_did_not_restore_is_untold(
    embedded: Collections, collection_dumps: Path, line: str
) -> None:
    text = (collection_dumps / "plain").read_bytes()
    after = b"SET row_security = off;\n"
    text = text.replace(after, after + f"{line}\n".encode(), 1)
    report = embedded.hold("cases", dump=text.replace(b"CREATE TABLE public.cases", b"CREATE TABL public.cases"))
    with pytest.raises(Unverified):
        report.require_compared()


def test_rows_of_a_dump_are_not_restored(embedded: Collections, collection_dumps: Path) -> None:
    text = (collection_dumps / "plain").read_bytes()
    assert b"COPY public.cases" in text
    broken = text.replace(b"\tc250\topen\t", b"\tc250\tlost\t", 1)  # no label of the enum: the row would be refused
    assert broken != text
    report = embedded.hold("cases", dump=broken)
    report.require_compared()
    assert findings(report) == {}


def test_command_in_a_dump_is_not_run(
    embedded: Collections, collection_dumps: Path, no_file: Callable[[str], str]
) -> None:
    after = b"SET row_security = off;\n"
    line = f"\\! touch {no_file('bait')}\n".encode()
    report = embedded.hold("cases", dump=(collection_dumps / "plain").read_bytes().replace(after, after + line, 1))
    with pytest.raises(Unverified, match="commands of psql in the backup"):
        report.require_compared()


def test_no_engine_leaves_it_untold(tmp_path: Path, collection_dumps: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    report = Collections(tmp_path, collection_dumps, "container").hold("cases")
    assert not report.left
    with pytest.raises(Unverified, match="container"):
        report.require_compared()


def test_structure_is_found_wherever_blocks_end(collection_dumps: Path) -> None:
    text = (collection_dumps / "plain").read_bytes()
    begin, after = text.index(b"-- Data for Name: "), text.index(b"-- Name: cases cases_pkey; Type: CONSTRAINT")

    def cut(size: int) -> Iterator[bytes]:
        return (text[place : place + size] for place in range(0, len(text), size))

    for size in (1, 7, 18, 19, 1_000, len(text)):
        assert without_rows(cut(size), after, "x") == text[:begin] + text[after:]
        assert without_rows(cut(size), None, "x") == text[:begin]
