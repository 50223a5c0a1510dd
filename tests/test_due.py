"""--due: judges what is due, each check by one run at a time, and ends at once when nothing is."""

import fcntl
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from fixtures.archives import custom
from fixtures.embedded import EmbeddedServer
from fixtures.store import COPIES
from restore import self_check
from restore.remains import PURPOSES, anything_left
from tests.conftest import HOUSE, KEPT, PLUGINS_OF_THE_TESTS, OperatorsFolder, sql

# One every two minutes, one every hour, one at night.
CHECKS = """
    @requirement("SELF-900", severity="P1", every="2 min")
    def test_often(system, evidence: Evidence) -> None:
        "Often."
        evidence.note("noted", 1)

    @requirement("SELF-901", severity="P2", every="1 h")
    def test_seldom(system, evidence: Evidence) -> None:
        "Seldom."
        {seldom}

    @requirement("SELF-902", severity="P2", every="1 day")
    def test_nightly(system, evidence: Evidence) -> None:
        "Nightly."
        evidence.note("noted", 1)
"""
NIGHTLY = """
    timezone = "America/Santiago"
    [[schedule]]
    requirement = "SELF-902"
    window = ["02:00", "05:00"]
    """
NOON = "2026-11-26T15:00:00Z"
HEAVY = (
    "pydantic",
    "sqlalchemy",
    "alembic",
    "httpx",
    "psycopg",
    "redis",
    "fsspec",
    "testcontainers",
    "apprise",
    "rich",
)


@pytest.fixture
def scheduled(operator: OperatorsFolder) -> OperatorsFolder:
    """An operator's folder with such checks."""
    operator.system("shop", NIGHTLY)
    (operator.folder / "tmp").mkdir()
    operator.check("parts", CHECKS.format(seldom='evidence.note("noted", 1)'))
    return operator


def apart(operator: OperatorsFolder) -> Mapping[str, str]:
    """Variables that keep what other tests kill, and so leave to be swept, out of sight."""
    return {"TMPDIR": str(operator.folder / "tmp")}


def due(operator: OperatorsFolder, now: str, *arguments: str, workers: int = 0) -> tuple[int, list[str], str]:
    """A run with --due: its exit code, what it judged, and what it printed."""
    ended = operator.run("--due", "--now", now, "-v", *arguments, workers=workers, environment=apart(operator))
    words = ("PASSED", "BREACHED", "UNVERIFIED")
    ran = [line for line in ended.output.splitlines() if "::test_" in line and any(word in line for word in words)]
    judged = sorted({line.partition("::test_")[2].partition("[")[0] for line in ran})
    return ended.code, judged, ended.output


def asked(operator: OperatorsFolder, question: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(operator.folder / "history.db")) as opened:
        return opened.execute(question).fetchall()


@pytest.mark.parametrize("workers", [0, 2])
def test_runs_what_is_due_and_says_what_comes_next(scheduled: OperatorsFolder, workers: int) -> None:
    code, judged, output = due(scheduled, NOON, workers=workers)
    assert (code, judged) == (0, ["often", "seldom"])
    assert "due: 2 checks: SELF-900 shop/system, SELF-901 shop/system" in output
    assert "next: SELF-902 shop/system at 2026-11-27 02:00:00" in output
    code, judged, output = due(scheduled, "2026-11-26T15:01:00Z", workers=workers)
    assert (code, judged) == (0, [])
    assert output == "constancia: nothing is due; next: SELF-900 shop/system at 12:01:30\n"
    code, judged, output = due(scheduled, "2026-11-26T15:01:45Z", workers=workers)
    assert (code, judged) == (0, ["often"])
    assert "next: SELF-900 shop/system at 12:03:15" in output
    assert "next: SELF-901 shop/system at 12:59:30" in output
    code, judged, _ = due(scheduled, "2026-11-27T05:00:00Z", workers=workers)
    assert (code, judged) == (0, ["nightly", "often", "seldom"])


def test_is_on_record_as_scheduled(scheduled: OperatorsFolder) -> None:
    due(scheduled, NOON)
    scheduled.run("--now", "2026-11-26T15:00:01Z")
    assert asked(scheduled, "SELECT scheduled FROM run ORDER BY began") == [(1,), (0,)]


def test_what_others_judged_is_not_due(scheduled: OperatorsFolder) -> None:
    scheduled.run("--now", NOON)
    code, judged, output = due(scheduled, "2026-11-26T15:01:00Z")
    assert (code, judged) == (0, [])
    assert "due: nothing" in output  # which checks there are was not known yet


