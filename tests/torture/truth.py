"""What a dump really restores to, told without the suite: plain pg_restore or psql, and pg_dump of what came of it."""

import bz2
import gzip
import hashlib
import io
import lzma
import re
import shutil
import subprocess
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from fixtures.confinement import within_reach
from fixtures.embedded import EmbeddedServer
from fixtures.short_folder import short_folder
from tests.torture.originals import CELERP, ROLES, programs_of

MAJOR = 18  # reads what any of the dumps holds
SECONDS = 60.0
SCRATCH = "scratch"
ARCHIVES = (".dump", ".tar", ".nbdata")
SETTINGS = {"fsync": "off", "autovacuum": "off"}
_ROWS = re.compile(rb"^(COPY [^\n]* FROM stdin;\n)(.*?)^(\\\.\n)", re.MULTILINE | re.DOTALL)


class Likeness(Enum):
    """How like two dumps restore."""

    SAME = "the same"
    BUT_ROLES = "the same but for owners and rights"
    OTHER = "something else"


@dataclass(frozen=True)
class Content:
    """What a database holds, as digests.

    Attributes:
        whole: of definitions, owners, rights, rows, sequences, large objects.
        but_roles: the same without owners and rights.
    """

    whole: str
    but_roles: str

    def like(self, other: "Content") -> Likeness:
        """How like another it is."""
        if self == other:
            return Likeness.SAME
        return Likeness.BUT_ROLES if self.but_roles == other.but_roles else Likeness.OTHER


NOTHING = Content("nothing that could be given to a restore", "nothing")


class Truth:
    """A server that stays, and restores one dump after another into a new database.

    Args:
        server: it runs, and has the roles of the dumps.
        pg_restore: the program, where the server's user can run it.
    """

    def __init__(self, server: EmbeddedServer, pg_restore: Path) -> None:
        self._server = server
        self._pg_restore = pg_restore
        self._entry = ("-h", str(server.socket_dir), "-U", server.superuser)

    def of(self, dump: Path) -> Content:
        """What a dump restores to.

        The order of rows does not count, nor do the errors of the restore: what came of it does.

        Raises:
            subprocess.TimeoutExpired: when a program takes longer than SECONDS.
        """
        with short_folder("torture") as folder:
            try:
                inside = _readable(dump, folder)
            except DAMAGED:
                return NOTHING
            self._psql(f"DROP DATABASE IF EXISTS {SCRATCH} WITH (FORCE)")
            self._psql(f"CREATE DATABASE {SCRATCH} TEMPLATE template0")
            if inside.suffix == ".sql":
                self._run("psql", "-X", "-q", "-o", "/dev/null", "-d", SCRATCH, "-f", str(inside))
            else:
                self._run(str(self._pg_restore), "-d", SCRATCH, str(inside))
        return Content(self._digest(), self._digest("--no-owner", "--no-privileges"))

    def _digest(self, *options: str) -> str:
        told = self._run("pg_dump", "--restrict-key=constancia", *options, SCRATCH)
        return hashlib.sha256(_ROWS.sub(_in_order, told)).hexdigest()

    def _psql(self, statement: str) -> None:
        self._run("psql", "-X", "-q", "-d", "postgres", "-c", statement)

    def _run(self, program: str, *options: str) -> bytes:
        argv = self._server.command(program, *self._entry, *options)
        done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, check=False, timeout=SECONDS, env={})
        return done.stdout


@contextmanager
def running() -> Iterator[Truth]:
    """A server for it, as long as the context lasts."""
    with short_folder("torture") as home, EmbeddedServer(home, MAJOR, tcp=False, settings=SETTINGS) as server:
        roles = "".join(f'CREATE ROLE "{name}" NOLOGIN;' for name in ROLES)
        entry = ("-h", str(server.socket_dir), "-U", server.superuser, "-d", "postgres")
        subprocess.run(server.command("psql", "-X", "-q", *entry, "-c", roles), check=True, env={})
        tree = programs_of(CELERP).parent
        parts = [Path(tree.name) / each for each in ("bin/pg_restore", "lib")]
        with short_folder("torture") as programs:
            yield Truth(server, within_reach(tree.parent, parts, programs) / tree.name / "bin" / "pg_restore")


def _in_order(rows: re.Match[bytes]) -> bytes:
    head, lines, end = rows.groups()
    return head + b"".join(sorted(lines.splitlines(keepends=True))) + end


def _readable(dump: Path, folder: Path) -> Path:
    """A copy that the server's user can read, without the compression around it, of which the name tells."""
    if dump.is_dir():
        copy = shutil.copytree(dump, folder / "dump")
        copy.chmod(0o755)
        return copy
    content = UNPACK.get(dump.suffix, bytes)(dump.read_bytes())
    copy = folder / ("dump" if dump.suffix in ARCHIVES else "dump.sql")
    copy.write_bytes(content)
    return copy


def _of_nocobase(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        return opened.read("data")


def _of_zstd(content: bytes) -> bytes:
    import zstandard

    text = b""
    while content:
        frame = zstandard.ZstdDecompressor().decompressobj()
        try:
            text += frame.decompress(content)
        except zstandard.ZstdError:
            raise ValueError("damaged") from None
        if not frame.eof:
            raise EOFError
        content = frame.unused_data
    return text


def _of_lz4(content: bytes) -> bytes:
    import lz4.frame

    text = b""
    while content:
        inside, read = lz4.frame.decompress(content, return_bytes_read=True)
        text, content = text + inside, content[read:]
    return text


# What the libraries raise of damage: a zip's with another method or a password, too.
DAMAGED = (EOFError, OSError, ValueError, RuntimeError, KeyError, lzma.LZMAError, zlib.error, zipfile.BadZipFile)
UNPACK: Mapping[str, Callable[[bytes], bytes]] = {
    ".nbdata": _of_nocobase,
    ".gz": gzip.decompress,
    ".zst": _of_zstd,
    ".lz4": _of_lz4,
    ".xz": lzma.decompress,
    ".bz2": bz2.decompress,
}
