"""A day of MIRA as the people on call see it: runs every minute by a moved clock, and everything that reaches anybody.

The faults are real: PostgreSQL is stopped, the API is slow or refuses. So are the mail server and the chat service.
Between them, in the quiet hours, results are written as runs would have left them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email import message_from_string, policy
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from fixtures.answering import Answering
from fixtures.clock import Clock
from fixtures.lab.history import variables_of
from fixtures.lab.lab import Lab
from reports.history import incidents
from reports.history.address import address_in
from reports.history.kept import Kept, Run, SystemRun, milliseconds
from reports.history.store import History
from reports.requirement import Outcome
from tests.proofs.conftest import PLUGINS, Suite

ZONE = ZoneInfo("America/Santiago")
MINUTE = 60_000
DATE = "2026-11-24"
TARGETS = {
    "HEALTH-1": "nocobase",
    "HEALTH-4": "nocobase",
    "LATENCY-1": "nocobase/case-list",
    "DATABASE-1": "main",
    "INCIDENT-1": "system",
    "INCIDENT-2": "system",
}
SYSTEM = """
[system]
name = "mira"
title = "MIRA, Hospital de Ovalle"
language = "es"
timezone = "America/Santiago"

[system.not_applicable]
"HEALTH-2" = "HEALTH-4 lee en su lugar"
"HEALTH-3" = "LATENCY-1 mide en su lugar"
"HEALTH-5" = "no es parte de este día"
"UPTIME-2" = "no es parte de este día"
"LATENCY-2" = "no es parte de este día"
"DATABASE-2" = "no es parte de este día"
"DATABASE-3" = "no es parte de este día"
"DATABASE-4" = "no es parte de este día"
"DATABASE-5" = "no es parte de este día"
"DATABASE-6" = "no es parte de este día"
"ALERT-1" = "no es parte de este día"
{others}

[[api]]
name = "nocobase"
url = "${{MIRA_API_URL}}"
health = {{ path = "/api/__health_check", timeout = "2s" }}
latency = [{{ name = "case-list", path = "/api/onco_casos:list?pageSize=20", mean = "200ms", samples = 5 }}]
uptime = {{ target = 99.5, window = "1 day" }}

[api.transaction]
sign_in = "/api/auth:signIn"
account = "${{MIRA_ACCOUNT}}"
password = "${{MIRA_PASSWORD}}"
read = "/api/onco_casos:list?pageSize=1"
info = "/api/app:getInfo"

[[database]]
name = "main"
url = "${{MIRA_DATABASE_URL}}"
timeout = "2s"
uptime = {{ target = 100, window = "1 day" }}

[[maintenance]]
begins = {date}T22:00:00
ends = {date}T22:30:00
reason = "Actualización de NocoBase"

[[schedule]]
requirement = "UPTIME-*"
window = ["00:00", "00:30"]

[roster]
file = "${{MIRA_ROSTER}}"

[signoffs]
file = "${{MIRA_SIGNOFFS}}"

[[channel]]
name = "guardia"
url = "${{MIRA_ALERT_CHANNEL}}"
tests = "${{MIRA_ALERT_TESTS}}"

[[channel]]
name = "chat"
url = "${{COMERCIAL_ALERT_SLACK}}"
tests = "${{MIRA_ALERT_TESTS}}"

[[route]]
name = "turno"
channels = ["guardia"]
severities = ["P1"]
stakeholders = true
on_call = ["DBA"]

[[route]]
name = "equipo"
channels = ["chat"]
severities = ["P2", "P3", "P4"]

[incidents]
postmortems = "{postmortems}"

[[runbook]]
requirement = "DATABASE-1"
next = "Alertar al DBA de inmediato; systemctl status postgresql"

[[runbook]]
requirement = "LATENCY-*"
next = "Revisar queries lentos: grep 'duration:' en /var/log/postgresql/; luego top e iostat"
"""
FAMILIES = ("ERRORS", "TRAFFIC", "USAGE", "CACHE", "UPSTREAM", "SYNC", "MIGRATE", "QUEUE", "HOST", "LOGS", "BACKUP")
MORE = ("RESTORE", "ACCESS", "DEPS", "UPKEEP", "MONITOR", "SELF")


CALLED = """\
[P1] MIRA: la base de datos no responde (incidente 1)
La base de datos no responde: main
Incidente 1, P1, DATABASE-1
Se exige: La base de datos acepta una conexión y responde a tiempo a una primera sentencia.
Desde el 24-11-2026 03:00
Observado: conexión, main: la conexión a 127.0.0.1, puerto {port}, falló: conexión rechazada (límite: debe ser aceptado)
Siguiente paso: Alertar al DBA de inmediato; systemctl status postgresql
Acusar recibo antes del 24-11-2026 03:15: python -m reports incidents acknowledge 1 --by "..."

