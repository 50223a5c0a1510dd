"""Whatever a killed drill leaves is found and removed by the next run; whatever is alive or not ours is let be."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fixtures.short_folder import short_folder
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


def dead_lease(temporary: Path, described: str = '{"container": false, "docker_host": ""}') -> str:
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


@pytest.mark.parametrize("described", ["", "{", '{"container": false, "docker_host": ""}'])
def test_lease_of_a_drill_that_made_nothing_just_goes(temporary: Path, described: str) -> None:
    dead_lease(temporary, described)
    assert sweep() == ()
    assert leases(temporary) == []


def test_container_that_cannot_be_asked_for_is_said_and_tried_again(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = json.dumps({"container": True, "docker_host": f"unix://{temporary}/nothing.sock"})
    drill = dead_lease(temporary, described)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    assert sweep()[0].startswith(f"container of drill {drill}: ")
    assert leases(temporary) == [drill]


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
