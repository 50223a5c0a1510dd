"""Alerts by a real SMTP server and a real HTTP service: who is told what, when, and never twice."""

import email
import email.policy
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from fixtures.alert_message import sent
from fixtures.lab.channels import LabHook, LabMail
from reports.alerts import Alerts
from reports.history import incidents as stored
from reports.history.address import Address
from reports.history.store import History
from reports.redaction import Redactor
from reports.requirement import Measurement, Unverified
from tests.conftest import HOUSE
from tests.reports.alerts_at_work import BEGAN, MINUTE, REFUSED, AtWork, Noted

if TYPE_CHECKING:
    from fixtures.embedded import EmbeddedServer


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[History]:
    """An empty history, in both kinds of store."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'history.db'}"
    else:
        server: EmbeddedServer = request.getfixturevalue("postgresql")
        database = f"alerts_{uuid4().hex}"
        request.getfixturevalue("execute")(f"CREATE DATABASE {database}")
        url = f"postgresql+psycopg://postgres:s3cret-super@127.0.0.1:{server.port}/{database}"
    with closing(History(Address(url, tmp_path / "spool"))) as opened:
        yield opened


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with closing(History(Address(f"sqlite:///{tmp_path / 'history.db'}", tmp_path / "spool"))) as opened:
        yield opened


@pytest.fixture
def work(history: History, tmp_path: Path) -> AtWork:
    return AtWork(history, tmp_path)


@pytest.fixture(scope="module")
def hook() -> Iterator[LabHook]:
    with LabHook() as started:
        yield started


OPENED_IN_SPANISH = """\
La base de datos no responde: main
Incidente 1, P1, DATABASE-1
Se exige: La base de datos acepta una conexión y responde a tiempo a una primera sentencia.
Desde el 21-11-2026 03:12 (hace 7 min)
Observado: conexión, main: conexión rechazada (límite: debe ser aceptado)
Siguiente paso: Alertar al DBA de inmediato; systemctl status postgresql
Acusar recibo antes del 21-11-2026 03:27: python -m reports incidents acknowledge 1 --by "..."
Junto con él:
- 2, P1, HEALTH-4 main: no se puede iniciar sesión y leer

De turno ahora: Fernanda Olivares (DBA)
Constancia, MIRA, Hospital de Ovalle"""

OPENED_IN_ENGLISH = """\
The database does not answer: main
Incident 1, P1, DATABASE-1
Required: The database accepts a connection and answers a first statement in time.
Since 2026-11-21 03:12 (7 min ago)
Observed: connection, main: Connection refused (limit: must be accepted)
Next step: Alertar al DBA de inmediato; systemctl status postgresql
Acknowledge it by 2026-11-21 03:27: python -m reports incidents acknowledge 1 --by "..."
Together with it:
- 2, P1, HEALTH-4 main: nobody can sign in and read

