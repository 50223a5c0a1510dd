"""A throwaway server of the wheel: of a version that reads the dump, launched at once, and gone when it is left."""

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fixtures.embedded import TREES
from fixtures.measure.restore_messages import Harm, complaints
from fixtures.short_folder import short_folder
from reports.requirement import Unverified
from restore import server as servers
from restore.leftovers import Lease, processes_in
from restore.server import ADMINISTRATOR, EmbeddedThrowaway, version_told


@contextmanager
def launched(needed: int = 16) -> Iterator[EmbeddedThrowaway]:
    """A server of the wheel that was launched, and is gone in the end."""
    with Lease(container=False) as lease:
        server = EmbeddedThrowaway(needed, lease.folder)
        try:
            server.launch()
            yield server
        finally:
            server.__exit__(None, None, None)
    assert server.left == ()


def ask(server: EmbeddedThrowaway, statement: str) -> str:
    argv = ("psql", "-X", "-Atc", statement, "-h", server.socket_dir, "-U", ADMINISTRATOR, "-d", "postgres")
    finished = server.run(*argv, seconds=60)
    assert finished.err == ""
    return finished.out.strip()


def test_it_is_launched_at_once_and_ready_later() -> None:
    begun = time.monotonic()
    with launched() as server:
        assert time.monotonic() - begun < 0.5
        server.await_ready()
        assert ask(server, "SHOW server_version_num").startswith("16")
        assert "PostgreSQL 16." in server.description


def test_it_is_gone_when_it_is_left_before_it_was_ready() -> None:
    with Lease(container=False) as lease:
        server = EmbeddedThrowaway(16, lease.folder)
        server.launch()
        server.__exit__(None, None, None)
        assert server.left == ()
        assert processes_in(lease.folder) == []
    assert not lease.folder.exists()


@pytest.mark.parametrize(("needed", "taken"), [(12, 16), (16, 16), (17, 18), (18, 18)])
def test_oldest_that_is_not_older_is_taken_and_a_newer_one_is_stated(needed: int, taken: int) -> None:
    with Lease(container=False) as lease:
        server = EmbeddedThrowaway(needed, lease.folder)
    assert server.major == taken
    newer = f"restored into a newer major than its own: {taken} for {needed}"
    assert (newer in server.isolation) == (taken > needed)


def test_version_that_the_wheel_does_not_bring_needs_a_container() -> None:
    assert max(TREES) == 18
    said = r'needs PostgreSQL 19 or newer, and the wheel\'s newest is 18\. .*"container", images = { 19 = "IMAGE" }'
    with Lease(container=False) as lease, pytest.raises(Unverified, match=said):
        EmbeddedThrowaway(19, lease.folder)


@pytest.mark.parametrize("name", ["toc.dat", "backup.directory/toc.dat"])
def test_files_are_put_where_its_programs_read_them(name: str) -> None:
    with launched() as server:
        for blocks in ([b"first"], [b"sec", b"ond"]):  # what is there already is replaced
            path = server.put(name, iter(blocks), sum(map(len, blocks)))
        assert path == f"{server.socket_dir}/{name}"
        assert server.run("cat", path, seconds=30).out == "second"


def test_files_are_put_nowhere_else() -> None:
    with launched() as server:
        for name in ("/etc/passwd", "../x", "a/../x", "a/b/c", "a//b", "", "."):
            with pytest.raises(ValueError, match="no name for a file"):
                server.put(name, iter([b""]), 0)


def test_file_that_ends_early_is_no_file() -> None:
    with launched() as server, pytest.raises(Unverified, match=r"copying 9 bytes .*only 5 were written"):
        server.put("backup", iter([b"first"]), 9)


def test_program_that_somebody_killed_tells_nothing_about_the_backup() -> None:
    with launched() as server:

        def kill() -> None:
            for each in processes_in(server._server.folder):
                if Path(f"/proc/{each}/comm").read_text() == "sleep\n":
                    os.kill(each, signal.SIGKILL)

        threading.Timer(0.5, kill).start()
        with pytest.raises(Unverified, match="it was killed"):
            server.run("sleep", "30", seconds=30)
        assert server.run("sh", "-c", "exit 3", seconds=30).code == 3
        assert server.run("sleep", "30", seconds=0.2).timed_out


@pytest.mark.parametrize(
    ("told", "version"),
    [
        ("postgres (PostgreSQL) 16.14\n", ("16.14", 16)),
        ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\nready\n", ("15.18", 15)),
        ("postgres (PostgreSQL) 19beta1\n", ("19beta1", 19)),
    ],
)
def test_version_is_read_from_what_a_program_says(told: str, version: tuple[str, int]) -> None:
    assert version_told(told) == version


@pytest.mark.parametrize("told", ["", "mysqld 8.0\n"])
def test_program_that_tells_no_version_is_no_server_of_ours(told: str) -> None:
    with pytest.raises(Unverified, match="asking the throwaway server for its version"):
        version_told(told)


FILLING = "CREATE TABLE t AS SELECT repeat(i::text, 100) FROM generate_series(1, 1e9::bigint) i"


def test_what_writes_more_than_it_may_is_ended_for_want_of_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "WATCHED_EVERY", 0.2)
    with Lease(container=False) as lease, EmbeddedThrowaway(16, lease.folder, disk=100 << 20) as server:
        assert ask(server, "SELECT 1") == "1"
        with pytest.raises(Unverified, match=r"no room: it wrote more than 0\.1 GiB"):
            ask(server, FILLING)
    assert server.left == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small file system")
def test_disk_that_is_full_in_the_middle_is_the_fault_of_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    with short_folder("test") as folder:
        small = folder / "small"
        small.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=250m,mode=755", "tmpfs", small], check=True)
        try:
            monkeypatch.setattr(tempfile, "tempdir", str(small))
            with launched() as server:
                server.await_ready()
                argv = ("psql", "-X", "-c", FILLING, "-h", server.socket_dir, "-U", ADMINISTRATOR, "-d", "postgres")
                finished = server.run(*argv, seconds=60)
                assert [each.harm for each in complaints(finished.err, superuser=False)] == [Harm.ROOM]
                with pytest.raises(Unverified, match=r"copying .*No space left on device"):
                    server.put("backup", iter([bytes(1 << 20)] * 300), 300 << 20)
        finally:
            subprocess.run(["umount", small], check=True)
