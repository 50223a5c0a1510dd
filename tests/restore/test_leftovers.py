"""Whatever a killed drill leaves is found and removed by the next run; whatever is alive or not ours is let be."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from hashlib import sha256
from pathlib import Path

import pytest

from fixtures.short_folder import short_folder
from reports.requirement import Unverified
from restore import leftovers
from restore.container import ContainerThrowaway
from restore.leftovers import Lease, LeaseRefusedError, sweep
from restore.server import ADMINISTRATOR, EmbeddedThrowaway, ThrowawayServer
from tests.restore.conftest import IMAGES
from tests.restore.dumps import Dumps

HOUSE = Path(__file__).parents[2]
DRILL = """
import sys
from pathlib import Path
from fixtures.drills import RestoreDeclared
from restore import drill
given = {"backups": "b", "server": sys.argv[1], "images": %r, "counts": {"User": {"min": 1}}}
print("begun", flush=True)
while True:
    drill.run(Path(sys.argv[2]), RestoreDeclared.model_validate(given))
""" % (IMAGES,)  # noqa: UP031 -- the program has braces of its own


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files of this test's own, which every user can enter."""
    with short_folder("test") as folder:
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        yield folder


def leases(temporary: Path) -> list[str]:
    return sorted(os.listdir(temporary / f"constancia-leases-{os.geteuid()}"))  # noqa: PTH208 -- names


def remains(temporary: Path, ids: list[str]) -> list[str]:
    """Whatever is there of these drills."""
    shown = [f"--filter=label=constancia.drill={each}" for each in ids]
    containers = [
        subprocess.run(["docker", "ps", "-aq", each], capture_output=True, text=True, check=True).stdout.strip()
        for each in shown
    ]
    folders = [str(each) for each in temporary.glob("constancia-drill-*")]
    processes = leftovers.processes_in(temporary / "constancia-drill")
    return [*filter(None, containers), *folders, *map(str, processes)]


def test_drill_that_ends_leaves_no_lease(temporary: Path) -> None:
    with Lease(container=False) as lease:
        assert lease.folder.stat().st_mode & 0o777 == 0o755
        assert leases(temporary) == [lease.id]
    assert leases(temporary) == []
    assert not lease.folder.exists()
    assert sweep() == ()


def test_lease_of_what_is_not_known_to_be_gone_stays_for_the_next_sweep(temporary: Path) -> None:
    with Lease(container=True) as lease:
        lease.disposed = False
    assert leases(temporary) == [lease.id]


def test_nothing_to_sweep_costs_next_to_nothing(temporary: Path) -> None:
    begun = time.perf_counter()
    assert sweep() == ()
    assert time.perf_counter() - begun < 0.01
    code = "import sys; from restore.leftovers import sweep; sweep(); print({'docker', 'pytest'} & set(sys.modules))"
    environment = {**os.environ, "TMPDIR": str(temporary)}
    argv = [sys.executable, "-c", code]
    told = subprocess.run(argv, cwd=HOUSE, env=environment, capture_output=True, text=True, check=True)
    assert told.stdout == "set()\n"


def test_living_drill_is_let_be(temporary: Path) -> None:
    with Lease(container=False) as lease:
        code = (
            "import sys, tempfile; tempfile.tempdir = sys.argv[1]; from restore.leftovers import sweep; print(sweep())"
        )
        argv = [sys.executable, "-c", code, str(temporary)]
        told = subprocess.run(argv, cwd=HOUSE, capture_output=True, text=True, check=True)
        assert told.stdout == "()\n"
        assert lease.folder.exists()


def dead_lease(temporary: Path, described: str = '{"container": false}') -> str:
    folder = temporary / f"constancia-leases-{os.geteuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "0123456789abcdef").write_text(described)
    return "0123456789abcdef"


def test_folder_and_processes_of_a_dead_drill_are_removed(temporary: Path) -> None:
    folder = temporary / f"constancia-drill-{dead_lease(temporary)}"
    folder.mkdir()
    (folder / "data").write_text("a patient's")
    with subprocess.Popen(["sleep", "60"], cwd=folder) as process:
        found = sweep()
        assert process.wait(5) == -signal.SIGKILL
    assert len(found) == 2
    assert all(each.endswith(": removed") for each in found)
    assert not folder.exists()
    assert sweep() == ()