On call now: Fernanda Olivares (DBA)
Constancia, MIRA, Hospital de Ovalle"""


def test_a_database_is_down_in_spanish_by_mail(work: AtWork) -> None:
    with LabMail() as mail:
        work.route(mail.url, on_call=("DBA",))
        first = work.opened(0)
        work.opened(2, "HEALTH-4", leader=first.number)
        assert [each.accepted for each in work.tell(7)] == [True]
        (received,) = mail.received
    message = email.message_from_string(received, policy=email.policy.default)
    assert message["subject"] == "[P1] MIRA: la base de datos no responde (incidente 1 y 1 más)"
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content().splitlines() == OPENED_IN_SPANISH.splitlines()


def test_the_same_in_english_over_http(history: History, tmp_path: Path, hook: LabHook) -> None:
    work = AtWork(history, tmp_path, language="en")
    work.route(hook.channel, on_call=("DBA",))
    first = work.opened(0)
    work.opened(2, "HEALTH-4", leader=first.number)
    work.tell(7)
    received = hook.received[-1]
    assert received["title"] == "[P1] MIRA: the database does not answer (incident 1 and 1 more)"
    assert received["message"] == OPENED_IN_ENGLISH


def test_it_recovers_and_that_is_told_with_how_long_it_lasted(work: AtWork, hook: LabHook) -> None:
    work.route(hook.channel, on_call=("DBA",))
    first = work.opened(0)
    work.tell(0)
    work.change(stored.recover, first, 7)
    work.tell(7)
    received = hook.received[-1]
    assert received["title"] == "[recuperado] MIRA: la base de datos no responde, duró 7 min (incidente 1)"
    assert received["message"] == (
        "Recuperado: la base de datos no responde: main\n"
        "Incidente 1, P1, DATABASE-1\n"
        "Se exige: La base de datos acepta una conexión y responde a tiempo a una primera sentencia.\n"
        "Duró 7 min, desde el 21-11-2026 03:12 hasta el 21-11-2026 03:19.\n"
        "\n"
        "Constancia, MIRA, Hospital de Ovalle"
    )
    assert work.tell(8) == ()


def test_what_happened_is_told_once_by_each_route_on_both_stores(store: History, tmp_path: Path) -> None:
    work = AtWork(store, tmp_path)
    everyone, only_p3 = Noted(), Noted()
    work.route(noted=[everyone])
    work.route(noted=[only_p3], severities=("P3",))
    work.opened(0)
    later = work.opened(0, "LATENCY-1", "P3")
    for minute in (0, 1, 2):
        work.tell(minute)
    assert [title for title, _ in everyone.received] == [
        "[P1] MIRA: la base de datos no responde (incidente 1 y 1 más)"
    ]
    assert [title for title, _ in only_p3.received] == ["[P3] MIRA: respuestas lentas en promedio (incidente 2)"]
    work.change(stored.recover, later, 3)
    for minute in (3, 4):
        work.tell(minute)
    assert len(everyone.received) == len(only_p3.received) == 2
    with store.reading() as opened:
        told = stored.messages_on(opened, later.number)
    assert [(each.route, each.kind, each.outcome) for each in told] == [
        ("route-0", "opened", "accepted"),
        ("route-1", "opened", "accepted"),
        ("route-0", "recovered", "accepted"),
        ("route-1", "recovered", "accepted"),
    ]


def test_again_is_said_of_the_same_incident(work: AtWork) -> None:
    noted = Noted()
    work.route(noted=[noted])
    first = work.opened(0)
    work.tell(0)
    over = work.change(stored.recover, first, 5)
    work.tell(5)
    timed_out = replace(REFUSED, observed="connection timeout expired")
    work.change(stored.join, over, 12, again=replace(over, measurements=(timed_out,)))
    work.tell(12)
    work.tell(13)
    titles = [title for title, _ in noted.received]
    assert titles[1:] == [
        "[recuperado] MIRA: la base de datos no responde, duró 5 min (incidente 1)",
        "[P1] MIRA: otra vez: la base de datos no responde (incidente 1)",
    ]
    assert "Otra vez: la base de datos no responde: main\n" in noted.received[-1][1]
    assert "Desde el 21-11-2026 03:24\n" in noted.received[-1][1]
    assert "main: se agotó el tiempo de conexión (" in noted.received[-1][1], "what is observed now"


def test_a_recovery_that_was_seen_before_the_incident_was_opened_is_told(work: AtWork) -> None:
    noted = Noted()
    work.route(noted=[noted])
    first = work.opened(10)
    work.tell(10)
    work.change(stored.recover, first, 9.5)
    work.tell(11)
    work.tell(12)
    assert [title.partition("]")[0] for title, _ in noted.received] == ["[P1", "[recuperado"]


def test_what_cannot_be_verified_says_so(work: AtWork) -> None:
    noted = Noted()
    work.route(noted=[noted])
    why = Measurement("connecting to database main", "password authentication failed")
    work.opened(0, "HEALTH-1", kind="unverified", measurements=(why,))
    work.tell(20)
    ((title, text),) = noted.received
    assert title == "[P1] MIRA: no se puede verificar HEALTH-1 (incidente 1)"
    assert "No se puede verificar desde el 21-11-2026 03:12 (hace 20 min)\n" in text
    assert "Observado: connecting to database main: password authentication failed\n" in text
    assert "El plazo para acusar recibo venció el 21-11-2026 03:27: python" in text


@pytest.mark.parametrize(
    ("declared", "taken"),
    [
        ({}, True),
        ({"severities": ("P1",)}, True),
        ({"severities": ("P2", "P3")}, False),
        ({"requirements": ("DATABASE-*",)}, True),
        ({"requirements": ("HEALTH-*", "DATABASE-1")}, True),
        ({"requirements": ("DATABASE-2",)}, False),
        ({"apart_from": ("DATABASE-*",)}, False),
        ({"apart_from": ("HEALTH-*",)}, True),
    ],
)
def test_a_route_takes_what_it_declares(work: AtWork, declared: dict[str, tuple[str, ...]], *, taken: bool) -> None:
    noted = Noted()
    work.route(noted=[noted], **declared)
    work.opened(0)
    work.tell(0)
    assert bool(noted.received) is taken


def test_what_is_grouped_goes_out_where_its_leader_does(work: AtWork) -> None:
    database, others = Noted(), Noted()
    work.route(noted=[database], requirements=("DATABASE-*",))
    work.route(noted=[others], apart_from=("DATABASE-*",), severities=("P1",))
    leader = work.opened(0).number
    work.opened(0, "HEALTH-4", leader=leader)
    work.opened(0, "LATENCY-1", "P3", leader=leader)
    work.tell(0)
    assert "- 3, P3, LATENCY-1 main: respuestas lentas en promedio\n" in database.received[0][1]
    assert others.received == [], "whoever is told of the cause need not be told of what comes of it by another route"


def test_what_comes_of_a_cause_that_was_told_is_told_once_the_cause_is_over(work: AtWork) -> None:
    noted = Noted()
    work.route(noted=[noted])
    first = work.opened(0)
    work.tell(0)
    member = work.opened(2, "HEALTH-4", leader=first.number)
    assert not work.tell(2)
    work.change(stored.recover, first, 5)
    work.tell(5)
    title, text = noted.received[-1]
    assert title == "[P1] MIRA: no se puede iniciar sesión y leer (incidente 2 y 1 más)"
    assert "Pertenece al incidente 1.\n" in text
    assert "Recuperado: la base de datos no responde: main\n" in text
    work.change(stored.recover, member, 7)
    work.tell(7)
    assert noted.received[-1][0] == "[recuperado] MIRA: no se puede iniciar sesión y leer, duró 5 min (incidente 2)"
    assert not work.tell(8)


def test_twenty_are_told_and_the_others_counted(work: AtWork) -> None:
    noted = Noted()
    work.route(noted=[noted])
    for number in range(23):
        work.opened(0, target=f"database-{number}")
    work.tell(0)
    ((title, text),) = noted.received
    assert title.endswith("(incidente 1 y 22 más)")
    assert text.count("Incidente ") == 20
    assert "Y 3 más: python -m reports incidents" in text


def test_of_a_long_list_the_beginning_is_told(work: AtWork) -> None:
    noted = Noted()
    work.route(noted=[noted])
    listed = Measurement("restored rows", f"300: {', '.join(['a and b'] * 30_000)}", "", "must be", "none", holds=False)
    began = time.monotonic()
    work.opened(0, measurements=(listed, replace(listed, observed="x" * 300)))
    work.tell(0)
    text = noted.received[-1][1]
    assert time.monotonic() - began < 10
    assert "Observado: filas restauradas: 300: a and b, a and b" in text
    assert "... (límite: debe ser ninguno)\n" in text
    assert f": {'x' * 300} (" in text
    assert len(text) < 2000


def test_a_message_that_a_channel_finds_too_long_comes_in_parts(hook: LabHook) -> None:
    before = len(hook.received)
    assert sent(hook.channel, title="[P1] MIRA", text="word " * 8000, seconds=10) == "accepted"
    parts = [each["message"] for each in hook.received[before:]]
    assert len(parts) == 2, "of 32 768 letters at most each"
    assert "".join(parts).count("word") >= 7999


def test_reminders_come_until_somebody_acknowledges(work: AtWork) -> None:
    noted = Noted()
    work.route(noted=[noted], remind="1h")
    first = work.opened(0)
    second = work.opened(30, "HEALTH-1", "P2")
    for minute in range(0, 181, 1):
        if minute == 30:
            second = work.opened(30, "HEALTH-4", "P2")
        if minute == 100:
            first = work.change(stored.acknowledge, first, minute, by="Ana")
        if minute == 150:
            second = work.change(stored.acknowledge, second, minute, by="Ana")
        if minute % 5 == 0:
            work.tell(minute)
    assert [title.partition(": ")[2] for title, _ in noted.received] == [
        "la base de datos no responde (incidente 1 y 1 más)",
        "no se puede iniciar sesión y leer (incidente 3)",
        "sigue abierto: la base de datos no responde (incidente 1 y 2 más)",
        "sigue abierto: el servicio no responde como debe (incidente 2 y 1 más)",
        "sigue abierto: el servicio no responde como debe (incidente 2)",
    ]


def test_no_route_reminds_unless_it_says_so_nor_in_maintenance(history: History, tmp_path: Path) -> None:
    def silent(at: datetime) -> bool:
        return at < BEGAN + timedelta(hours=2)

    work = AtWork(history, tmp_path, silent=silent)
    never, hourly = Noted(), Noted()
    work.route(noted=[never])
    work.route(noted=[hourly], remind="1h")
    work.opened(0)
    for minute in range(0, 125, 5):
        work.tell(minute)
    assert len(never.received) == 1
    assert [title for title, _ in hourly.received] == [
        "[P1] MIRA: la base de datos no responde (incidente 1)",
        "[P1] MIRA: sigue abierto: la base de datos no responde (incidente 1)",
    ]


def test_quiet_hours_hold_what_can_wait(work: AtWork) -> None:
    """It is 03:12; quiet until 07:00, 228 minutes later."""
    noted = Noted()
    work.route(noted=[noted], quiet=("22:00", "07:00"))
    brief = work.opened(0, "LOGS-1", "P4")
    work.opened(0, "LATENCY-1", "P3")
    work.opened(0)
    work.tell(0)
    assert [title for title, _ in noted.received] == ["[P1] MIRA: la base de datos no responde (incidente 3)"]
    work.change(stored.recover, brief, 30)
    work.tell(227)
    assert len(noted.received) == 1
    work.tell(228)
    work.tell(229)
    title, text = noted.received[-1]
    assert title == "[P3] MIRA: respuestas lentas en promedio (incidente 2 y 1 más)"
    assert "Recuperado: se guardan logs demasiado tiempo: main\n" in text
    assert "Duró 30 min, desde el 21-11-2026 03:12 hasta el 21-11-2026 03:42.\n" in text
    assert "No hubo ningún mensaje sobre esto antes de este.\n" in text
    assert len(noted.received) == 2


def test_a_recovery_waits_for_the_morning_too(work: AtWork) -> None:
    noted = Noted()
    work.route(noted=[noted], quiet=("04:00", "07:00"))
    first = work.opened(0, "LATENCY-1", "P3")
    work.tell(0)
    work.change(stored.recover, first, 60)
    work.tell(60)
    assert len(noted.received) == 1
    work.tell(228)
    assert noted.received[-1][0].startswith("[recuperado] MIRA: respuestas lentas en promedio, duró 1 h")


def test_where_one_channel_fails_the_next_takes_it(work: AtWork, hook: LabHook, refused: str) -> None:
    work.route(refused.replace("http", "json"), hook.channel)
    first = work.opened(0)
    before = len(hook.received)
    (delivery,) = work.tell(0)
    assert delivery.accepted
    assert len(hook.received) == before + 1
    assert "Enviado por channel-1, porque por channel-0 no se pudo enviar." in hook.received[-1]["message"]
    with work.history.reading() as opened:
        told = stored.messages_on(opened, first.number)
    assert [(each.channel, each.outcome) for each in told] == [("channel-0", "refused"), ("channel-1", "accepted")]


def test_where_all_fail_the_next_run_tries_again(work: AtWork, hook: LabHook) -> None:
    work.route(hook.channel)
    first = work.opened(0)
    with hook.answering(503):
        (delivery,) = work.tell(0)
    assert not delivery.accepted
    (delivery,) = work.tell(1)
    assert delivery.accepted
    assert work.tell(2) == ()
    with work.history.reading() as opened:
        assert [each.outcome for each in stored.messages_on(opened, first.number)] == ["503", "accepted"]


def test_it_was_over_before_any_channel_took_it(work: AtWork, hook: LabHook) -> None:
    work.route(hook.channel)
    first = work.opened(0)
    with hook.answering(503):
        work.tell(0)
    work.change(stored.recover, first, 3)
    work.tell(4)
    assert hook.received[-1]["title"].startswith("[recuperado]")
    assert "No hubo ningún mensaje sobre esto antes de este." in hook.received[-1]["message"]


def test_what_was_over_long_before_a_route_was_declared_is_not_told(work: AtWork) -> None:
    first = work.opened(0)
    work.change(stored.recover, first, 3)
    noted = Noted()
    work.route(noted=[noted])
    assert work.tell(24 * 60 + 4) == ()


def test_no_roster_is_no_reason_for_silence(work: AtWork) -> None:
    noted = Noted()
    work.route(noted=[noted], on_call=("DBA",))
    (work.folder / "roster.toml").write_text("spoilt")
    work.opened(0)
    work.tell(0)
    assert "De turno ahora: no se sabe, porque el registro de personas no se puede leer\n" in noted.received[0][1]


def test_nobody_is_on_call(work: AtWork) -> None:
    noted = Noted()
    work.route(noted=[noted], on_call=("Product Owner",))
    work.opened(0)
    work.tell(0)
    assert "De turno ahora: nadie, según el registro de personas\n" in noted.received[0][1]


def test_no_secret_and_no_way_to_reach_anybody_is_told(history: History, tmp_path: Path) -> None:
    redact = Redactor(["Quilpue77"], {})
    work = AtWork(history, tmp_path, redact=redact)
    noted = Noted()
    work.route(noted=[noted], on_call=("DBA",))
    said = Measurement("answer", "password Quilpue77 at\nhttp://a:Limache88@h/", "", "must be", "x", holds=False)
    work.opened(0, target="Quilpue77", measurements=(said,))
    work.tell(0)
    everything = str(noted.received)
    with history.reading() as opened:
        everything += str(list(opened.exec_driver_sql("SELECT subject FROM message")))
    for secret in ("Quilpue77", "Limache88", "5555", "example.org"):
        assert secret not in everything
    assert "Fernanda Olivares" in everything


def test_a_history_that_is_away_tells_nothing_here(work: AtWork) -> None:
    work.route(noted=[Noted()])
    broken = Alerts(
        History(Address("sqlite:////proc/nowhere/history.db", work.folder)), work.watched(), run="r", redact=work.redact
    )
    with pytest.raises(Unverified):
        broken.tell(BEGAN)


RUNNER = """
import sys, pathlib
from reports.history.address import Address
from reports.history.store import History
from tests.reports.alerts_at_work import AtWork
url, folder, channel, minutes = sys.argv[1:]
work = AtWork(History(Address(url, pathlib.Path(folder) / "spool")), pathlib.Path(folder))
work.route(channel)
print("ready", flush=True)
sys.stdin.readline()
print(len(work.tell(float(minutes))), flush=True)
"""


def runner(history: History, folder: Path, channel: str, minutes: float) -> "subprocess.Popen[str]":
    """A process of its own that tells what is owed, once it is given a line."""
    argv = [sys.executable, "-c", RUNNER, history.address.url, str(folder), channel, str(minutes)]
    process = subprocess.Popen(argv, cwd=HOUSE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_of_runners_at_once_one_sends(store: History, tmp_path: Path, hook: LabHook) -> None:
    AtWork(store, tmp_path).opened(0)
    before = len(hook.received)
    runners = []
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        runners.append(runner(store, tmp_path / str(number), hook.channel, 0))
    for each in runners:
        go(each)
    sent = sum(int(each.communicate(timeout=60)[0]) for each in runners)
    assert (sent, len(hook.received) - before) == (1, 1)


KILLED = """
import os, pathlib, signal, sys
from reports.history.address import Address
from reports.history.store import History
from tests.reports.alerts_at_work import AtWork, Noted
class Deadly(Noted):
    def send(self, title, text):
        os.kill(os.getpid(), signal.SIGKILL)