De turno ahora: Fernanda Olivares (DBA)
Constancia, MIRA, Hospital de Ovalle
"""
RECOVERED = """\
[recuperado] MIRA: la base de datos no responde, duró 10 min (incidente 1 y 1 más)
Recuperado: la base de datos no responde: main
Incidente 1, P1, DATABASE-1
Se exige: La base de datos acepta una conexión y responde a tiempo a una primera sentencia.
Duró 10 min, desde el 24-11-2026 03:00 hasta el 24-11-2026 03:10.

Recuperado: no se puede iniciar sesión y leer: nocobase
Incidente 2, P1, HEALTH-4
Se exige: Una transacción real de un cliente funciona: inicia sesión y lee un recurso declarado.
Duró 10 min, desde el 24-11-2026 03:00 hasta el 24-11-2026 03:10.

Constancia, MIRA, Hospital de Ovalle
"""
SLOW = """\
[P2] MIRA: respuestas lentas en promedio (incidente 3)
Respuestas lentas en promedio: nocobase/case-list
Incidente 3, P2, LATENCY-1
Se exige: El tiempo medio de respuesta del endpoint, cuerpo incluido, cumple su SLO.
Desde el 24-11-2026 10:00 (hace 10 min)
Observado: tiempo medio de respuesta, {url}/api/onco_casos:list?pageSize=20: N ms (límite: como máximo N ms)
Siguiente paso: Revisar queries lentos: grep 'duration:' en /var/log/postgresql/; luego top e iostat
Acusar recibo antes del 24-11-2026 11:10: python -m reports incidents acknowledge 3 --by "..."

Constancia, MIRA, Hospital de Ovalle"""
FAST = """\
[recuperado] MIRA: respuestas lentas en promedio, duró 20 min (incidente 3)
Recuperado: respuestas lentas en promedio: nocobase/case-list
Incidente 3, P2, LATENCY-1
Se exige: El tiempo medio de respuesta del endpoint, cuerpo incluido, cumple su SLO.
Duró 20 min, desde el 24-11-2026 10:00 hasta el 24-11-2026 10:20.

Constancia, MIRA, Hospital de Ovalle"""
DRAFT = """\
# Post-Mortem: La base de datos no responde (main)

**Fecha**: 2026-11-24
**Severidad**: P1
**Duración**: 10 min
**Incidente**: 1, MIRA, Hospital de Ovalle

## Resumen

MIRA, Hospital de Ovalle: la base de datos no responde (DATABASE-1, main), desde 24-11-2026 03:00 {until}.
Agrupados con él: 1 más.

_Por completar: qué pasó, en dos o tres frases_

## Impacto

- Usuarios afectados: _Por completar: quiénes y cuántos_
- Downtime: 10 min (DATABASE-1 main)
- Funcionalidades afectadas: _Por completar: qué no se podía hacer_
- Requisitos afectados:
    - DATABASE-1 main (P1): La base de datos acepta una conexión y responde a tiempo a una primera sentencia.
        - conexión: la conexión a 127.0.0.1, puerto {port}, falló: conexión rechazada (límite: debe ser aceptado)
    - HEALTH-4 nocobase (P1): Una transacción real de un cliente funciona: inicia sesión y lee un recurso declarado.
        - inicio de sesión: estado 401, mientras /api/app:getInfo responde 500 (límite: debe ser estado 200)

## Timeline

- 03:00 - Primer resultado incumplido: DATABASE-1 main
- 03:00 - Primer resultado incumplido: HEALTH-4 nocobase
- 03:00 - Incidente 1 detectado: DATABASE-1 main
- 03:00 - Equipo notificado por guardia
- 03:02 - Acuse de recibo del incidente 1 a tiempo, por Fernanda Olivares: Estoy mirando el servidor
- 03:05 - Incidente 2 detectado: HEALTH-4 nocobase
- 03:05 - Acuse de recibo del incidente 2 a tiempo, por Fernanda Olivares: agrupado con el incidente 1
- 03:10 - Restaurado: DATABASE-1 main
- 03:10 - Restaurado: HEALTH-4 nocobase
- 03:10 - Equipo notificado por guardia
- _Por completar: HH:MM - causa raíz identificada_
- _Por completar: HH:MM - fix aplicado_

