"""Whole scheduled runs: what they tell people and the heartbeat, with the history and without it."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures.lab.channels import LabHook
from reports.history import incidents as stored
from reports.history.address import Address
from reports.history.store import History

if TYPE_CHECKING:
    from tests.conftest import OperatorsFolder, Run

# A state that a file beside the checks says, by a secret that nothing may tell.
CHECKS = """
    from pathlib import Path

    @requirement("SELF-900", severity="P1", every="2 min")
    def test_state(system, evidence: Evidence) -> None:
        "It is up."
        state = Path({state!r}).read_text()
        evidence.equal("state", state, expected="up", subject="Quilpue77")

    @requirement("SELF-901", severity="P1", every="2 min", paged=False)
    def test_nobody_is_paged(system, evidence: Evidence) -> None:
        "It is up, for reports."
        evidence.equal("state", "down", expected="up")
"""
SYSTEM = """
    language = "es"
    timezone = "America/Santiago"

    [[channel]]
    name = "guardia"
    url = "{channel}"
    tests = "tests.jsonl"
    timeout = "5s"

    [[route]]
    name = "todos"
    channels = ["guardia"]

    [heartbeat]
    url = "{heartbeat}"
    timeout = "5s"

    [[runbook]]
    requirement = "SELF-*"
    next = "Reiniciar"
    link = "https://h/libro"
