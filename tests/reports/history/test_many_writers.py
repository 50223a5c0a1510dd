"""Twenty processes write a thousand results each at once; they are killed, or their server is: each is there, once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Text, cast, distinct, func, select

from fixtures.embedded import EmbeddedServer
from fixtures.short_folder import short_folder
from reports.history import spool
from reports.history.address import Address
from reports.history.store import History
from reports.history.tables import result, run, series
from reports.requirement import Unverified
from tests.conftest import HOUSE

WRITERS = 20
TURNS = 10
RESULTS = 100
ALL = WRITERS * TURNS * RESULTS
# Forks a process for each number. Each does one run after another as a run does: it spools its results, then takes in
# what is spooled, by whomever; what the store cannot take stays for a later one. One that is started again does again
# what it cannot know that it did, as the same run in a file of its own. Some share the series they write to.
WRITER = f"""
import os, sys, time
from dataclasses import replace
from pathlib import Path
from reports.history import rollups, spool
from reports.history.address import Address
from reports.history.store import History
from reports.requirement import Unverified
from tests.reports.history.past import T, result, run
import sqlalchemy, psycopg, alembic.command

url, folder, attempt = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])

def write(number):
    history = History(Address(url, folder / "spool"))
    for turn in range({TURNS}):
        done = folder / f"done-{{number}}-{{turn}}"
        if done.exists():
            continue
        of = run(began=T + turn * 60_000 + attempt, vantage=f"v{{number % 4}}")
        of = replace(of, uuid=f"{{number:016}}{{turn:016}}")
        with spool.Spooled(folder / "spool", of) as spooled:
            for target in range({RESULTS}):
                spooled.add(result(T + turn * 60_000 + number, target=f"t{{target}}"))
                if target == {RESULTS // 2}:
                    time.sleep(0.05)  # while others look what there is to take in
        done.touch()
        try:
            list(spool.take_in(history))
            rollups.roll(history, T + turn * 3_600_000)
        except Unverified as fault:
            print(fault, file=sys.stderr, flush=True)

ready, go = os.pipe()
children = []
for number in map(int, sys.argv[4:]):
    child = os.fork()
    if not child:
        os.close(go)
        os.read(ready, 1)
        write(number)
        os._exit(0)
    children.append(child)
print(*children, flush=True)
os.close(go)
for child in children:
    os.waitpid(child, 0)
"""


@contextmanager
def writers(address: Address, folder: Path, numbers: Iterable[int], attempt: int = 0) -> Iterator[list[int]]:
    """Processes that write at once, until they are done; their ids."""
    command = [sys.executable, "-c", WRITER, address.url, str(folder), str(attempt), *map(str, numbers)]
    with subprocess.Popen(
        command, cwd=HOUSE, env={**os.environ, "PYTHONPATH": str(HOUSE)}, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        yield [int(each) for each in running.stdout.readline().split()]
        assert running.wait(120) == 0


def on_record(history: History) -> int:
    try:
        with history.reading() as opened:
            return opened.execute(select(func.count()).select_from(result)).scalar_one()
    except Unverified:  # the server is starting
        return 0


def await_some(history: History) -> None:
    deadline = time.monotonic() + 60
    while on_record(history) < ALL / 10:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def each_is_there_once(history: History) -> None:
    list(spool.take_in(history))
    assert list(history.address.spool.glob("*.jsonl")) == []
    with history.reading() as opened:
        what = func.count(distinct(series.c.vantage + series.c.target + cast(result.c.at, Text)))
        of = result.join(series, series.c.id == result.c.series).join(run, run.c.id == result.c.run)
        counted = opened.execute(select(func.count(), what).select_from(of)).one()
    assert tuple(counted) == (ALL, ALL)


def test_sqlite_while_writers_are_killed(tmp_path: Path) -> None:
    address = Address(f"sqlite:///{tmp_path / 'history.db'}", tmp_path / "spool")
    history = History(address)
    with writers(address, tmp_path, range(WRITERS)) as running:
        await_some(history)
        for each in running[::2]:
            os.kill(each, signal.SIGKILL)
    with writers(address, tmp_path, range(0, WRITERS, 2), attempt=1):
        pass
    each_is_there_once(history)


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    """A PostgreSQL of its own, to be killed."""
    with (
        short_folder("tests") as folder,
        EmbeddedServer(folder, tcp=False, settings={"max_connections": "40"}) as started,
    ):
        yield started


def test_postgresql_while_it_is_killed_and_started_again(server: EmbeddedServer, tmp_path: Path) -> None:
    place = f"host={server.socket_dir}&port={server.port}"
    address = Address(f"postgresql+psycopg://postgres@/postgres?{place}", tmp_path / "spool")
    history = History(address)
    with writers(address, tmp_path, range(WRITERS)) as running:
        await_some(history)
        os.kill(running[0], signal.SIGKILL)
        server.stop("immediate")
        time.sleep(0.3)
        server.start()
    with writers(address, tmp_path, [0], attempt=1):
        pass
    each_is_there_once(history)