def test_breach_ends_as_any_run_does_and_is_not_hidden_by_what_follows(scheduled: OperatorsFolder) -> None:
    scheduled.check("parts", CHECKS.format(seldom='evidence.equal("figure", 1, expected=2)'))
    assert due(scheduled, NOON)[0] == 1
    assert due(scheduled, "2026-11-26T15:01:00Z")[0] == 0


def test_what_could_not_be_verified_is_tried_again_within_an_hour(scheduled: OperatorsFolder) -> None:
    text = CHECKS.replace('every="1 h"', 'every="31 days"')
    scheduled.check("parts", text.format(seldom='raise Unverified("asking", came_back="nothing", remedy="Ask")'))
    assert due(scheduled, NOON)[:2] == (6, ["often", "seldom"])
    assert due(scheduled, "2026-11-26T15:50:00Z")[1] == ["often"]
    assert due(scheduled, "2026-11-26T16:00:00Z")[1] == ["often", "seldom"]


def test_results_of_the_future_silence_nothing(scheduled: OperatorsFolder) -> None:
    due(scheduled, "2030-01-01T15:00:00Z")
    assert due(scheduled, NOON)[1] == ["often", "seldom"]
    assert due(scheduled, "2026-11-26T15:01:00Z")[1] == []


@pytest.mark.parametrize("workers", [0, 2])
def test_new_check_is_found_and_is_due(scheduled: OperatorsFolder, workers: int) -> None:
    due(scheduled, NOON, workers=workers)
    scheduled.check(
        "more",
        """
        @requirement("SELF-903", severity="P2", every="1 day")
        def test_new(system, evidence: Evidence) -> None:
            "New."
            evidence.note("noted", 1)
        """,
    )
    assert due(scheduled, "2026-11-26T15:01:00Z", workers=workers)[1] == ["new"]


def test_changed_schedule_counts_at_once(scheduled: OperatorsFolder) -> None:
    due(scheduled, NOON)
    scheduled.system("shop", NIGHTLY.replace("02:00", "12:00").replace("05:00", "13:00"))
    assert due(scheduled, "2026-11-26T15:01:00Z")[1] == ["nightly"]


def test_checks_that_cannot_be_collected_are_no_plan(scheduled: OperatorsFolder) -> None:
    scheduled.check("broken", "import nothing_of_that_name")
    assert due(scheduled, NOON)[0] == 2
    assert asked(scheduled, "SELECT count(*) FROM plan") == [(0,)]


def test_listing_claims_and_judges_nothing(scheduled: OperatorsFolder) -> None:
    for _ in range(2):
        code, judged, output = due(scheduled, NOON, "--collect-only")
        assert (code, judged) == (0, [])
        assert "due: 2 checks: SELF-900 shop/system, SELF-901 shop/system" in output
    assert asked(scheduled, "SELECT count(*) FROM claim") == asked(scheduled, "SELECT count(*) FROM result") == [(0,)]


def test_several_systems_at_once(scheduled: OperatorsFolder) -> None:
    scheduled.system("bank")
    assert due(scheduled, NOON)[1] == ["often", "seldom"]
    code, _, output = due(scheduled, "2026-11-26T15:01:00Z", "--system", "bank")
    assert code == 0
    assert "due: 3 checks: SELF-900 bank/system, SELF-901 bank/system, SELF-902 bank/system" in output
    code, _, output = due(scheduled, "2026-11-26T15:01:10Z", "--system", "bank")
    assert output == "constancia: nothing is due; next: SELF-900 shop/system at 12:01:30\n"


def test_part_of_the_checks_has_a_plan_of_its_own(scheduled: OperatorsFolder) -> None:
    assert due(scheduled, NOON, "-k", "SELF-900")[1] == ["often"]
    assert due(scheduled, NOON, "-k", "not SELF-900")[1] == ["seldom"]
    assert due(scheduled, "2026-11-26T15:01:00Z", "-k", "SELF-900")[2].startswith("constancia: nothing is due")
    assert due(scheduled, "2026-11-26T15:01:00Z", "-k", "not SELF-900")[2].startswith("constancia: nothing is due")


@pytest.mark.parametrize("workers", [0, 2])
def test_selection_without_any_check_is_not_one_of_which_nothing_is_due(
    scheduled: OperatorsFolder, workers: int
) -> None:
    for _ in range(2):
        code, judged, output = due(scheduled, NOON, "-k", "SELF-90l", workers=workers)
        assert (code, judged) == (5, []), output