"""
STAMP = "2026-11-21T06:{:02}:00Z"


@pytest.fixture
def hook() -> Iterator[LabHook]:
    with LabHook() as started:
        yield started


class Shop:
    """A system that is up or down, verified every two minutes from 03:00 in Santiago on."""

    def __init__(self, operator: "OperatorsFolder", hook: LabHook) -> None:
        self._operator = operator
        self._hook = hook
        self._state = operator.folder / "state.txt"
        operator.check("state", CHECKS.format(state=str(self._state)))
        self.describe()

    def describe(self, **other: str) -> None:
        """Write its file, with other addresses."""
        channel = self._hook.channel.replace("://", "://ana:Quilpue77@")
        addresses = {"channel": channel, "heartbeat": self._hook.heartbeat("shop")}
        self._operator.system("shop", SYSTEM.format(**{**addresses, **other}))

    def state(self, state: str) -> None:
        """It is up or down."""
        self._state.write_text(state, encoding="utf-8")

    def run(self, minute: int, state: str, *, workers: int = 0, environment: Mapping[str, str] | None = None) -> "Run":
        """A scheduled run that finds it up or down."""
        self.state(state)
        now = STAMP.format(minute)
        return self._operator.run("--due", "--now", now, workers=workers, environment=environment)

    @property
    def titles(self) -> Sequence[str]:
        """Of the messages that arrived."""
        return [each["title"] for each in self._hook.received]

    @property
    def beats(self) -> Sequence[str]:
        """The kinds of heartbeats that arrived."""
        return [kind for _, kind, _ in self._hook.beats]


@pytest.fixture
def shop(operator: "OperatorsFolder", hook: LabHook) -> Shop:
    return Shop(operator, hook)


def test_a_story_of_an_outage(shop: Shop, hook: LabHook, operator: "OperatorsFolder") -> None:
    shop.run(0, "up")
    assert (shop.titles, shop.beats) == ([], ["start", "success"])
    shop.run(2, "down")
    assert shop.titles == [], "one result confirms nothing"
    run = shop.run(4, "down")
    assert run.code == 1, run.output
    assert shop.titles == ["[P1] The shop: SELF-900: It is up. (incidente 1)"], run.output
    assert "alert by route todos (guardia: accepted): [P1] The shop" in run.output
    text = hook.received[-1]["message"]
    assert "Desde el 21-11-2026 03:02 (hace 2 min)\n" in text
    assert "Siguiente paso: Reiniciar (https://h/libro)\n" in text
    assert "Quilpue77" not in text + run.output
    shop.run(6, "down")
    assert len(shop.titles) == 1
    shop.run(8, "up")
    assert re.match(r"\[recuperado\] The shop: SELF-900: .*, duró 6 min", shop.titles[-1])
    assert shop.beats == ["start", "success"] * 5
    ends = [document for _, kind, document in hook.beats if kind == "success"]
    assert (ends[2]["breached"], ends[2]["exit code"]) == (2, 1)
    with closing(History(Address(operator.history, operator.folder))) as history, history.reading() as opened:
        (only,) = stored.all_of(opened, "shop", "production")
    assert only.recovered is not None


def test_an_incident_that_no_route_takes_is_said_to_be_one(shop: Shop, operator: "OperatorsFolder") -> None:
    operator.system("shop", '[[runbook]]\nrequirement = "SELF-*"\nnext = "Restart"\n')
    shop.run(2, "down")
    run = shop.run(4, "down")
    said = "alerts: no [[route]] takes incident 1 (P1, SELF-900 system): nobody is told of it"
    assert run.output.count(said) == 1, run.output
    assert said not in shop.run(6, "down").output


def test_workers_tell_nothing_twice(shop: Shop) -> None:
    for minute in (2, 4):
        shop.run(minute, "down", workers=2)
    assert len(shop.titles) == 1
    assert shop.beats == ["start", "success"] * 2


def test_only_scheduled_runs_tell(shop: Shop, operator: "OperatorsFolder") -> None:
    shop.state("down")
    for minute in (2, 4):
        operator.run("--now", STAMP.format(minute))
    assert (shop.titles, shop.beats) == ([], [])


def test_what_no_channel_takes_fails_the_heartbeat_and_goes_out_later(shop: Shop, hook: LabHook) -> None:
    shop.run(2, "down")
    shop.describe(channel="json://127.0.0.1:9/")
    run = shop.run(4, "down")
    assert run.code == 1
    assert "NOT SENT, the next run tries again: alert by route todos (guardia: refused)" in run.output
    assert shop.beats[-1] == "fail"
    shop.describe()
    shop.run(6, "down")
    assert len(shop.titles) == 1
    assert shop.beats[-1] == "success"
    assert hook.received[0]["message"].count("Incidente") == 1


def test_a_heartbeat_that_cannot_be_sent_changes_no_verdict(
    shop: Shop, operator: "OperatorsFolder", hook: LabHook
) -> None:
    shop.describe(heartbeat=f"{hook.url}/nowhere/Quilpue77")
    operator.check("state", "@requirement('SELF-900', severity='P1', every='2 min')\ndef test_it(system):\n    'It.'\n")
    run = shop.run(0, "up")
    assert run.code == 0, run.output
    assert 'heartbeat of shop: sending the heartbeat "success": status 404' in run.output
    assert "Quilpue77" not in run.output
    with closing(History(Address(operator.history, operator.folder))) as history, history.reading() as opened:
        rows = list(opened.exec_driver_sql("SELECT channel, outcome, subject FROM message ORDER BY id"))
    assert [tuple(row) for row in rows] == [
        ("heartbeat", "status 404", f'sending the heartbeat "{kind}"') for kind in ("start", "success")
    ]


def test_a_run_without_a_verdict_fails_the_heartbeat(shop: Shop, operator: "OperatorsFolder") -> None:
    operator.check("broken", "import nothing_of_that_name\n")
    assert shop.run(0, "up").code == 2
    assert shop.beats == ["start", "fail"]


def away(folder: Path) -> dict[str, str]:
    """Variables of a history that cannot be reached; its spool can."""
    file = folder / "a-file"
    file.write_text("")
    return {"CONSTANCIA_HISTORY": f"sqlite:///{file}/history.db", "CONSTANCIA_SPOOL": str(folder / "spool")}


def test_without_a_history_p1_breaches_go_out_at_once(shop: Shop, hook: LabHook, tmp_path: Path) -> None:
    first = shop.run(0, "down", environment=away(tmp_path))
    assert shop.titles == ["[P1] The shop: SELF-900: It is up. (sin historial)"], first.output
    text = hook.received[-1]["message"]
    assert text.startswith("No se puede acceder al historial de resultados")
    assert "Sin historial, P1, SELF-900\n" in text
    assert "acknowledge" not in text
    assert shop.beats[-1] == "fail"
    shop.run(59, "down", environment=away(tmp_path))
    assert len(shop.titles) == 1, "once an hour"
    shop.run(4, "up", environment=away(tmp_path))
    assert re.match(r"\[recuperado\] The shop: .* \(sin historial\)", shop.titles[-1])
    shop.run(6, "down", environment=away(tmp_path))
    assert len(shop.titles) == 3
    memory = json.loads((tmp_path / "spool" / "alerted-without-history.json").read_text())
    assert list(memory["shop"]) == ["SELF-900 system"]


def test_the_history_comes_back(shop: Shop, tmp_path: Path) -> None:
    shop.run(0, "down", environment=away(tmp_path))
    back = {**away(tmp_path), "CONSTANCIA_HISTORY": f"sqlite:///{tmp_path}/other.db"}
    run = shop.run(2, "down", environment=back)
    assert shop.titles == [
        "[P1] The shop: SELF-900: It is up. (sin historial)",
        "[P1] The shop: SELF-900: It is up. (incidente 1)",
    ], run.output
    assert shop.beats[-1] == "success"
    shop.run(4, "up", environment=back)
    assert len(shop.titles) == 3, "its recovery is told once"
