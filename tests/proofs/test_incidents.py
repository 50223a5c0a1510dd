"""INCIDENT-1 to INCIDENT-3 can fail, and so can what a P1 asks of tasks and documents."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fixtures.clock import Clock
from fixtures.lab.lab import Lab
from reports.history import incidents
from reports.history.kept import milliseconds, moment
from reports.history.tables import message, message_incident
from tests.fixtures.incidents_on_record import history_in, incident, put
from tests.proofs.conftest import Suite

ZONE = ZoneInfo("America/Santiago")
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
WEEK = timedelta(days=7)
Happened = Callable[[Path], None]
BY = "Rodrigo Tapia"
FINISHED = """\
# Post-Mortem: La base de datos no responde

## Acciones Preventivas

- [x] Ampliar el disco (fecha límite {past}, Infraestructura)
- [ ] Vigilar su crecimiento (fecha límite {coming}, DBA)
"""


def ago(time: timedelta) -> datetime:
    return Clock().now() - time


def going_on(
    time: timedelta, severity: str = "P1", *, answered: timedelta | None = None, told: bool = False
) -> Happened:
    """The database has been down for so long; somebody answered after some time, somebody told the stakeholders."""

    def happened(history: Path) -> None:
        (found,) = put(history.parent, incident("DATABASE-1", severity, began=ago(time)))
        with history_in(history.parent).writing() as opened:
            if answered is not None:
                incidents.acknowledge(opened, found, at=milliseconds(moment(found.opened) + answered), by=BY)
            if told:
                incidents.note(opened, found.number, at=found.opened, kind="told", by=BY, note="Llamé a la dirección")

    return happened


def over(time: timedelta) -> Happened:
    """The database was down for an hour, until so long ago; somebody answered and resolved it."""

    def happened(history: Path) -> None:
        down = incident("DATABASE-1", "P1", began=ago(time + HOUR), recovered=ago(time))
        (found,) = put(history.parent, down)
        with history_in(history.parent).writing() as opened:
            answered = incidents.acknowledge(opened, found, at=found.began, by=BY)
            incidents.resolve(opened, answered, at=milliseconds(ago(time)), by=BY, cause="Disco lleno")

    return happened


def file_after(time: timedelta) -> str:
    """What the post-mortem of what is `over` is called."""
    return f"{ago(time + HOUR).astimezone(ZONE).date()}-incident-1.md"


def finished(*, coming: timedelta = WEEK) -> str:
    day = Clock().now().astimezone(ZONE).date()
    return FINISHED.format(past=day - WEEK, coming=day + coming)


@pytest.mark.proves("INCIDENT-1")
@pytest.mark.proves("INCIDENT-2")
def test_nobody_answers(suite: Suite) -> None:
    run = suite.run("mira", since=going_on(16 * MINUTE))
    run.expect(red={"INCIDENT-1 system", "INCIDENT-2 system"})
    assert "incident 1 (P1, DATABASE-1 main)" in run.said("INCIDENT-1 system")
    assert "at most 15 min" in run.said("INCIDENT-1 system")


@pytest.mark.proves("INCIDENT-1")
@pytest.mark.proves("INCIDENT-2")
def test_there_is_time_to_answer(suite: Suite) -> None:
    run = suite.run("mira", since=going_on(13 * MINUTE))
    run.expect()
    assert run.observed("INCIDENT-1 system")["incidents not resolved"] == "1"


@pytest.mark.proves("INCIDENT-1")
def test_the_answer_came_late(suite: Suite) -> None:
    late = going_on(HOUR, answered=16 * MINUTE, told=True)
    suite.run("mira", since=late).expect(red={"INCIDENT-1 system"})


@pytest.mark.proves("INCIDENT-1")
@pytest.mark.proves("INCIDENT-2")
def test_the_answer_came_in_time_and_stakeholders_were_told(suite: Suite) -> None:
    suite.run("mira", since=going_on(HOUR, answered=14 * MINUTE, told=True)).expect()


@pytest.mark.proves("INCIDENT-2")
def test_it_was_over_soon_and_nobody_took_it_on(suite: Suite) -> None:
    def happened(history: Path) -> None:
        put(history.parent, incident("LATENCY-1", "P3", began=ago(5 * HOUR), recovered=ago(4.5 * HOUR)))

    run = suite.run("mira", since=happened)
    run.expect(red={"INCIDENT-2 system"})
    assert "incident 1 (P3, LATENCY-1 main)" in run.said("INCIDENT-2 system")


@pytest.mark.proves("INCIDENT-2")
def test_stakeholders_were_not_told(suite: Suite) -> None:
    run = suite.run("mira", since=going_on(2 * HOUR, "P2", answered=14 * MINUTE))
    run.expect(red={"INCIDENT-2 system"})
    assert "stakeholders" in run.said("INCIDENT-2 system")


@pytest.mark.proves("INCIDENT-2")
@pytest.mark.parametrize(("outcome", "told"), [("accepted", True), ("connection refused", False)])
def test_a_message_tells_stakeholders_if_it_was_delivered(suite: Suite, outcome: str, told: bool) -> None:  # noqa: FBT001 -- a parameter
    sent = {
        "id": 1,
        "at": milliseconds(ago(HOUR)),
        "system": "mira",
        "environment": "production",
        "route": "direccion",
        "channel": "guardia",
        "kind": "opened",
        "outcome": outcome,
        "subject": "",
    }

    def happened(history: Path) -> None:
        going_on(2 * HOUR, "P2", answered=14 * MINUTE)(history)
        with history_in(history.parent).writing() as opened:
            opened.execute(message.insert().values(sent))
            opened.execute(message_incident.insert().values(message=1, incident=1))

    route = '\n[[route]]\nname = "direccion"\nchannels = ["guardia"]\nstakeholders = true\n'
    suite.run("mira", also=route, since=happened).expect(red=set() if told else {"INCIDENT-2 system"})


@pytest.mark.proves("INCIDENT-3")
def test_a_p1_has_no_postmortem_after_a_week(suite: Suite, lab: Lab) -> None:
    with lab.runbooks["mira"].updated("1 day"):
        run = suite.run("mira", since=over(WEEK + HOUR))
    run.expect(red={"INCIDENT-3 system"})
    assert "without a post-mortem" in run.said("INCIDENT-3 system")


@pytest.mark.proves("INCIDENT-3")
def test_there_is_a_week_to_write_it(suite: Suite, lab: Lab) -> None:
    with lab.runbooks["mira"].updated("1 day"):
        suite.run("mira", since=over(WEEK - HOUR)).expect()


@pytest.mark.proves("INCIDENT-3")
def test_the_postmortem_is_a_draft(suite: Suite, lab: Lab) -> None:
    name = file_after(WEEK + HOUR)
    draft = "# Post-Mortem\n\n## Causa Raíz\n\n_Por completar: descripción técnica de la causa_\n"
    with lab.runbooks["mira"].updated("1 day"), lab.postmortems.saying(name, draft):
        run = suite.run("mira", since=over(WEEK + HOUR))
    run.expect(red={"INCIDENT-3 system"})
    assert "post-mortems to be completed" in run.said("INCIDENT-3 system")


@pytest.mark.proves("INCIDENT-3")
def test_a_preventive_action_is_overdue(suite: Suite, lab: Lab) -> None:
    name = file_after(WEEK + HOUR)
    with lab.runbooks["mira"].updated("1 day"):
        with lab.postmortems.saying(name, finished()):
            in_time = suite.run("mira", since=over(WEEK + HOUR))
        with lab.postmortems.saying(name, finished(coming=timedelta(days=-1))):
            overdue = suite.run("mira", since=over(WEEK + HOUR))
    in_time.expect()
    overdue.expect(red={"INCIDENT-3 system"})
    assert "action 2, due" in overdue.said("INCIDENT-3 system")
    # Whoever is named in a post-mortem is named nowhere else.
    assert "DBA)" not in overdue.said("INCIDENT-3 system")


@pytest.mark.proves("INCIDENT-3")
def test_the_folder_of_postmortems_is_gone(suite: Suite, lab: Lab) -> None:
    with lab.postmortems.gone():
        suite.run("mira").expect(grey={"INCIDENT-3 system"})


@pytest.mark.proves("INCIDENT-1")
@pytest.mark.proves("INCIDENT-2")
@pytest.mark.proves("INCIDENT-3")
def test_the_history_cannot_be_read(suite: Suite) -> None:
    history = suite.folder / "history.txt"
    history.write_text("Esto no es una base de datos\n" * 100)
    run = suite.run("mira", "-k", "INCIDENT", variables={"CONSTANCIA_HISTORY": f"sqlite:///{history}"})
    run.expect(grey={"INCIDENT-1 system", "INCIDENT-2 system", "INCIDENT-3 system"})


@pytest.mark.proves("UPKEEP-1")
def test_users_were_not_told_of_a_p1(suite: Suite, lab: Lab) -> None:
    with lab.signoffs["mira"].last("tell-users", ago="100 h"):
        run = suite.run("mira", since=over(timedelta(days=3)))
    run.expect(red={"UPKEEP-1 tell-users"})
    assert "incident 1 (P1, DATABASE-1 main)" in run.said("UPKEEP-1 tell-users")


@pytest.mark.proves("UPKEEP-3")
def test_the_guide_was_not_gone_through_after_a_p1(suite: Suite, lab: Lab) -> None:
    name = file_after(timedelta(days=9))
    with lab.postmortems.saying(name, finished()):
        run = suite.run("mira", since=over(timedelta(days=9)))
    run.expect(red={"UPKEEP-3 operations-guide"})
    assert "incident 1 (P1, DATABASE-1 main)" in run.said("UPKEEP-3 operations-guide")
