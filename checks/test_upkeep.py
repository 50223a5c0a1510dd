"""Do people keep up what no machine does for them?"""

from fixtures.contacts import Contact
from fixtures.documents import Document
from fixtures.tasks import Task
from reports.requirement import Evidence, requirement


@requirement("UPKEEP-1", severity="P3", every="1 day")
def test_recurring_task_is_signed_off_in_time(task: Task, evidence: Evidence) -> None:
    """Each recurring task of the runbook that only people can do was signed off in time, by somebody on the roster.

    Source: ours: what only people can do, each task with the clause that asks for it.
    """
    signed = task.last()
    if signed is not None:
        age, limit = task.age(signed), task.time_allowed(signed)
        evidence.age("time since it was signed off", age, limit=limit, subject=task.name)
        evidence.none_of("signed by nobody on the roster", task.unknown_signer(signed), subject=task.name)
    evidence.none_of("incidents that it was not signed off after", task.owed(signed), subject=task.name)


@requirement("UPKEEP-2", severity="P3", every="1 day")
def test_emergency_contact_can_be_reached_when_needed(contact: Contact, evidence: Evidence) -> None:
    """Each role that is called in an emergency has people, all that is needed to reach them, at every needed hour.

    Source: operations guide, "Contactos de Emergencia"; runbook 1.3.
    """
    evidence.at_least("people in this role", len(contact.people()), limit=1, subject=contact.role)
    evidence.none_of("yet to be completed", contact.incomplete(), subject=contact.role)
    evidence.none_of(f"hours of {contact.needed} with nobody to call", contact.gaps(), subject=contact.role)


@requirement("UPKEEP-3", severity="P4", every="1 day")
def test_runbook_was_reviewed_in_time(document: Document, evidence: Evidence) -> None:
    """The runbook says that it was gone through within the promised time, and not on a day to come.

    Source: operations guide, "Revisión: Trimestral o después de cada incidente P1"; runbook Última actualización.
    """
    reviewed = document.reviewed()
    age, limit = document.age(reviewed), document.time_allowed(reviewed)
    evidence.age("time since it was gone through", age, limit=limit, subject=f"{document.name}, dated {reviewed}")
    evidence.none_of("incidents that it was not gone through after", document.owed(reviewed), subject=document.name)
