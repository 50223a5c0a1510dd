"""Are incidents answered, owned, told of and learned from?"""

from fixtures.incidents import IncidentsOnRecord, called
from reports.requirement import Evidence, requirement


@requirement("INCIDENT-1", severity="P2", every="5 min")
def test_incidents_are_acknowledged_in_time(incidents: IncidentsOnRecord, evidence: Evidence) -> None:
    """Somebody acknowledged each incident within the response time of its severity.

    Source: operations guide, "Clasificación de Severidad".
    """
    evidence.note("incidents not resolved", len(incidents.unresolved))
    for each in incidents.slowest():
        time, limit = incidents.unanswered(each), incidents.time_allowed(each)
        evidence.at_most("time to the acknowledgement", time, limit=limit, subject=called(each))


@requirement("INCIDENT-2", severity="P2", every="1h")
def test_incidents_have_owners_and_stakeholders_know(incidents: IncidentsOnRecord, evidence: Evidence) -> None:
    """Each incident has an owner by the end of its response time, and stakeholders were told of each P1 and P2.

    Source: operations guide, "Procedimiento de Incidente".
    """
    evidence.note("incidents not resolved", len(incidents.unresolved))
    evidence.none_of("incidents without an owner", incidents.unowned())
    evidence.none_of("incidents that stakeholders were not told of", incidents.untold())


@requirement("INCIDENT-3", severity="P3", every="1 day")
def test_p1_has_a_finished_postmortem(incidents: IncidentsOnRecord, evidence: Evidence) -> None:
    """Each P1 has a finished post-mortem a week after it was over, and its preventive actions are done in time.

    Source: operations guide, "Procedimiento de Incidente", "Template de Post-Mortem (P1)".
    """
    written = incidents.postmortems
    evidence.note("P1 incidents over for a week", len(written))
    evidence.none_of("without a post-mortem", [each.name for each in written if each.missing])
    evidence.none_of("post-mortems to be completed", [each.name for each in written if each.unfinished])
    overdue = [action for each in written for action in each.overdue()]
    evidence.none_of("preventive actions not done in time", overdue)