@pytest.mark.parametrize("option", [("--gate", "before"), ("--backup", "some.dump")])
def test_what_judges_now_is_refused(scheduled: OperatorsFolder, option: tuple[str, str]) -> None:
    ended = scheduled.run("--due", *option)
    assert ended.code == 4
    assert f"{option[0]} judges now, whatever is due: leave out either {option[0]} or --due" in ended.output


def test_faulty_system_is_refused_as_ever(scheduled: OperatorsFolder) -> None:
    due(scheduled, NOON)
    scheduled.system("shop", "nonsense")
    assert scheduled.run("--due").code == 4
    assert "no system nowhere in" in scheduled.run("--due", system="nowhere").output


def test_run_with_nothing_due_loads_nothing_heavy(scheduled: OperatorsFolder) -> None:
    due(scheduled, NOON)
    probe = scheduled.folder / "loaded_modules.py"
    probe.write_text(
        f"""
import atexit, sys
@atexit.register
def tell():
    print("loaded:", [name for name in {HEAVY!r} if name in sys.modules])
"""
    )
    # Of drills, too: their folder has a conftest.py of its own. A forked process has loaded what its parent has.
    arguments = ("--now", NOON, "restore", "-p", "loaded_modules")
    environment = {"PYTHONPATH": str(scheduled.folder)}
    first = start(scheduled, "--collect-only", *arguments, workers=0, environment=environment)
    assert "loaded: ['pydantic', 'sqlalchemy'" in first.communicate(timeout=120)[0]
    due(scheduled, NOON, "restore", "-k", "SELF")
    again = start(scheduled, *arguments, "-k", "SELF", workers=0, environment=environment)
    said = again.communicate(timeout=120)[0]
    assert said == "constancia: nothing is due; next: SELF-900 shop/system at 12:01:30\nloaded: []\n"