@pytest.mark.parametrize("described", ["", "{", '{"container": false}'])
def test_lease_of_a_drill_that_made_nothing_just_goes(temporary: Path, described: str) -> None:
    dead_lease(temporary, described)
    assert sweep() == ()
    assert leases(temporary) == []


def test_container_that_cannot_be_asked_for_is_said_and_tried_again(temporary: Path) -> None:
    host = f"unix://{temporary}/nothing.sock"
    drill = dead_lease(temporary, json.dumps({"container": True, "engine": {"DOCKER_HOST": host}}))
    (said,) = sweep()
    assert said.startswith(f"container of drill {drill}, made by the engine {host}: ")
    assert said.endswith(f"for good, remove {temporary}/constancia-leases-{os.geteuid()}/{drill}; {leftovers.UNSURE}")
    assert leases(temporary) == [drill]
    (temporary / f"constancia-leases-{os.geteuid()}" / drill).unlink()
    assert sweep() == ()


def test_container_is_looked_for_where_it_was_made_whatever_engine_is_named_by_now(
    temporary: Path, containers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    del containers
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    with Lease(container=True) as lease:
        lease.disposed = False  # as if killed
        label = f"constancia.drill={lease.id}"
        argv = ["docker", "run", "-d", "--rm", "--network=none", f"--label={label}", IMAGES["16"], "sleep", "60"]
        made = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    monkeypatch.setenv("DOCKER_HOST", f"unix://{temporary}/nothing.sock")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(temporary / "nothing"))
    assert sweep() == (f"container {made[:12]}: removed",)
    assert leases(temporary) == []


def described(temporary: Path, lease: Lease) -> dict[str, object]:
    path = temporary / f"constancia-leases-{os.geteuid()}" / lease.id
    return dict(json.loads(path.read_text()))


