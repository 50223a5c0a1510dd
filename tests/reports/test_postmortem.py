"""The draft of a post-mortem says what is known, and what is not."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from fixtures.measure.postmortem import unfinished
from reports.history import incidents
from reports.history.address import Address
from reports.history.incidents import Incident
from reports.history.kept import Kept, Run, SystemRun, milliseconds
from reports.history.store import History
from reports.history.tables import incident as incident_table
from reports.history.tables import message, message_incident
from reports.lifecycle import RESPONSE
from reports.postmortem import DRAFTED_WITHIN, About, draft, gathered, write_drafts
from reports.requirement import Measurement, Outcome, Unverified

BEGAN = datetime(2026, 11, 21, 15, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ZONE = ZoneInfo("America/Santiago")
STEPS = {"DATABASE-1": "Alertar al DBA de inmediato;\nsystemctl status postgresql"}
ABOUT = About("MIRA", ZONE, "es", STEPS.get)
REFUSED = Measurement("connection", "Connection refused", "", "must be", "accepted", holds=False)
SPANISH = """\
# Post-Mortem: La base de datos no responde (main)

**Fecha**: 2026-11-21
**Severidad**: P1
**Duración**: 10 min
**Incidente**: 1, MIRA

## Resumen

MIRA: la base de datos no responde (DATABASE-1, main), desde 21-11-2026 12:30 hasta 21-11-2026 12:40.
Agrupados con él: 1 más.

_Por completar: qué pasó, en dos o tres frases_

## Impacto

- Usuarios afectados: _Por completar: quiénes y cuántos_
- Downtime: 10 min (DATABASE-1 main)
- Funcionalidades afectadas: _Por completar: qué no se podía hacer_
- Requisitos afectados:
    - DATABASE-1 main (P1): La base de datos acepta una conexión y responde a tiempo a una primera sentencia.
        - conexión: conexión rechazada (límite: debe ser aceptado)
    - LATENCY-1 api/list (P3): Lists.

## Timeline

- 12:30 - Primer resultado incumplido: DATABASE-1 main
- 12:30 - Incidente 1 detectado: DATABASE-1 main
- 12:31 - Equipo notificado por guardia
- 12:32 - No se pudo notificar por correo: refused
- 12:35 - Acuse de recibo del incidente 1 a tiempo, por Rodrigo Tapia: disco lleno
- 12:36 - Stakeholders notificados, por Rodrigo Tapia: Since noon, by phone
- 12:36 - Primer resultado incumplido: LATENCY-1 api/list
- 12:36 - Incidente 2 detectado: LATENCY-1 api/list
- 12:40 - Restaurado: DATABASE-1 main
- 22-11-2026 12:30 - Resuelto, por Rodrigo Tapia: Disco lleno
- _Por completar: HH:MM - causa raíz identificada_
- _Por completar: HH:MM - fix aplicado_

## Causa Raíz

Disco lleno

## Solución

Lo que el runbook indica hacer:

- DATABASE-1: Alertar al DBA de inmediato; systemctl status postgresql

_Por completar: cómo se resolvió_

## Acciones Preventivas

- [ ] _Por completar: acción (fecha límite AAAA-MM-DD, responsable)_

## Lecciones Aprendidas

