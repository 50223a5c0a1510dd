"""The spool: what a killed run, a full disk or a store that is down leave behind is taken in later, in order, once."""

import fcntl
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import select

from reports.history import spool
from reports.history.address import Address
from reports.history.kept import Kept, Run
from reports.history.store import History
from reports.history.tables import result as results_table
from reports.requirement import Outcome, Unverified
from tests.conftest import HOUSE
from tests.reports.history.past import T, put, result, run

# Writes two results, says so, and waits to be killed.
KILLED = """
import sys
from pathlib import Path
from reports.history.spool import Spooled
from tests.reports.history.past import T, result, run
with Spooled(Path(sys.argv[1]), run()) as spooled:
    spooled.add(result(T, target="a"))
    spooled.add(result(T, target="b"))
    print("written", flush=True)
    sys.stdin.read()
"""
# Writes until the disk is full, which is after some kilobytes for this process, and once more when there is room.
FULL = """
import resource, signal, sys
from pathlib import Path
from reports.history.spool import Spooled
from reports.requirement import Unverified
from tests.reports.history.past import T, result, run
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 9000))
try:
    Spooled(Path(sys.argv[1]), run()).__enter__()
except Unverified:
    assert not list(Path(sys.argv[1]).iterdir())
else:
    raise AssertionError
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 9000))
written = 0
with Spooled(Path(sys.argv[1]), run()) as spooled:
    try:
        while True:
            spooled.add(result(T, target=f"t{written}"))
            written += 1
    except Unverified as fault:
        resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
        spooled.add(result(T, target="room again"))
        print(written, fault)
"""
# Takes in what is spooled, and dies between putting it on record and forgetting it.
DYING = """
import os, signal, sys
from pathlib import Path
from reports.history import spool
from reports.history.address import Address
from reports.history.store import History
Path.unlink = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
list(spool.take_in(History(Address(sys.argv[2], Path(sys.argv[1])))))
"""