def test_lease_names_the_engine_with_what_it_takes_to_reach_it(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {"DOCKER_HOST": "tcp://192.0.2.1:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(temporary)}
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    with Lease(container=True) as lease:
        assert described(temporary, lease) == {"container": True, "engine": {"DOCKER_CONTEXT": "default", **named}}
    for name in named:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DOCKER_CONFIG", str(temporary))
    with Lease(container=True) as lease:
        assert described(temporary, lease)["engine"] == {"DOCKER_CONTEXT": "default"}


def test_lease_names_the_engine_of_the_context_that_is_chosen(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(temporary))
    (temporary / "config.json").write_text('{"currentContext": "far"}')
    with pytest.raises(Unverified, match="no address for the Docker context far"), Lease(container=True):
        pass
    about = temporary / "contexts" / "meta" / sha256(b"far").hexdigest()
    about.mkdir(parents=True)
    host = f"unix://{temporary}/far.sock"
    meta = {"Name": "far", "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}
    (about / "meta.json").write_text(json.dumps(meta))
    with Lease(container=True) as lease:
        engine = described(temporary, lease)["engine"]
        assert engine == {"DOCKER_CONTEXT": "default", "DOCKER_HOST": host}
    held = temporary / "contexts" / "tls" / about.name / "docker"
    held.mkdir(parents=True)
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (held / name).touch()
    with Lease(container=True) as lease:
        tls = {"DOCKER_CERT_PATH": str(held), "DOCKER_TLS_VERIFY": "1"}
        assert described(temporary, lease)["engine"] == {"DOCKER_CONTEXT": "default", "DOCKER_HOST": host, **tls}


def test_lease_that_there_is_no_room_for_is_refused_and_leaves_nothing(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = os.listdir("/proc/self/fd")  # noqa: PTH208 -- names
    lease = Lease(container=False)
    lease.folder.write_text("in the way")
    with pytest.raises(LeaseRefusedError, match=r"no lease could be taken in .*: File exists"), lease:
        pass
    assert leases(temporary) == []
    assert lease.folder.read_text() == "in the way"
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "not" / "there"))
    with pytest.raises(LeaseRefusedError, match="cannot be made: No such file"), Lease(container=False):
        pass
    assert os.listdir("/proc/self/fd") == held  # noqa: PTH208 -- names


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small file system")
def test_lease_on_a_disk_that_is_full_is_refused_and_leaves_nothing(temporary: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", temporary], check=True)
    try:
        dead_lease(temporary)
        with suppress(OSError), (temporary / "full").open("wb", buffering=0) as full:
            while True:
                full.write(bytes(4096))
        with pytest.raises(LeaseRefusedError, match="No space left on device"), Lease(container=False):
            pass
        assert leases(temporary) == ["0123456789abcdef"]
        assert list(temporary.glob("constancia-drill-*")) == []
    finally:
        subprocess.run(["umount", temporary], check=True)


def test_socket_that_somebody_still_listens_at_is_not_said_to_be_gone(temporary: Path) -> None:
    del temporary
    with Lease(container=False) as lease, closing(socket.socket(socket.AF_UNIX)) as other:
        server = EmbeddedThrowaway(16, lease.folder)
        with server:
            (path,) = (each for each in Path(server.socket_dir).glob(".s.PGSQL.*") if each.is_socket())
            path.unlink()
            other.bind(str(path))
            other.listen()
        assert server.left == ("its socket",)
        assert server.gone == ("processes of the embedded server",)
    with Lease(container=False) as lease, EmbeddedThrowaway(16, lease.folder) as server:
        pass
    assert server.left == ()
    assert server.gone == ("processes of the embedded server", "its socket")


def test_links_laid_out_for_us_are_not_followed(temporary: Path) -> None:
    precious = temporary / "precious"
    precious.mkdir()
    (precious / "file").write_text("x")
    (temporary / f"constancia-drill-{dead_lease(temporary)}").symlink_to(precious)
    assert sweep() == ()
    assert (precious / "file").exists()


def test_folder_of_leases_of_somebody_else_is_refused(temporary: Path) -> None:
    (temporary / "theirs").mkdir()
    (temporary / "theirs" / "0123456789abcdef").write_text("{}")
    (temporary / f"constancia-leases-{os.geteuid()}").symlink_to(temporary / "theirs")
    assert sweep() == ()
    assert (temporary / "theirs" / "0123456789abcdef").exists()
    with pytest.raises(LeaseRefusedError, match="no folder of ours"), Lease(container=False):
        pass


def test_folder_of_leases_that_others_may_write_into_is_refused(temporary: Path) -> None:
    dead_lease(temporary)
    (temporary / f"constancia-leases-{os.geteuid()}").chmod(0o777)
    assert sweep() == ()
    with pytest.raises(LeaseRefusedError, match="others may write"), Lease(container=False):
        pass


@pytest.mark.parametrize("seed", range(3))
def test_after_a_kill_at_any_moment_nothing_remains(
    dumps: Dumps, temporary: Path, server: str, seed: int, record_property: Callable[[str, object], None]
) -> None:
    chosen = random.Random(f"{server} {seed}")  # noqa: S311 -- to be the same moments in every run
    argv = [sys.executable, "-c", DRILL, server, str(dumps["custom.dump"])]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(argv, cwd=HOUSE, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        time.sleep(chosen.uniform(0, 2.5))
        process.kill()
    held = leases(temporary)
    found = sweep()
    record_property("found", "; ".join(found))
    assert all(each.endswith(": removed") for each in found)
    assert remains(temporary, held if server == "container" else []) == []
    assert leases(temporary) == []
    assert sweep() == ()


def test_two_drills_at_once_do_not_disturb_each_other(temporary: Path, server: str) -> None:
    def begun(stack: ExitStack) -> ThrowawayServer:
        lease = stack.enter_context(Lease(container=server == "container"))
        made = (
            ContainerThrowaway(16, IMAGES, lease.id) if server == "container" else EmbeddedThrowaway(16, lease.folder)
        )
        stack.enter_context(made)
        return made

    def asked(where: ThrowawayServer, statement: str) -> str:
        argv = ("psql", "-X", "-Atc", statement, "-h", where.socket_dir, "-U", ADMINISTRATOR, "-d", "postgres")
        finished = where.run(*argv, seconds=60)
        return finished.out.strip() + finished.err.strip()

    with ExitStack() as first:
        one = begun(first)
        with ExitStack() as second:
            other = begun(second)
            assert asked(one, "CREATE TABLE t AS SELECT 1 AS a") == "SELECT 1"
            assert 'relation "t" does not exist' in asked(other, "SELECT a FROM t")
            assert sweep() == ()  # of a third run, which begins meanwhile
            assert len(leases(temporary)) == 2
        assert other.left == ()
        assert asked(one, "SELECT a FROM t") == "1"
        assert sweep() == ()
    assert one.left == ()
    assert leases(temporary) == []