_Por completar: qué aprendimos_
"""


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with closing(History(Address(f"sqlite:///{tmp_path / 'history.db'}", tmp_path / "spool"))) as opened:
        yield opened


def incident(requirement: str, target: str, severity: str, title: str, began: datetime) -> Incident:
    at = milliseconds(began)
    until = at + RESPONSE[severity]
    return Incident(
        "mira", "production", requirement, target, "breached", severity, title, "one", at, at, until, (REFUSED,)
    )


def at(minutes: float) -> int:
    return milliseconds(BEGAN + minutes * MINUTE)


@pytest.fixture
def down(history: History) -> Incident:
    """The database was down for ten minutes, and what came of it; somebody answered and resolved it."""
    title = "The database accepts a connection and answers a first statement in time."
    run = Run(uuid4().hex, "one", at(0), "0", "", scheduled=True, systems={"mira": SystemRun("production", "")})
    for minutes, outcome in ((0, Outcome.BREACHED), (5, Outcome.BREACHED), (10, Outcome.PASSED)):
        found = Kept("mira", "DATABASE-1", "main", "P1", title, 300_000, at(minutes), outcome)
        history.record(replace(run, uuid=uuid4().hex), [found])
    with history.writing() as opened:
        first = incidents.add(opened, incident("DATABASE-1", "main", "P1", title, BEGAN))
        second = incident("LATENCY-1", "api/list", "P3", "Lists.", BEGAN + 6 * MINUTE)
        member = incidents.add(opened, replace(second, measurements=()))
        incidents.group(opened, member, at=at(6), under=first.number)
        first = incidents.acknowledge(opened, first, at=at(5), by="Rodrigo Tapia", said="disco\nlleno")
        incidents.note(opened, first.number, at=at(6), kind="told", by="Rodrigo Tapia", note="Since noon, by phone")
        first = incidents.recover(opened, first, at=at(10))
        for number, (channel, came_back) in enumerate((("guardia", "accepted"), ("correo", "refused")), start=1):
            about = {"id": number, "at": at(number), "system": "mira", "environment": "production", "route": "turno"}
            sent = {"channel": channel, "kind": "opened", "outcome": came_back, "subject": ""}
            opened.execute(message.insert().values(**about, **sent))
            both = [{"message": number, "incident": each.number} for each in (first, member)]
            opened.execute(message_incident.insert(), both)
        return incidents.resolve(opened, first, at=at(24 * 60), by="Rodrigo Tapia", cause="Disco lleno")


def drafted(history: History, of: Incident, about: About = ABOUT) -> str:
    with history.reading() as opened:
        return draft(gathered(opened, of, BEGAN + 30 * MINUTE), about)


def test_all_that_is_known_is_filled_in(history: History, down: Incident) -> None:
    text = drafted(history, down)
    assert text == SPANISH
    assert unfinished(text)


def test_in_english(history: History, down: Incident) -> None:
    text = drafted(history, down, replace(ABOUT, language="en"))
    assert text.startswith("# Post-mortem: The database does not answer (main)\n")
    assert "- Downtime: 10 min (DATABASE-1 main)\n" in text
    assert "- 12:30 - Incident 1 detected: DATABASE-1 main\n" in text
    assert "- [ ] _To be completed: action (due YYYY-MM-DD, who is responsible)_\n" in text
    assert unfinished(text)


def test_of_one_that_is_not_over(history: History, down: Incident) -> None:
    still = replace(down, recovered=None, cause=None)
    text = drafted(history, still)
    assert "**Duración**: 30 min hasta ahora\n" in text
    assert "hasta ahora (sigue abierto)." in text
    assert "_Por completar: descripción técnica de la causa_" in text


Write = Callable[..., list[str]]


@pytest.fixture
def write(history: History, tmp_path: Path) -> Write:
    folder = tmp_path / "postmortems"
    folder.mkdir()

    def written(to: Path = folder, *, later: timedelta = 30 * MINUTE) -> list[str]:
        found = write_drafts("mira", "production", history=history, about=ABOUT, folder=to, now=BEGAN + later)
        assert all(each.parent == to and each.is_file() for each in found)
        return [each.name for each in found]

    return written


def test_it_is_written_once_when_a_p1_has_recovered(
    history: History, down: Incident, write: Write, tmp_path: Path
) -> None:
    assert write() == ["2026-11-21-incident-1.md"]
    path = tmp_path / "postmortems" / "2026-11-21-incident-1.md"
    path.write_text("Terminado\n")
    assert write() == []
    assert path.read_text() == "Terminado\n"
    with history.reading() as opened:
        assert "postmortem" in [each.kind for each in incidents.timeline(opened, down.number)]
    path.unlink()
    assert write() == [], "who removed it wants none"


def test_what_lies_there_is_not_written_over(down: Incident, write: Write, tmp_path: Path) -> None:
    path = tmp_path / "postmortems" / f"2026-11-21-incident-{down.number}.md"
    path.write_text("By hand\n")
    assert write() == []
    assert path.read_text() == "By hand\n"


@pytest.mark.parametrize(
    "other", [{"severity": "P2"}, {"kind": "unverified"}, {"leader": 2}, {"recovered": None}], ids=str
)
def test_nothing_else_has_one(history: History, down: Incident, write: Write, other: dict[str, object]) -> None:
    with history.writing() as opened:
        opened.execute(incident_table.update().where(incident_table.c.id == down.number).values(other))
    assert write() == []


@pytest.mark.parametrize(("later", "written"), [(DRAFTED_WITHIN, 1), (DRAFTED_WITHIN + MINUTE, 0)])
def test_what_one_run_could_not_the_next_one_does(
    down: Incident, write: Write, tmp_path: Path, later: timedelta, written: int
) -> None:
    with pytest.raises(Unverified, match=f"incidents postmortem {down.number} -o FILE"):
        write(tmp_path / "nowhere")
    assert len(write(later=10 * MINUTE + later)) == written
