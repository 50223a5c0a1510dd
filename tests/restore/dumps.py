"""Real dumps of a real database that holds what dumps stumble over, made once for a test process."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fixtures.embedded import EmbeddedServer
from fixtures.short_folder import short_folder

# Texts that look like the end of data, like statements, like the end of the dump; names that need quotes.
SOURCE = r"""
CREATE ROLE mira_user NOLOGIN;
CREATE ROLE "Lectura" NOLOGIN;
CREATE SCHEMA app AUTHORIZATION mira_user;
CREATE TABLE "User" (id serial PRIMARY KEY, name text NOT NULL, email text UNIQUE);
CREATE TABLE onco_casos (id serial PRIMARY KEY, rut text, nota text, "user" int REFERENCES "User" (id));
ALTER TABLE onco_casos OWNER TO mira_user;
CREATE TABLE app.empty (a int, b text);
ALTER TABLE app.empty OWNER TO mira_user;
CREATE TABLE app.no_columns ();
INSERT INTO app.no_columns DEFAULT VALUES;
INSERT INTO app.no_columns DEFAULT VALUES;
INSERT INTO "User" (name, email)
    SELECT 'Ñandú ' || i || E'\t\\.\n''; $$ -- x', 'u' || i || '@example.org' FROM generate_series(1, 500) i;
INSERT INTO onco_casos (rut, nota, "user")
    SELECT 'RUT-' || i, E'COPY public."User" (id) FROM stdin;\n\\.\n-- PostgreSQL database dump complete\n', i
    FROM generate_series(1, 300) i;
CREATE TABLE "odd ""name"" (x); --" ("col (a" int, "values" text);
INSERT INTO "odd ""name"" (x); --" VALUES (1, '(a),(b)'), (2, NULL);
CREATE VIEW v AS SELECT * FROM onco_casos;
CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
COPY public."User" (id) FROM stdin;
INSERT INTO onco_casos VALUES (1);
RETURN 1;
END $$;
CREATE FUNCTION g(x int) RETURNS void LANGUAGE sql BEGIN ATOMIC
    INSERT INTO onco_casos (rut) VALUES (CASE WHEN x > 1 THEN 'a;b' ELSE 'c' END);
    INSERT INTO onco_casos (rut) VALUES ('x');
END;
COMMENT ON TABLE "User" IS E'several\nlines\nCOPY app.empty (a, b) FROM stdin;\n1\t2\n\\.\n';
CREATE RULE twice AS ON INSERT TO app.empty DO ALSO
    (INSERT INTO app.no_columns DEFAULT VALUES; INSERT INTO app.no_columns DEFAULT VALUES);
GRANT SELECT ON onco_casos TO "Lectura";
ALTER DEFAULT PRIVILEGES FOR ROLE mira_user IN SCHEMA app GRANT SELECT ON TABLES TO "Lectura";
CREATE TABLE visits (id int, year int) PARTITION BY RANGE (year);
CREATE TABLE visits_old PARTITION OF visits FOR VALUES FROM (0) TO (10);
CREATE TABLE visits_new PARTITION OF visits FOR VALUES FROM (10) TO (20);
INSERT INTO visits SELECT i, i % 20 FROM generate_series(1, 200) i;
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM onco_casos;
ALTER TABLE onco_casos ENABLE ROW LEVEL SECURITY;
ALTER TABLE onco_casos FORCE ROW LEVEL SECURITY;
CREATE POLICY nobody ON onco_casos TO "Lectura" USING (false);
SELECT lo_from_bytea(0, 'hola');
CREATE EXTENSION vector;
"""
ROWS = {
    "app.empty": 0,
    "app.no_columns": 2,
    'public."User"': 500,
    'public."odd ""name"" (x); --"': 2,
    "public.onco_casos": 300,
    "public.visits_new": 100,
    "public.visits_old": 100,
}
ROLES = ("Lectura", "mira_user", "postgres")
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "custom.dump": ("-Fc",),
    "uncompressed.dump": ("-Fc", "-Z0"),
    "plain.sql": (),
    "inserts.sql": ("--inserts",),
    "rows-per-insert.sql": ("--rows-per-insert=7",),
    "column-inserts.sql": ("--column-inserts",),
    "clean.sql": ("--clean",),
    "create.sql": ("--create",),
    "schema-public.sql": ("-n", "public"),
    "schema-public.dump": ("-n", "public", "-Fc"),
    "via-root.sql": ("--load-via-partition-root",),
    "tar-format.tar": ("-Ft",),
}


@dataclass(frozen=True)
class Dumps:
    """The dumps, and the server they were taken from."""

    folder: Path

    def __getitem__(self, name: str) -> Path:
        return self.folder / name

    def text(self) -> bytes:
        """The plain dump."""
        return self["plain.sql"].read_bytes()


def make(folder: Path, major: int = 16, options: Mapping[str, tuple[str, ...]] = OPTIONS) -> Dumps:
    """Dump the source database in every way that the options name."""
    with short_folder("dumps") as home, EmbeddedServer(home, major=major, tcp=False) as server:
        entry = ("-h", str(server.socket_dir), "-U", "postgres")
        argv = server.command("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *entry, "-d", "postgres", "-o", "/dev/null")
        for statements in ("CREATE DATABASE source;", "\\connect source\n" + SOURCE):
            subprocess.run(argv, input=statements, text=True, check=True, env={})
        for name, option in options.items():
            # Through a pipe: written into a file by ">", a custom archive ends with a second table of contents.
            argv = server.command("pg_dump", *entry, *option, "source")
            (folder / name).write_bytes(subprocess.run(argv, stdout=subprocess.PIPE, check=True, env={}).stdout)
    return Dumps(folder)