url, folder = sys.argv[1:]
work = AtWork(History(Address(url, pathlib.Path(folder) / "spool")), pathlib.Path(folder))
work.route(noted=[Deadly()])
work.tell(0)
"""


def test_what_a_killed_run_was_about_to_send_a_later_one_does(store: History, tmp_path: Path) -> None:
    work = AtWork(store, tmp_path)
    first = work.opened(0)
    argv = [sys.executable, "-c", KILLED, store.address.url, str(tmp_path)]
    assert subprocess.run(argv, cwd=HOUSE, check=False).returncode == -signal.SIGKILL
    noted = Noted()
    work.route(noted=[noted])
    assert list(work.tell(1)) == [], "its claim holds: for all that is known it is still sending"
    (delivery,) = work.tell(2)
    assert delivery.accepted
    assert list(work.tell(3)) == []
    assert len(noted.received) == 1
    with store.reading() as opened:
        assert [each.outcome for each in stored.messages_on(opened, first.number)] == ["accepted"]


def test_a_claim_by_a_clock_that_was_ahead_holds_nobody_up(work: AtWork) -> None:
    noted = Noted()
    work.route(noted=[noted])
    work.opened(0)
    work.tell(0)
    with work.history.writing() as opened:
        opened.exec_driver_sql("UPDATE notice SET told = NULL, run = 'x', until = 35184372088832")
    work.tell(1)
    assert len(noted.received) == 2


def test_all_routes_are_tried_at_once(work: AtWork) -> None:
    class Slow(Noted):
        def send(self, title: str, text: str) -> str:
            time.sleep(0.5)
            return super().send(title, text)

    for _ in range(6):
        work.route(noted=[Slow()])
    work.opened(0)
    work.tell(0)  # opens the store
    work.opened(1, "HEALTH-1")
    begun = time.monotonic()
    assert len(work.tell(1)) == 6
    assert time.monotonic() - begun < 1.5


def test_minutes_are_told_as_people_say_them(work: AtWork) -> None:
    noted = Noted()
    work.route(noted=[noted])
    work.opened(0)
    work.tell(49 * 60)
    assert "(hace 2 días 1 h)" in noted.received[0][1]
    assert timedelta(minutes=1) == MINUTE
