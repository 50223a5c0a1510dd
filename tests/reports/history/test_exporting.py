"""What is exported says all that is on record, a line of JSON each, the whole file or none."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fixtures.embedded import EmbeddedServer
from reports.__main__ import main
from reports.history import exporting
from reports.history.kept import milliseconds, moment
from reports.history.store import History
from reports.requirement import Outcome, Unverified
from tests.conftest import HOUSE
from tests.reports.history.past import HOUR, MINUTE, T, put, result


def exported(history: History, tmp_path: Path, **limits: object) -> list[dict[str, object]]:
    file = tmp_path / "results.jsonl"
    count = exporting.export(history, file, **limits)  # type: ignore[arg-type]  # any of them
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) == count
    return [json.loads(line, parse_constant=pytest.fail) for line in lines]


def test_a_result_is_told_with_its_run(history: History, tmp_path: Path) -> None:
    put(history, result(T + 123, Outcome.BREACHED))
    (told,) = exported(history, tmp_path)
    assert told.pop("run") == {
        "uuid": _newest(history),
        "began": "2026-11-26T00:00:00.123Z",
        "ended": "2026-11-26T00:00:01.123Z",
        "exit_code": 0,
        "suite": "0.3.0",
        "system_file": "ab" * 32,
        "gate": "",
        "scheduled": True,
    }
    assert told == {
        "system": "shop",
        "environment": "production",
        "requirement": "HEALTH-1",
        "target": "web",
        "vantage": "here",
        "severity": "P1",
        "title": "It is there.",
        "every": 120.0,
        "at": "2026-11-26T00:00:00.123Z",
        "outcome": "breached",
        "message": "BREACHED HEALTH-1 shop/web\n  está caído",
        "measurements": [
            {"what": "time", "observed": 0.25, "unit": "s", "comparison": "at most", "limit": 2.0, "holds": True}
            | {"subject": ""}
        ],
        "observed": 0.25,
        "bound": 2.0,
        "what": "time",
        "unit": "s",
    }


def _newest(history: History) -> str:
    return history.last("shop", "HEALTH-1", "web", environment="production", vantage="here")[0].run


def test_system_and_time_limit_it(history: History, tmp_path: Path) -> None:
    put(history, *(result(T + number * HOUR, system=name) for number in range(3) for name in ("shop", "mira")))
    assert len(exported(history, tmp_path)) == 6
    limited = exported(history, tmp_path, system="shop", since=moment(T + HOUR), until=moment(T + 2 * HOUR))
    assert [(each["system"], each["at"]) for each in limited] == [("shop", "2026-11-26T01:00:00.000Z")]


def test_those_of_a_target_come_in_order_whenever_they_came_in(history: History, tmp_path: Path) -> None:
    put(history, *(result(T + number, target=target) for number in (2, 0, 1) for target in ("web", "api")))
    told = [(each["target"], each["at"]) for each in exported(history, tmp_path)]
    assert told == [(name, f"2026-11-26T00:00:00.00{number}Z") for name in ("api", "web") for number in range(3)]


def test_figures_that_are_no_numbers_are_texts(history: History, tmp_path: Path) -> None:
    put(history, result(observed=float("inf")))
    assert exported(history, tmp_path)[0]["observed"] == "inf"


def test_more_than_fits_at_once_is_streamed(history: History, tmp_path: Path) -> None:
    put(history, *(result(T + number) for number in range(5000)))
    assert len(exported(history, tmp_path)) == 5000


def test_a_file_is_there_whole_or_not_at_all(history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text("of yesterday")
    put(history, result(), result(T + 1))
    told = exporting.documents

    def broken(*arguments: object, **limits: object) -> object:
        yield next(told(*arguments, **limits))  # type: ignore[arg-type]  # handed on
        raise Unverified("reading", came_back="nothing", remedy="Read again")

    monkeypatch.setattr(exporting, "documents", broken)
    with pytest.raises(Unverified):
        exporting.export(history, file)
    assert file.read_text() == "of yesterday"
    assert [path.name for path in tmp_path.glob(".results*")] == []


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a history of two results, which the environment names."""
    url = f"sqlite:///{tmp_path / 'history.db'}"
    monkeypatch.setenv("CONSTANCIA_HISTORY", url)
    put(History(), result(), result(T - 1000 * HOUR, target="api"))
    return url


