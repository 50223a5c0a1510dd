"""Runs of the suite, each in a process forked from one that has the libraries loaded already.

Loading them is more than half of what a run takes, and there are hundreds. Nothing of the suite has run in the process
that is forked; whether it all works in a process of its own is shown by the proofs that need one (see `Suite.run`).
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from _pytest.config import default_plugins

HOUSE = Path(__file__).parents[2]
# What a run loads in the end. Not what pytest wants to rewrite on loading: conftest files and plugins named by -p.
LOADED = (
    "_pytest.assertion.rewrite",
    *("allure_commons.reporter", "allure_commons.logger", "execnet", "rich.table", "rich.console"),
    *("httpx", "httpx_aiohttp", "aiohttp", "pydantic", "psycopg", "psycopg.sql", "redis", "fsspec"),
    *("sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite.pysqlite"),
    *("reports.history.schema", "reports.history.writing", "reports.history.questions", "reports.history.uptime"),
    *("certifi", "cryptography.x509", "encodings.idna", "fsspec.implementations.local", "pydantic.type_adapter"),
    *("fixtures.targets", "fixtures.system", "fixtures.bounded_connection", "fixtures.measure.nocobase_collections"),
    *("reports.verdict", "reports.allure", "reports.ledger", "reports.terminal", "reports.output"),
    *("restore.sweeper", "restore.drill", "restore.server", "restore.collection_drill", "restore.expectations"),
    *(f"_pytest.{each}" for each in default_plugins),
)


class Forking:
    """The process that is forked; a context manager."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.proofs.forking"],
            cwd=HOUSE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *error: object) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()

    def run(self, arguments: Sequence[str], environment: Mapping[str, str], *, output: Path, longest: float) -> int:
        """Run pytest; its exit code, that of a signal negative.

        Args:
            arguments: of pytest.
            environment: its whole environment.
            output: the file that takes what it prints.
            longest: seconds after which it is killed, which is a failure of the proof.
        """
        asked = {"arguments": list(arguments), "environment": dict(environment), "output": str(output)}
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None
        assert answers is not None
        requests.write(f"{json.dumps(asked)}\n")
        requests.flush()
        child = int(answers.readline())
        too_long = threading.Event()

        def end() -> None:
            too_long.set()
            os.kill(child, signal.SIGKILL)

        timer = threading.Timer(longest, end)
        timer.start()
        # Read in any case: what is left unread would be taken for the next run's.
        exit_code = int(answers.readline())
        timer.cancel()
        if too_long.is_set():
            raise TimeoutError(f"the run did not end within {longest:g} s:\n{output.read_text(encoding='utf-8')}")
        return exit_code


def main() -> None:
    """Fork a run for each request, a line of JSON; answer with its process id, then with its exit code."""
    for name in LOADED:
        importlib.import_module(name)
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            become(asked)
            import pytest

            sys.exit(pytest.main(asked["arguments"]))
        print(child, flush=True)  # noqa: T201 -- the answer
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201 -- same


def become(asked: Mapping[str, object]) -> None:
    """Take on the standard streams and the environment of a run, as if it had been started with them."""
    written = os.open(str(asked["output"]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for stream, number in ((nothing, 0), (written, 1), (written, 2)):
        os.dup2(stream, number)
    sys.stdin = open(0, closefd=False, encoding="utf-8")  # noqa: SIM115 -- the other one has read ahead
    environment = asked["environment"]
    assert isinstance(environment, dict)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
    sys.argv = ["pytest", *map(str, asked["arguments"] if isinstance(asked["arguments"], list) else ())]


if __name__ == "__main__":
    main()