## Causa Raíz

_Por completar: descripción técnica de la causa_

## Solución

Lo que el runbook indica hacer:

- DATABASE-1: Alertar al DBA de inmediato; systemctl status postgresql

_Por completar: cómo se resolvió_

## Acciones Preventivas

- [ ] _Por completar: acción (fecha límite AAAA-MM-DD, responsable)_

## Lecciones Aprendidas

_Por completar: qué aprendimos_
"""
SECONDS = re.compile(r"\d+ ms")


def at(clock: str) -> datetime:
    """A time of that day in Ovalle, up to 24:00."""
    hours, minutes = map(int, clock.split(":"))
    return datetime.fromisoformat(DATE).replace(tzinfo=ZONE) + timedelta(hours=hours, minutes=minutes)


@dataclass
class Day:
    """The day, from its first minute on."""

    suite: Suite
    lab: Lab

    def __post_init__(self) -> None:
        self.postmortems = self.suite.folder / "postmortems"
        self.systems = self.suite.folder / "systems"
        self.systems.mkdir()
        others = "\n".join(f'"{family}-*" = "no es parte de este día"' for family in (*FAMILIES, *MORE))
        text = SYSTEM.format(others=others, date=DATE, postmortems=self.postmortems)
        (self.systems / "mira.toml").write_text(text, encoding="utf-8")
        self.environment = {**self.suite._variables(), **variables_of(self.suite.folder / "day.db")}
        self.history = History(address_in(self.environment))

    def minute(self, clock: str) -> str:
        """What a scheduled run prints that begins then."""
        printed = self.suite.folder / "output.txt"
        now = f"--now={at(clock).isoformat()}"
        arguments = ["checks", "--due", "--system=mira", f"--systems={self.systems}", *PLUGINS[:4], "--color=no", now]
        self.suite.forking.run(arguments, self.environment, output=printed, longest=60)
        said = printed.read_text(encoding="utf-8")
        assert "ERROR:" not in said, said
        assert "Traceback" not in said, said
        return said

    def minutes(self, first: str, last: str, *, step: int = 1) -> None:
        """Runs once in so many minutes, both ends included."""
        moment = at(first)
        while moment <= at(last):
            self.minute(f"{moment:%H:%M}")
            moment += timedelta(minutes=step)

    def quiet(self, last: str) -> None:
        """All is well up to a time: results as runs would have left them, each requirement at its own pace."""
        end = milliseconds(at(last))
        for result in list(self._last()):
            well = replace(result, outcome=Outcome.PASSED, message="", measurements=())
            moments = [*range(result.at // MINUTE * MINUTE + result.every, end, result.every)]
            for began in moments[-1:]:  # by which it is told what is due next
                self._record(began, [replace(well, at=each) for each in moments])

    def _record(self, began: int, results: Sequence[Kept]) -> None:
        systems = {"mira": SystemRun("production", "-")}
        run = Run(uuid4().hex, "lab", began, "-", "", scheduled=True, systems=systems, ended=began + 1, exit_code=0)
        self.history.record(run, results)

    def _last(self) -> Iterator[Kept]:
        for requirement, target in TARGETS.items():
            yield from self.history.last("mira", requirement, target, environment="production", vantage="lab")

    def answering(self, clock: str) -> Answering:
        """The command line's answers to incidents, given at that time."""
        return Answering(self.history, folder=self.systems, clock=Clock(at(clock)))

    def uptime(self, requirement: str, target: str) -> tuple[Outcome, float, float]:
        """How uptime was judged last, and the figures of its day: outside maintenance, and maintenance included."""
        (last,) = self.history.last("mira", requirement, target, environment="production", vantage="lab")
        said = {each.what: each.observed_text for each in last.measurements}
        names = (f"up, the last 24 h, {how}" for how in ("outside maintenance", "maintenance included"))
        outside, included = (float(said[name].removesuffix(" %")) for name in names)
        return last.outcome, outside, included

    @property
    def mails(self) -> Sequence[str]:
        """What reached the people on call by mail: subject and text."""
        read = (message_from_string(each, policy=policy.default) for each in self.lab.mail.received)
        said = ((str(each["subject"]), str(each.get_content())) for each in read)
        return ["\n".join([subject, *text.rstrip().splitlines(), ""]) for subject, text in said]

    @property
    def chats(self) -> Sequence[str]:
        """What reached the team by chat."""
        return [f"{each['title']}\n{each['message']}" for each in self.lab.hook.received]


