"""The process that proofs fork their runs from: what becomes of a run that does not end."""

import os
import time
from pathlib import Path

import pytest

from tests.proofs.forking import Forking

ENVIRONMENT = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def test_after_a_run_that_does_not_end_the_next_one_tells_its_own_exit_code(forking: Forking, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    endless, passing, failing = (tmp_path / f"test_{name}.py" for name in ("endless", "passing", "failing"))
    endless.write_text("import time\n\ndef test_it():\n    time.sleep(60)\n")
    passing.write_text("def test_it():\n    pass\n")
    failing.write_text("def test_it():\n    assert False\n")

    def run(file: Path, longest: float) -> int:
        arguments = ["-c", f"{tmp_path}/pytest.ini", str(file)]
        return forking.run(arguments, ENVIRONMENT, output=tmp_path / "output.txt", longest=longest)

    begun = time.monotonic()
    with pytest.raises(TimeoutError, match="did not end within 3 s"):
        run(endless, 3)
    assert time.monotonic() - begun < 30
    assert [run(each, 60) for each in (passing, failing, passing)] == [0, 1, 0]
