"""What a run finds is in the history when it ended, and later where it could not be then."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from reports.history.address import Address
from reports.history.kept import Kept
from reports.history.store import History
from reports.history.tables import detail, result, run, series
from reports.requirement import Outcome
from tests.conftest import HOUSE, OperatorsFolder

ONE = """
    @requirement("HEALTH-1", severity="P1", every="2 min")
    def test_it_is_there(system, evidence):
        '''It is there.'''
        evidence.at_most("time", 0.25, limit=2.0, unit="s")

    """
OTHERS = """
    @requirement("HOST-1", severity="P2", every="1 day")
    def test_there_is_room(system, evidence):
        '''There is room.'''
        evidence.at_most("used", 97.0, limit=90.0, unit="%")

    @requirement("SYNC-1", severity="P3", every="1h")
    def test_it_is_fresh(system, evidence):
        '''It is fresh.'''
        raise Unverified("asking", came_back="nothing", remedy="Ask again")
    """


def kept_in(operator: OperatorsFolder) -> History:
    return History(Address(operator.history, operator.folder / "spool"))


def last(history: History, requirement: str, vantage: str = "here") -> list[Kept]:
    return list(history.last("shop", requirement, "system", environment="production", vantage=vantage, count=9))


@pytest.mark.parametrize("workers", [0, 2])
def test_every_result_is_on_record_with_its_run(operator: OperatorsFolder, workers: int) -> None:
    operator.check("one", ONE)
    operator.check("others", OTHERS)
    ended = operator.run(workers=workers, environment={"CONSTANCIA_VANTAGE": "here"})
    assert f"history: results kept in {operator.folder / 'history.db'}" in ended.output
    history = kept_in(operator)
    (passed,), (breached,), (unverified,) = (last(history, each) for each in ("HEALTH-1", "HOST-1", "SYNC-1"))
    assert (passed.outcome, passed.observed, passed.bound, passed.what, passed.unit) == (
        "passed",
        0.25,
        2.0,
        "time",
        "s",
    )
    assert (passed.severity, passed.title, passed.every) == ("P1", "It is there.", 120_000)
    assert (breached.outcome, breached.observed, len(breached.measurements)) == ("breached", 97.0, 1)
    assert "BREACHED" in breached.message
    assert (unverified.outcome, unverified.observed) == (Outcome.UNVERIFIED, None)
    with history.reading() as opened:
        (of,) = opened.execute(select(run)).mappings()
    assert (of["uuid"], of["vantage"], of["gate"], of["exit_code"]) == (passed.run, "here", "", ended.code)
    assert of["began"] <= passed.at <= of["ended"]
    assert len(of["system_file"]) == 64
    assert list((operator.folder / "spool").iterdir()) == []


def test_what_left_no_result_is_on_record_as_unverified(operator: OperatorsFolder) -> None:
    operator.check(
        "dies",
        """
        import signal

        @requirement("HEALTH-1", severity="P1", every="2 min")
        def test_it_is_there(system, evidence):
            '''It is there.'''
            os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    operator.run(workers=1, environment={"CONSTANCIA_VANTAGE": "here"})
    with kept_in(operator).reading() as opened:
        found = opened.execute(
            select(series.c.requirement, result.c.outcome).join(result, result.c.series == series.c.id)
        )
        assert [tuple(row) for row in found] == [("test_it_is_there", 2)]


def test_a_store_that_is_down_is_told_and_taken_in_later(operator: OperatorsFolder, refused: str) -> None:
    operator.check("one", ONE)
    spool = {"CONSTANCIA_SPOOL": str(operator.folder / "spool"), "CONSTANCIA_VANTAGE": "here"}
    down = f"postgresql+psycopg://role:s3cret@{refused.removeprefix('http://')}/kept"
    ended = operator.run(environment={**spool, "CONSTANCIA_HISTORY": down})
    assert ended.code == 0, "the system was verified, and nothing is lost"
    assert "history: UNVERIFIED" in ended.output or "history: writing the history" in ended.output
    assert "s3cret" not in ended.output
    assert "and those of 1 earlier runs" in operator.run(environment=spool).output
    assert len(last(kept_in(operator), "HEALTH-1")) == 2


def test_a_run_that_cannot_write_anything_down_does_not_end_well(operator: OperatorsFolder) -> None:
    operator.check("one", ONE)
    (operator.folder / "file").touch()
    ended = operator.run(environment={"CONSTANCIA_SPOOL": str(operator.folder / "file" / "spool")})
    assert ended.code == 6
    assert "writing results down" in ended.output


def test_a_run_that_is_killed_leaves_what_it_had_found(operator: OperatorsFolder) -> None:
    operator.check("one", ONE)
    operator.check(
        "two",
        """
        import time

        @requirement("HOST-1", severity="P2", every="1 day")
        def test_there_is_room(system, evidence):
            '''There is room.'''
            time.sleep(60)
        """,
    )
    environment = {"CONSTANCIA_HISTORY": operator.history, "CONSTANCIA_VANTAGE": "here", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "pytest", "conftest.py", str(operator.checks), "--systems", str(operator.systems)]
    running = subprocess.Popen([*command, "--system", "shop"], cwd=HOUSE, env=environment, stdout=subprocess.DEVNULL)
    await_line(operator.folder / "spool", '"result"')
    running.send_signal(signal.SIGKILL)
    running.wait()
    (operator.checks / "test_two.py").unlink()
    operator.run(environment={"CONSTANCIA_VANTAGE": "here"})
    newest, killed = last(kept_in(operator), "HEALTH-1")
    assert killed.at < newest.at
    with kept_in(operator).reading() as opened:
        ends = opened.execute(select(run.c.exit_code).order_by(run.c.began)).scalars().all()
    assert ends == [None, 0]


def await_line(folder: Path, text: str) -> None:
    for _ in range(600):
        if any(text in path.read_text() for path in folder.glob("*.jsonl")):
            return
        time.sleep(0.05)
    raise TimeoutError(text)


def test_hours_that_are_over_are_rolled_up_by_the_run_itself(operator: OperatorsFolder) -> None:
    operator.check("one", ONE)
    for moment in ("2026-11-26T03:10:00Z", "2026-11-26T04:20:00Z"):
        operator.run(f"--now={moment}", environment={"CONSTANCIA_VANTAGE": "here"})
    with kept_in(operator).reading() as opened:
        rolled = opened.execute(select(series.c.rolled)).scalar_one()
        assert opened.execute(select(detail)).all() == []
    assert rolled == 1_795_665_600_000, "until 04:00"