@pytest.mark.usefixtures("kept")
def test_the_command_writes_to_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", "export", "--since", "2026-11-26", "--until", "2026-11-26T00:00:00.001Z"]) == 0
    assert json.loads(capsys.readouterr().out)["target"] == "web"


@pytest.mark.usefixtures("kept")
def test_the_command_writes_a_file_and_says_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["history", "export", "-o", str(tmp_path / "all.jsonl")]) == 0
    assert capsys.readouterr().out == f"2 results: {tmp_path / 'all.jsonl'}\n"
    assert main(["history", "export", "-o", str(tmp_path / "missing" / "all.jsonl")]) == 1
    assert f"Not exported: {tmp_path / 'missing' / 'all.jsonl'}: No such file" in capsys.readouterr().err


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--system", "shp"], 'looking for the results of "shp" in {history}: none on record. Name one of: shop'),
        (["--since", "2026-11-27", "--until", "2026-11-20"], "--until 2026-11-20 00:00 is not after --since"),
    ],
)
def test_what_would_export_nothing_by_mistake_is_refused(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["history", "export", "-o", str(tmp_path / "all.jsonl"), *arguments]) == 1
    assert told.format(history=tmp_path / "history.db") in capsys.readouterr().err
    assert not (tmp_path / "all.jsonl").exists()


@pytest.mark.usefixtures("kept")
def test_the_command_says_what_it_removed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", "prune", "--dry-run"]) == 0
    assert "0 results would go" in capsys.readouterr().out
    assert main(["history", "prune", "--keep", "1h"]) == 0
    assert "results removed" in capsys.readouterr().out


@pytest.mark.usefixtures("kept")
def test_nothing_is_kept_where_that_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    began = milliseconds(datetime.now(UTC)) - 10 * HOUR
    put(History(), *(result(began + number * MINUTE) for number in range(0, 300, 2)))
    assert main(["history", "prune", "--dry-run"]) == 0
    assert ": 0 results would go" in capsys.readouterr().out
    assert main(["history", "prune", "--keep", "0s"]) == 0
    assert ": 0 results removed" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "COMMAND"),
        (["export", "--since", "yesterday"], '"yesterday" is no date: write it like 2026-11-21'),
        (["prune", "--keep", "long"], '"long" is not a number with a unit'),
    ],
)
def test_wrong_usage_is_told(capsys: pytest.CaptureFixture[str], arguments: list[str], told: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["history", *arguments])
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("command", [["history", "export"], ["history", "prune"], ["incidents"]])
def test_a_misspelt_history_is_told_and_not_made(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "histroy" / "constancia.db"
    monkeypatch.setenv("CONSTANCIA_HISTORY", f"sqlite:///{file}")
    assert main(command) == 1
    assert f"reading the history in {file}: no such file. Set CONSTANCIA_HISTORY to" in capsys.readouterr().err
    assert not file.parent.exists()


@pytest.mark.parametrize("command", ["export", "prune"])
def test_a_history_that_is_not_there_is_told(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSTANCIA_HISTORY", "mysql://role:s3cret@h/x")
    assert main(["history", command]) == 1
    told = capsys.readouterr().err
    assert "neither a SQLite file nor a PostgreSQL" in told
    assert "s3cret" not in told


@pytest.mark.parametrize(
    ("account", "name", "told"),
    [
        ("postgres:wr0ng-password", "postgres", "OperationalError (password authentication failed)"),
        ("postgres:s3cret-super", "kpet", "OperationalError (no such database or role)"),
    ],
)
def test_why_a_history_in_postgresql_is_not_to_be_had_is_told(
    account: str,
    name: str,
    told: str,
    *,
    postgresql: EmbeddedServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CONSTANCIA_HISTORY", f"postgresql+psycopg://{account}@127.0.0.1:{postgresql.port}/{name}")
    assert main(["history", "export"]) == 1
    said = capsys.readouterr().err
    assert f"127.0.0.1:{postgresql.port}/{name}: {told}. Let the account" in said
    assert account not in said


def test_whoever_reads_may_stop(kept: str) -> None:
    put(History(), *(result(T + number) for number in range(1, 3000)))
    reading = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m reports history export | head -1 >/dev/null"],
        cwd=HOUSE,
        env={"CONSTANCIA_HISTORY": kept, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert reading.stderr == ""