def python(text: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", text, *arguments],
        cwd=HOUSE,
        env={**os.environ, "PYTHONPATH": str(HOUSE)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def spooled(folder: Path, of: Run, *results: Kept) -> Path:
    with spool.Spooled(folder, of) as file:
        for each in results:
            file.add(each)
    return file.path


def on_record(history: History) -> list[tuple[int, int]]:
    with history.reading() as opened:
        return [tuple(row) for row in opened.execute(select(results_table.c.at, results_table.c.outcome))]


def test_what_is_spooled_is_taken_in_in_order_and_once(history: History) -> None:
    runs = [run(began=T + number) for number in (30, 10, 20)]
    for of in runs:
        spooled(history.address.spool, of, result(of.began))
    taken = list(spool.take_in(history))
    assert [of.began for of, _ in taken] == [T + 10, T + 20, T + 30]
    assert list(history.address.spool.iterdir()) == []
    assert list(spool.take_in(history)) == []
    assert len(on_record(history)) == 3


def test_a_run_that_goes_on_is_left_alone(history: History) -> None:
    with spool.Spooled(history.address.spool, run()) as going_on:
        going_on.add(result())
        assert list(spool.take_in(history)) == []
        going_on.end(T + 5, 6)
    ((of, results),) = spool.take_in(history)
    assert (of.ended, of.exit_code, len(results)) == (T + 5, 6, 1)


def test_of_several_results_on_one_target_the_gravest_counts(history: History) -> None:
    outcomes = (Outcome.PASSED, Outcome.BREACHED, Outcome.UNVERIFIED)
    spooled(history.address.spool, run(), *(result(T, outcome) for outcome in outcomes))
    ((_, results),) = spool.take_in(history)
    assert [each.outcome for each in results] == [Outcome.BREACHED]


def test_a_run_that_was_killed_is_taken_in_by_the_next(history: History) -> None:
    killed = python(KILLED, str(history.address.spool))
    assert killed.stdout is not None
    assert killed.stdout.readline() == "written\n"
    assert list(spool.take_in(history)) == [], "it still lives"
    killed.kill()
    killed.communicate()
    ((_, results),) = spool.take_in(history)
    assert [each.target for each in results] == ["a", "b"]


def test_a_line_that_was_not_written_to_its_end_loses_itself_alone(history: History) -> None:
    path = spooled(history.address.spool, run(), result(target="a"), result(target="b"))
    path.write_bytes(path.read_bytes()[:-20])
    ((_, results),) = spool.take_in(history)
    assert [each.target for each in results] == ["a"]


def test_a_run_that_was_killed_while_it_began_leaves_nothing_to_take_in(history: History) -> None:
    history.address.spool.mkdir(parents=True)
    (history.address.spool / "000000000000001-ab.new").write_text('{"run": {"uu')
    assert list(spool.take_in(history)) == []


def test_a_full_disk_is_said_and_loses_only_what_it_did_not_take(history: History) -> None:
    told, _ = python(FULL, str(history.address.spool)).communicate()
    written, _, fault = told.partition(" ")
    assert "writing results down" in fault
    ((_, results),) = spool.take_in(history)
    assert len(results) == int(written) + 1 > 1
    assert results[-1].target == "room again"


def test_a_store_that_is_down_loses_nothing(address: Address, refused: str) -> None:
    down = History(Address(f"postgresql+psycopg://r:p@{refused.removeprefix('http://')}/x", address.spool))
    for number in (2, 1):
        spooled(address.spool, run(began=T + number), result(T + number))
        with pytest.raises(Unverified, match="writing the history"):
            list(spool.take_in(down))
    up = History(address)
    assert [of.began for of, _ in spool.take_in(up)] == [T + 1, T + 2]
    assert len(on_record(up)) == 2


def test_a_run_killed_before_it_could_forget_is_taken_in_once(history: History) -> None:
    put(history, result(T - 1))
    path = spooled(history.address.spool, run(), result())
    dying = python(DYING, str(history.address.spool), history.address.url)
    dying.communicate()
    assert dying.returncode == -9
    assert path.exists()
    assert len(on_record(history)) == 2
    assert len(list(spool.take_in(history))) == 1
    assert not path.exists()
    assert len(on_record(history)) == 2


@pytest.mark.parametrize(
    "content",
    ["", "{}\n", "no JSON\n", '{"run": 3}\n', '["run"]\n', '{"run": {"systems": {"a": {"b": 1}}}}\n', "\xff\n"],
)
def test_what_no_run_wrote_is_put_aside_and_does_not_stop_the_others(history: History, content: str) -> None:
    history.address.spool.mkdir(parents=True)
    odd = history.address.spool / "000000000000001-odd.jsonl"
    odd.write_text(content, encoding="latin-1")
    spooled(history.address.spool, run(), result())
    with pytest.raises(Unverified, match="it holds what no run wrote"):
        list(spool.take_in(history))
    assert len(on_record(history)) == 1
    assert list(spool.take_in(history)) == []
    assert odd.with_suffix(".unreadable").exists()


def test_what_cannot_be_opened_is_told_and_does_not_stop_the_others(history: History) -> None:
    odd = history.address.spool / "000000000000001-odd.jsonl"
    odd.mkdir(parents=True)
    spooled(history.address.spool, run(), result())
    with pytest.raises(Unverified, match=r"000000000000001-odd.jsonl(.|\n)*Is a directory"):
        list(spool.take_in(history))
    assert len(on_record(history)) == 1


def test_who_has_ended_waits_for_those_that_look_at_its_file(history: History) -> None:
    path = spooled(history.address.spool, run(), result())
    with path.open("rb") as looked_at:
        fcntl.flock(looked_at, fcntl.LOCK_SH)
        assert list(spool.take_in(history)) == [], "another run's file is that one's to take in"
        letting_go = threading.Timer(0.3, fcntl.flock, [looked_at, fcntl.LOCK_UN])
        letting_go.start()
        taken = list(spool.take_in(history, own=path))
        letting_go.join()
    assert len(taken) == 1
    assert not path.exists()


def test_a_result_of_no_system_of_its_run_is_put_aside(history: History) -> None:
    of = run()
    path = spooled(history.address.spool, of, result(system="other"))
    with pytest.raises(Unverified, match="it holds what no run wrote"):
        list(spool.take_in(history))
    assert not path.exists()


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    path = spooled(tmp_path / "spool", run(), result())
    assert path.stat().st_mode & 0o077 == 0
    assert [*json.loads(path.read_text().splitlines()[1])] == ["result"]


def test_a_folder_that_cannot_be_made_is_unverified(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unverified, match="CONSTANCIA_SPOOL"), spool.Spooled(tmp_path / "file" / "spool", run()):
        pass


def test_no_spool_at_all_is_nothing_to_take_in(history: History) -> None:
    assert list(spool.take_in(history)) == []
