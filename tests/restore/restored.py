"""A real database, dumped by pg_dump and restored into a real throwaway server, to be looked at while it is there."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fixtures import archive as archives
from fixtures.embedded import EmbeddedServer
from fixtures.measure.dump import Contents
from fixtures.measure.restore_messages import Harm, complaints
from fixtures.short_folder import short_folder
from restore.container import ContainerThrowaway
from restore.leftovers import Lease
from restore.sandbox import RESTORER, Sandbox
from restore.server import EmbeddedThrowaway
from tests.restore.conftest import IMAGES

SECONDS = 60.0


@dataclass(frozen=True)
class RestoredDatabase:
    """A database that was restored: where, and of which part of the dump."""

    sandbox: Sandbox
    part: Contents

    def change(self, statements: str) -> None:
        """Change it as the superuser, as no dump can."""
        finished = self.sandbox.sql(statements, database=self.sandbox.home(self.part))
        assert (finished.code, finished.err) == (0, "")


def dumped(statements: str, path: Path, *, major: int = 16) -> Path:
    """A plain dump of a database that these statements make."""
    with short_folder("source") as home, EmbeddedServer(home, major=major, tcp=False) as server:
        entry = ("-h", str(server.socket_dir), "-U", "postgres")
        argv = server.command("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *entry, "-d", "postgres", "-o", "/dev/null")
        for each in ("CREATE DATABASE source;", "\\connect source\n" + statements):
            subprocess.run(argv, input=each, text=True, check=True, env={})
        argv = server.command("pg_dump", *entry, "source")
        path.write_bytes(subprocess.run(argv, stdout=subprocess.PIPE, check=True, env={}).stdout)
    return path


@contextmanager
def restored(dump: Path, *, server: str = "embedded") -> Iterator[RestoredDatabase]:
    """The database of a plain dump, restored without a harmful error."""
    container = server == "container"
    archive = archives.read(dump)
    with (
        Lease(container=container) as lease,
        ContainerThrowaway(archive.major, IMAGES, lease.id)
        if container
        else EmbeddedThrowaway(archive.major, lease.folder) as throwaway,
    ):
        sandbox = Sandbox(throwaway, archive)
        sandbox.prepare()
        (part,) = archive.dumps
        path = throwaway.put("dump.sql", iter([dump.read_bytes()]), dump.stat().st_size)
        entry = ("-h", throwaway.socket_dir, "-U", RESTORER, "-d", sandbox.home(part))
        finished = throwaway.run("psql", "-X", "-q", "-b", "-o", "/dev/null", *entry, "-f", path, seconds=SECONDS)
        found = complaints(finished.err, superuser=throwaway.holds_superuser)
        assert [each.text for each in found if each.harm is not Harm.HARMLESS] == [], finished.err
        yield RestoredDatabase(sandbox, part)
