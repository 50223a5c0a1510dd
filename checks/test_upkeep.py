"""Do people keep up what no machine does for them?"""

from fixtures.tasks import Task
from reports.requirement import Evidence, requirement


@requirement("UPKEEP-1", severity="P3", every="1 day")
def test_recurring_task_is_signed_off_in_time(task: Task, evidence: Evidence) -> None:
    """Each recurring task of the runbook that only people can do was signed off in time, by somebody on the roster.

    Source: operations guide, "Mantenimiento Rutinario", "Diario", "Semanal", "Mensual", "Trimestral"; runbook 5.
    """
    signed = task.last()
    age = task.age(signed)
    evidence.age("time since it was signed off", age, limit=task.time_allowed(signed), subject=task.name)
    evidence.none_of("signed by nobody on the roster", task.unknown_signer(signed), subject=task.name)
