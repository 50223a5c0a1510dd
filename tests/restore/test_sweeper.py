"""Every run begins with a sweep, and its workers know what was found."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.short_folder import short_folder
from restore.leftovers import processes_in
from tests.restore.conftest import IMAGES

HOUSE = Path(__file__).parents[2]


@pytest.mark.parametrize("workers", ["0", "2"])
def test_what_was_found_is_known_everywhere_once(tmp_path: Path, workers: str) -> None:
    (tmp_path / "conftest.py").write_text(
        "from restore.sweeper import Sweeper\ndef pytest_configure(config):\n"
        "    config.pluginmanager.register(Sweeper())\n"
    )
    (tmp_path / "test_it.py").write_text(
        "import pytest\nfrom restore.sweeper import SWEPT\n@pytest.mark.parametrize('n', range(4))\n"
        "def test_it(n, pytestconfig):\n    assert [each[-7:] for each in pytestconfig.stash[SWEPT]] == ['removed']\n"
    )
    with short_folder("test") as temporary:
        leases = temporary / f"constancia-leases-{os.geteuid()}"
        leases.mkdir(mode=0o700)
        (leases / "0123456789abcdef").touch()
        (temporary / "constancia-drill-0123456789abcdef").mkdir()
        argv = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-n",
            workers,
            "--rootdir",
            str(tmp_path),
        ]
        environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": os.pathsep.join([str(HOUSE), *sys.path])}
        ended = subprocess.run(
            [*argv, "-c", "/dev/null", str(tmp_path)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "4 passed" in ended.stdout, ended.stdout + ended.stderr
        assert not list(leases.iterdir())


def test_copy_that_a_killed_run_fetched_is_gone_after_the_next_start() -> None:
    fetching = """
from pathlib import Path
import time
from fixtures import store
remote = store.Store("memory://backups")
system, _ = remote._opened
system.pipe("/backups/shop.dump", b"rows")
with remote.local_copy(remote.entries()[0]) as copy:
    print(copy, flush=True)
    time.sleep(60)
"""
    with short_folder("test") as temporary:
        (temporary / "shop.toml").write_text('[system]\nname = "shop"\ntitle = "The shop"\n')
        environment = {**os.environ, "TMPDIR": str(temporary)}
        with subprocess.Popen(
            [sys.executable, "-c", fetching], cwd=HOUSE, env=environment, stdout=subprocess.PIPE, text=True
        ) as killed:
            assert killed.stdout is not None
            copy = Path(killed.stdout.readline().strip())
            assert copy.read_bytes() == b"rows"
            killed.send_signal(signal.SIGKILL)
        assert copy.exists()
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "checks", "--system", "shop", "--systems", str(temporary), "--co"],
            cwd=HOUSE,
            env={**environment, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert f"a backup's copy, left by a run that was killed: {copy.parents[1]}: removed" in ended.stdout
        assert not copy.parents[1].exists()


@pytest.mark.parametrize("server", ["embedded", "container"])
def test_run_that_is_asked_to_end_removes_what_it_made(
    tmp_path: Path, server: str, request: pytest.FixtureRequest
) -> None:
    if server == "container":
        request.getfixturevalue("containers")
    (tmp_path / "conftest.py").write_text(
        "from restore.sweeper import Sweeper\ndef pytest_configure(config):\n"
        "    config.pluginmanager.register(Sweeper())\n"
    )
    (tmp_path / "test_it.py").write_text(
        f"""
import sys
import time
from restore.container import ContainerThrowaway
from restore.leftovers import Lease
from restore.server import EmbeddedThrowaway
def test_it():
    with Lease(container={server == "container"}) as lease:
        container = ContainerThrowaway(16, {IMAGES}, lease.id)
        server = container if {server == "container"} else EmbeddedThrowaway(16, lease.folder)
        try:
            with server:
                print(lease.id, flush=True)
                server.run("sleep", "60", seconds=60)
        finally:
            lease.disposed = not server.left
"""
    )
    with short_folder("test") as temporary:
        argv = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
        environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": os.pathsep.join([str(HOUSE), *sys.path])}
        with subprocess.Popen(
            [*argv, "-c", "/dev/null", str(tmp_path)], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
        ) as asked:
            assert asked.stdout is not None
            lease = next(line.strip() for line in asked.stdout if re.fullmatch("[0-9a-f]{16}", line.strip()))
            asked.send_signal(signal.SIGTERM)
            told, _ = asked.communicate(timeout=60)
        assert asked.returncode == pytest.ExitCode.INTERRUPTED, told
        assert not list((temporary / f"constancia-leases-{os.geteuid()}").iterdir())
        assert not list(temporary.glob("constancia-drill-*"))
        assert processes_in(temporary) == []
        if server == "container":
            shown = ["docker", "ps", "-aq", f"--filter=label=constancia.drill={lease}"]
            assert subprocess.run(shown, capture_output=True, text=True, check=True).stdout == ""
