"""A throwaway server in a container: the right version, on any engine; what cannot be had is told with a remedy."""

import os
import select
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from testcontainers.core.config import testcontainers_config

from fixtures.short_folder import short_folder
from reports.requirement import Unverified
from restore import container as containers_of
from restore.container import ContainerThrowaway
from restore.leftovers import Lease
from restore.server import ADMINISTRATOR, TUNED
from tests.restore.conftest import IMAGES

ENGINE = "/var/run/docker.sock"
pytestmark = pytest.mark.usefixtures("containers")


@pytest.fixture(autouse=True)
def _leases(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The leases of these tests in a folder of their own: what one leaves is no other run's to look for."""
    with short_folder("test") as folder:
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        yield


@contextmanager
def launched(major: int = 16, **changed: object) -> Iterator[ContainerThrowaway]:
    """A server in a container that was launched, and is gone in the end."""
    given = {"images": IMAGES, **changed}
    with Lease(container=True) as lease:
        server = ContainerThrowaway(major, lease=lease.id, **given)  # type: ignore[arg-type]  # as the tests name them
        try:
            server.launch()
            yield server
        finally:
            server.__exit__(None, None, None)
            lease.disposed = not server.left


def ask(server: ContainerThrowaway, statement: str, seconds: float = 60) -> str:
    argv = ("psql", "-X", "-Atc", statement, "-h", server.socket_dir, "-U", ADMINISTRATOR, "-d", "postgres")
    finished = server.run(*argv, seconds=seconds)
    assert finished.err == ""
    return finished.out.strip()


@pytest.mark.parametrize("major", [15, 16, 17, 18])
def test_it_is_launched_at_once_and_ready_later(major: int) -> None:
    begun = time.monotonic()
    with launched(major) as server:
        assert time.monotonic() - begun < 0.2
        server.await_ready()
        assert ask(server, "SHOW server_version_num").startswith(str(major))
        assert server.major == major
        assert f"PostgreSQL {major}." in server.description
    assert server.left == ()
    assert len(server.gone) == 1


def test_it_is_gone_when_it_is_left_before_it_was_ready() -> None:
    with launched() as server:
        pass
    assert server.left == ()
    assert len(server.gone) == 1


@pytest.mark.parametrize("name", ["toc.dat", "backup.directory/toc.dat"])
def test_files_are_put_where_its_programs_read_them(name: str) -> None:
    with launched() as server:
        server.await_ready()
        for blocks in ([b"first"], [b"sec", b"ond"]):  # what is there already is replaced
            path = server.put(name, iter(blocks), sum(map(len, blocks)))
        assert path == f"/tmp/{name}"  # noqa: S108 -- of the container
        assert server.run("cat", path, seconds=30).out == "second"
        assert server.run("ls", path.rpartition("/")[0], seconds=30).code == 0


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../x", "a/b/c", "a//b", "", "."])
def test_files_are_put_nowhere_else(name: str) -> None:
    server = ContainerThrowaway(16, IMAGES, "none")
    with pytest.raises(ValueError, match="no name for a file"):
        server.put(name, iter([b""]), 0)


@pytest.mark.parametrize(("declared", "holds"), [(18, 16), (16, 18)])
def test_image_of_another_major_is_refused(declared: int, holds: int) -> None:
    images = {str(declared): IMAGES[str(holds)]}
    told = rf"pg_dump {declared}: it needs PostgreSQL {declared}, and the image .*:{holds} holds {holds}\.\d+"
    with launched(declared, images=images) as server, pytest.raises(Unverified, match=rf"{told}.*{{ {declared} = "):
        server.await_ready()
    assert server.left == ()


def test_what_limits_it_is_stated() -> None:
    with launched() as server:
        server.await_ready()
        facts = server.isolation
        assert ask(server, "COPY (SELECT 1) TO PROGRAM 'touch /tmp/inside'") == "COPY 1"
    for expected in ("network none", "mounted from the host: nothing", "user postgres", "capabilities dropped: ALL"):
        assert expected in facts
    assert [each.partition(" limit ")[0] for each in facts if " limit " in each] == ["memory", "processes", "disk"]


def test_volumes_of_an_image_hold_nothing() -> None:
    image = "constancia-standin-volume:16"
    recipe = f"FROM {IMAGES['16']}\nVOLUME /var/lib/postgresql/data\n"
    build(image, recipe)
    try:
        with launched(images={"16": image}) as server:
            server.await_ready()
            fill = "dd if=/dev/zero of=/var/lib/postgresql/data/x bs=1M count=5"
            filled = server.run("sh", "-c", fill, seconds=30)
            assert filled.code != 0
            about = subprocess.run(["docker", "inspect", server._id], capture_output=True, text=True, check=True)
            assert '"Type": "volume"' not in about.stdout
        assert server.left == ()
        assert len(server.gone) == 1
    finally:
        subprocess.run(["docker", "rmi", image], check=True, capture_output=True)


def test_what_writes_more_than_it_may_is_ended_for_want_of_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers_of, "WATCHED_EVERY", 0.2)
    with launched(disk=150 << 20) as server:
        server.await_ready()
        assert ask(server, "SELECT count(*) FROM generate_series(1, 10)") == "10"
        with pytest.raises(Unverified, match=r"no room: it wrote more than 0\.1 GiB"):
            server.run("sh", "-c", "cat /dev/zero >/tmp/filled", seconds=60)
    assert server.left == ()


