"""Drills that are killed at any moment leave nothing behind once the next run has begun."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.short_folder import short_folder
from restore.leftovers import sweep
from tests.restore import dumps as sample
from tests.restore.test_leftovers import DRILL, HOUSE, leases, remains

SEED = os.environ.get("CONSTANCIA_SEED", "20261126")
MOMENTS = 20
LONGEST = 4.0  # seconds: the drill begins again and again, so that any of its moments can be met

pytestmark = pytest.mark.skipif(
    not os.environ.get("CONSTANCIA_TORTURE"), reason="takes minutes: CONSTANCIA_TORTURE=1, or tox run -e torture"
)


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample.make(tmp_path_factory.mktemp("dumps"), options={"custom.dump": ("-Fc",)})["custom.dump"]


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files of this test's own, which every user can enter."""
    with short_folder("test") as folder:
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        yield folder


@pytest.mark.parametrize("moment", range(MOMENTS))
@pytest.mark.parametrize("server", ["embedded", "container"])
def test_nothing_remains_after_the_next_start(backup: Path, temporary: Path, server: str, moment: int) -> None:
    chosen = random.Random(f"{SEED} {server} {moment}")  # noqa: S311 -- to be the same moments in every run
    after = chosen.uniform(0, LONGEST)
    print(f"CONSTANCIA_SEED={SEED}: killed after {after:.3f} s")  # noqa: T201 -- shown where the test fails
    argv = [sys.executable, "-c", DRILL, server, str(backup)]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(argv, cwd=HOUSE, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        time.sleep(after)
        assert process.poll() is None  # it goes on for ever, and did not fail by itself
        process.send_signal(signal.SIGKILL)
    held = leases(temporary)
    assert all(each.endswith(": removed") for each in sweep())
    assert remains(temporary, held if server == "container" else []) == []
    assert leases(temporary) == []
    assert sweep() == ()