def start(
    operator: OperatorsFolder, *arguments: str, workers: int, environment: Mapping[str, str]
) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", "conftest.py", str(operator.checks)]
    command += ["--systems", str(operator.systems), "--system", "shop", "--due", *arguments]
    command += [f"-n{workers}"] if workers else []
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return subprocess.Popen(
        [*command, *(f"-pno:{plugin}" for plugin in PLUGINS_OF_THE_TESTS)],
        cwd=HOUSE,
        env={**kept, "COLUMNS": "200", "CONSTANCIA_HISTORY": operator.history, **apart(operator), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def stored(request: pytest.FixtureRequest, scheduled: OperatorsFolder) -> Iterator[Mapping[str, str]]:
    """Where runs keep their history, as variables: in either store."""
    if request.param == "sqlite":
        yield {}
        return
    server: EmbeddedServer = request.getfixturevalue("postgresql")
    name = f"due_{os.getpid()}_{time.monotonic_ns()}"
    sql(server, f"CREATE DATABASE {name}")
    address = f"postgresql+psycopg://postgres:s3cret-super@127.0.0.1:{server.port}/{name}"
    yield {"CONSTANCIA_HISTORY": address, "CONSTANCIA_SPOOL": str(scheduled.folder / "spool")}
    sql(server, f"DROP DATABASE {name} WITH (FORCE)")


# Each execution leaves a line, and lasts until runs beside it have looked.
SLOW = """
        import time
        from pathlib import Path
        with Path(os.environ["EXECUTED"]).open("a") as file:
            file.write("{name}\\n")
        time.sleep({seconds})
        evidence.note("noted", 1)
"""
CROWD = "".join(
    f"""
    @requirement("SELF-91{number}", severity="P2", every="1 h")
    def test_{number}(system, evidence: Evidence) -> None:
        "Number {number}."
{SLOW.format(name=number, seconds=0.3)}
"""
    for number in range(8)
)


# Loaded as a plugin: lets no run go on before all of them have come so far.
BARRIER = """
import os, time
from pathlib import Path

def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        arrived = Path(os.environ["ARRIVED"])
        (arrived / str(os.getpid())).touch()
        until = time.monotonic() + 60
        while len([*arrived.iterdir()]) < 3 and time.monotonic() < until:
            time.sleep(0.005)
"""


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("planned", ["planned", "unplanned"])
def test_runs_at_once_judge_each_check_once(
    scheduled: OperatorsFolder, stored: Mapping[str, str], workers: int, planned: str
) -> None:
    for number in range(4):
        scheduled.check(f"crowd{number}", CROWD.replace("SELF-91", f"SELF-9{number + 1}"))
    executed = scheduled.folder / "executed"
    (scheduled.folder / "barrier.py").write_text(BARRIER)
    (scheduled.folder / "arrived").mkdir()
    environment = {**stored, "EXECUTED": str(executed)}
    together = {"ARRIVED": str(scheduled.folder / "arrived"), "PYTHONPATH": str(scheduled.folder)}
    now = "2026-11-26T12:00:00Z"
    if planned == "planned":
        assert start(scheduled, "--now", now, workers=0, environment=environment).wait(120) == 0
        executed.unlink()
    runs = [
        start(scheduled, "--now", NOON, "-p", "barrier", workers=workers, environment={**environment, **together})
        for _ in range(3)
    ]
    outputs = [run.communicate(timeout=120)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], outputs
    lines = executed.read_text().split()
    assert sorted(lines) == sorted(4 * [str(number) for number in range(8)]), outputs
    again = start(scheduled, "--now", "2026-11-26T15:00:30Z", workers=workers, environment=environment)
    assert again.communicate(timeout=120)[0].startswith("constancia: nothing is due; next: SELF-900")


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.05)


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_run_silences_nothing(scheduled: OperatorsFolder, stored: Mapping[str, str], workers: int) -> None:
    scheduled.check("parts", CHECKS.format(seldom=SLOW.format(name="seldom", seconds="float(os.environ['SECONDS'])")))
    executed = scheduled.folder / "executed"
    environment = {**stored, "EXECUTED": str(executed), "SECONDS": "0"}
    assert start(scheduled, "--now", "2026-11-26T12:00:00Z", workers=0, environment=environment).wait(120) == 0
    executed.unlink()
    slow = {**environment, "SECONDS": "100"}
    run = start(scheduled, "--now", NOON, workers=workers, environment=slow)
    wait_for(executed.exists)
    beside = start(scheduled, "--now", NOON, workers=workers, environment=environment)
    said = beside.communicate(timeout=120)[0]
    assert said.startswith("constancia: nothing is due but what another run is about ("), said
    run.send_signal(signal.SIGKILL)
    run.communicate(timeout=120)
    executed.unlink()
    after = start(scheduled, "--now", NOON, workers=workers, environment=environment)
    output = after.communicate(timeout=120)[0]
    assert after.returncode == 0
    assert executed.read_text() == "seldom\n", output
    assert not [*scheduled.folder.glob("spool/*.claims")]


def test_claim_of_another_machine_lapses(scheduled: OperatorsFolder) -> None:
    due(scheduled, NOON)
    place = ("shop", "production", asked(scheduled, "SELECT vantage FROM run")[0][0])
    began = asked(scheduled, "SELECT began FROM run")[0][0]
    assert isinstance(began, int)
    later = began + 14 * 60_000
    with closing(sqlite3.connect(scheduled.folder / "history.db")) as opened, opened:
        opened.execute(
            "INSERT INTO claim (system, environment, vantage, requirement, target, run, until) "
            "VALUES (?, ?, ?, 'SELF-900', 'system', 'elsewhere', ?)",
            (*place, later),
        )
    assert due(scheduled, "2026-11-26T15:10:00Z")[2].startswith(
        "constancia: nothing is due but what another run is about ("
    )
    assert due(scheduled, "2026-11-26T15:14:01Z")[1] == ["often"]


def test_store_that_is_down_lets_the_spool_say_what_is_due(scheduled: OperatorsFolder) -> None:
    down = {
        "CONSTANCIA_HISTORY": "postgresql+psycopg://nobody@127.0.0.1:1/nowhere",
        "CONSTANCIA_SPOOL": str(scheduled.folder / "spool"),
    }
    first = scheduled.run("--due", "--now", NOON, "-v", environment=down)
    assert "SELF-900 shop/system, SELF-901 shop/system" in first.output
    assert "the history cannot say what is due, the spool alone does" in first.output
    second = scheduled.run("--due", "--now", "2026-11-26T15:02:00Z", "-v", environment=down)
    assert "due: 1 check: SELF-900 shop/system\n" in second.output
    # Once it is back, what was spooled is taken in, and still counts.
    assert due(scheduled, "2026-11-26T15:03:00Z")[1] == []


def test_store_that_is_down_makes_nothing_due_that_seldom_is(scheduled: OperatorsFolder) -> None:
    monthly = """
        [[schedule]]
        requirement = "SELF-901"
        on = "first monday"
        """
    scheduled.system("shop", NIGHTLY + monthly)
    down = {
        "CONSTANCIA_HISTORY": "postgresql+psycopg://nobody@127.0.0.1:1/nowhere",
        "CONSTANCIA_SPOOL": str(scheduled.folder / "spool"),
    }
    # At night, in its window: half an hour, and a day, after the store went down.
    first = scheduled.run("--due", "--now", "2026-11-27T05:00:00Z", "-v", environment=down)
    assert "due: 1 check: SELF-900 shop/system\n" in first.output
    assert "next: SELF-901 shop/system at 2026-12-07 00:00:00" in first.output
    second = scheduled.run("--due", "--now", "2026-11-28T05:30:00Z", "-v", environment=down)
    assert "due: 2 checks: SELF-900 shop/system, SELF-902 shop/system\n" in second.output


def test_store_that_is_down_lets_each_selection_go_on_by_itself(scheduled: OperatorsFolder) -> None:
    down = {
        "CONSTANCIA_HISTORY": "postgresql+psycopg://nobody@127.0.0.1:1/nowhere",
        "CONSTANCIA_SPOOL": str(scheduled.folder / "spool"),
    }
    asked = ("--due", "--now", NOON, "-v")
    assert scheduled.run(*asked, "-k", "SELF-900", environment=down).code == 0
    (lock,) = scheduled.folder.glob("spool/alone-*.lock")
    for left in scheduled.folder.glob("spool/*.jsonl"):
        left.unlink()
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        beside = scheduled.run(*asked, "-k", "SELF-900", environment=down)
        assert (beside.code, "another run is about what is due meanwhile" in beside.output) == (0, True)
        assert "due: 1 check: SELF-901" in scheduled.run(*asked, "-k", "SELF-901", environment=down).output


def test_lapsed_runs_are_swept_by_a_run_with_nothing_due(
    scheduled: OperatorsFolder,
) -> None:
    temporary, environment = scheduled.folder / "tmp", apart(scheduled)
    due(scheduled, NOON)
    folder = temporary / f"constancia-{COPIES}-abc"
    folder.mkdir()
    (folder / "owner.lock").touch()
    with (folder / "owner.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        owned = scheduled.run("--due", "--now", "2026-11-26T15:01:00Z", environment=environment)
        assert owned.output.startswith("constancia: nothing is due;")
    swept = scheduled.run("--due", "--now", "2026-11-26T15:01:00Z", environment=environment)
    assert (swept.code, folder.exists()) == (0, False)
    assert "left by a run that was killed" in swept.output
    assert "due: nothing" in swept.output


def test_sweeps_for_what_the_sweeper_removes() -> None:
    assert sorted(PURPOSES) == sorted([COPIES, custom.ROOM, self_check.COPIES])


def test_lease_of_a_dead_drill_is_something_to_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    leases = tmp_path / f"constancia-leases-{os.geteuid()}"
    assert not anything_left()
    leases.mkdir()
    lease = leases / "0123456789abcdef"
    lease.write_text(json.dumps({"container": False}))
    with lease.open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert not anything_left()
    assert anything_left()


def test_runs_with_a_store_of_several_runners_note_when_anything_is_due(
    scheduled: OperatorsFolder, postgresql: EmbeddedServer
) -> None:
    sql(postgresql, "CREATE DATABASE due_noted")
    address = f"postgresql+psycopg://postgres:s3cret-super@127.0.0.1:{postgresql.port}/due_noted"
    stored = {"CONSTANCIA_HISTORY": address, "CONSTANCIA_SPOOL": str(scheduled.folder / "spool"), **apart(scheduled)}
    later = "2026-11-26T15:01:00Z"
    assert scheduled.run("--due", "--now", NOON, environment=stored).code == 0
    # Nobody asks the store as long as that holds, and the files are as they were.
    sql(postgresql, "DROP DATABASE due_noted WITH (FORCE)")
    noted = scheduled.run("--due", "--now", later, environment=stored)
    assert noted.output == "constancia: nothing is due; next: SELF-900 shop/system at 12:01:30\n"
    assert "s3cret-super" not in "".join(path.read_text() for path in scheduled.folder.glob("spool/*"))
    for now in ("2026-11-26T14:59:00Z", "2026-11-26T15:01:31Z"):
        assert "the history cannot say what is due" in scheduled.run("--due", "--now", now, environment=stored).output
    for left in scheduled.folder.glob("spool/*.jsonl"):
        left.unlink()
    scheduled.check("more", "")
    assert "the history cannot say what is due" in scheduled.run("--due", "--now", later, environment=stored).output