def test_memory_that_is_not_there_ends_a_program_and_not_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers_of, "MEMORY", "300m")
    with launched() as server:
        server.await_ready()
        bomb = "SELECT length(string_agg(repeat(i::text, 100000000), '')) FROM generate_series(1, 9) i"
        argv = ("psql", "-X", "-c", bomb, "-h", server.socket_dir, "-U", ADMINISTRATOR, "-d", "postgres")
        finished = server.run(*argv, seconds=60)
        assert finished.code != 0
        assert "server closed the connection unexpectedly" in finished.err


def build(image: str, recipe: str) -> None:
    argv = ["docker", "build", "-q", "-t", image, "-"]
    subprocess.run(argv, input=recipe, text=True, check=True, capture_output=True)


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """The engine of this machine at a TCP address, as one of another machine is; the function cuts the line."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        ends: list[socket.socket] = [listener]

        def accept() -> None:
            with suppress(OSError):
                while True:
                    near, _ = listener.accept()
                    far = socket.socket(socket.AF_UNIX)
                    far.connect(ENGINE)
                    ends.extend((near, far))
                    threading.Thread(target=carry, args=(near, far), daemon=True).start()

        def cut() -> None:
            for each in ends:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()

        threading.Thread(target=accept, daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{listener.getsockname()[1]}")
        yield cut
        cut()


def carry(near: socket.socket, far: socket.socket) -> None:
    """Hand on what either end sends, until one hangs up."""
    with suppress(OSError, ValueError):
        while True:
            for each in select.select([near, far], [], [])[0]:
                block = each.recv(1 << 16)
                if not block:
                    (far if each is near else near).shutdown(socket.SHUT_WR)
                    if each is far:
                        return
                    # The client's end is closed; what the engine still says is handed on.
                    while block := far.recv(1 << 16):
                        near.sendall(block)
                    return
                (far if each is near else near).sendall(block)


def test_engine_of_another_machine_shares_no_file_system_with_us(remote: Callable[[], None]) -> None:
    del remote
    with launched() as server:
        server.await_ready()
        path = server.put("folder/rows", iter([b"1\n", b"2\n"]), 4)
        assert ask(server, "CREATE TABLE t (a int)") == "CREATE TABLE"
        assert ask(server, f"COPY t FROM '{path}'") == "COPY 2"
        assert "mounted from the host: nothing" in server.isolation
    assert server.left == ()


def test_engine_is_the_one_of_the_lease_whatever_the_library_finds_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setitem(testcontainers_config.tc_properties, "tc.host", f"unix://{tmp_path}/nothing.sock")
    with launched() as server:
        server.await_ready()
        assert ask(server, "SELECT 1") == "1"
        assert "DOCKER_HOST" not in os.environ  # where the next drill would read it
    assert server.left == ()


def test_engine_that_goes_in_the_middle_is_no_breach(remote: Callable[[], None]) -> None:
    with launched() as server:
        server.await_ready()
        name = server._id
        cutting = threading.Timer(1, remote)
        cutting.start()
        begun = time.monotonic()
        with pytest.raises(Unverified, match=r"running sleep in the container"):
            server.run("sleep", "50", seconds=60)
        assert time.monotonic() - begun < 10
    assert server.left[0].startswith("perhaps the container")
    # It was bound to our connection: what cannot be asked for goes by itself.
    deadline = time.monotonic() + 10
    while subprocess.run(["docker", "inspect", name], env=ours(), capture_output=True, check=False).returncode == 0:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_engine_that_falls_silent_is_given_up(remote: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    del remote
    with launched() as server:
        server.await_ready()
        monkeypatch.setattr(containers_of, "GRACE", -2.0)  # so before the end of the program
        with pytest.raises(Unverified, match="the connection to it was lost"):
            server.run("sleep", "30", seconds=3)


def ours() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "DOCKER_HOST"}


def test_image_that_is_missing_is_named_with_the_remedy() -> None:
    missing = "constancia-nothing:16"
    with launched(images={"16": missing}) as server, pytest.raises(Unverified, match=f"docker pull {missing}"):
        server.await_ready()
    with launched(images={}) as server, pytest.raises(Unverified, match="postgres:16-bookworm is not on this machine"):
        server.await_ready()


def test_image_without_what_is_needed_says_so() -> None:
    bare = "constancia-standin-bare:16"
    build(bare, f"FROM {IMAGES['16']}\nENV PATH=/usr/bin:/bin\n")
    try:
        said = r"initdb: not found\. The image must hold .* a user postgres"
        with launched(images={"16": bare}) as server, pytest.raises(Unverified, match=said):
            server.await_ready()
    finally:
        subprocess.run(["docker", "rmi", bare], check=True, capture_output=True)


def test_server_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers_of, "TUNED", {**TUNED, "shared_buffers": "nonsense"})
    with launched() as server, pytest.raises(Unverified, match=r"shared_buffers|contains errors"):
        server.await_ready()


def test_engine_that_is_not_there_is_told_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    with launched() as server, pytest.raises(Unverified, match=r'server = "embedded"'):
        server.await_ready()
    assert server.left == ()  # nothing was asked for


@pytest.mark.parametrize("doing", ["put", "run", "run long"])
def test_container_that_dies_in_the_middle_is_no_breach(doing: str) -> None:
    with launched() as server:
        server.await_ready()
        kill = threading.Timer(
            0.5 if doing == "run long" else 0, subprocess.run, args=(["docker", "kill", server._id],)
        )
        kill.start()
        if doing != "run long":
            kill.join()
        with pytest.raises(Unverified, match="container"):
            server.put("backup", iter([b"x"]), 1) if doing == "put" else server.run("sleep", "20", seconds=30)
    assert server.left == ()