@pytest.fixture
def day(suite: Suite, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Day:
    monkeypatch.setenv("MIRA_ROSTER", lab.environment["MIRA_ROSTER"])
    lab.mail.received.clear()
    lab.hook.received.clear()
    begun = Day(suite, lab)
    begun.postmortems.mkdir()
    return begun


def test_a_day_of_mira(day: Day, lab: Lab) -> None:
    day.minute("00:00")
    day.quiet("02:57")

    # PostgreSQL is down for seven minutes. The DBA is called at once, takes it on, and hears of nothing else.
    day.minutes("02:57", "02:59")
    with lab.database.stopped():
        day.minutes("03:00", "03:02")
        assert day.mails == [CALLED.format(port=lab.database.server.port)]
        day.answering("03:02").acknowledge(1, by="Fernanda Olivares", note="Estoy mirando el servidor")
        day.minutes("03:03", "03:06")
    day.minutes("03:07", "03:12")
    assert day.mails[1:] == [RECOVERED]
    (draft,) = day.postmortems.iterdir()
    assert draft.name == "2026-11-24-incident-1.md"
    told = {"port": lab.database.server.port, "until": "hasta 24-11-2026 03:10"}
    assert draft.read_text(encoding="utf-8") == DRAFT.format(**told)

    # The API is slow for twenty minutes: no call, a message to the team once it is confirmed, and one when it is over.
    day.quiet("10:00")
    with lab.nocobase.slow("0.3s"):
        day.minutes("10:00", "10:18", step=2)
    day.answering("10:15").acknowledge(3, by="Fernanda Olivares", note="Falta un índice")
    day.answering("10:16").told(3, by="Fernanda Olivares", note="Avisado el Product Owner")
    day.minutes("10:20", "10:22")
    assert [SECONDS.sub("N ms", each) for each in day.chats] == [SLOW.format(url=lab.nocobase.url), FAST]

    # One flap, which the next look takes back: nobody hears of it, but it counts as two minutes.
    day.quiet("15:30")
    with lab.nocobase.refusing():
        day.minutes("15:30", "15:31")
    day.minutes("15:32", "15:36")

    # A quarter of an hour in declared maintenance: nobody hears of it either.
    day.quiet("22:00")
    day.minutes("22:00", "22:04", step=2)
    with lab.nocobase.refusing():
        day.minutes("22:06", "22:18", step=2)
    day.minutes("22:20", "22:34", step=2)
    day.answering("22:40").resolve(1, by="Fernanda Olivares", cause="Reinicio sin aviso del servidor")
    day.answering("22:41").resolve(3, by="Fernanda Olivares", cause="Faltaba un índice de onco_casos")
    day.quiet("24:00")

    # At midnight the day is summed up: two minutes of the API and ten of the database, in what is left of 24 hours
    # without the half hour of maintenance; with it sixteen minutes and ten.
    day.minute("24:00")
    assert day.uptime("UPTIME-1", "nocobase") == (Outcome.PASSED, near(1 - 2 / 1410), near(1 - 16 / 1440))
    assert day.uptime("UPTIME-3", "main") == (Outcome.BREACHED, near(1 - 10 / 1410), near(1 - 10 / 1440))
    assert (len(day.mails), len(day.chats)) == (2, 2)
    with day.history.reading() as opened:
        became = [
            (each.number, each.requirement, each.leader, each.cause)
            for each in incidents.all_of(opened, "mira", "production")
        ]
    assert became == [
        (1, "DATABASE-1", None, "Reinicio sin aviso del servidor"),
        (2, "HEALTH-4", 1, "Reinicio sin aviso del servidor"),
        (3, "LATENCY-1", None, "Faltaba un índice de onco_casos"),
    ]


def near(share: float) -> object:
    """A share in percent, to what the second decimal place rounds off and runs take to begin."""
    return pytest.approx(share * 100, abs=0.012)
