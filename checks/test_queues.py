"""Job queues: few jobs failed for good, and the others are being done."""

from fixtures.queues import JobQueues
from reports.requirement import Evidence, requirement


@requirement("QUEUE-1", severity="P2", every="5 min")
def test_few_jobs_failed_for_good(queue: JobQueues, evidence: Evidence) -> None:
    """No job queue has more jobs that failed without a retry left than allowed.

    Source: operations guide, "Revisar queue de jobs (si aplica)"; runbook 2 Cola con muchos fallos.
    """
    for each in queue.queues():
        evidence.at_most("jobs failed for good", each.failed, limit=queue.failed_limit, subject=each.name)
        evidence.note("of them removed since", each.lost, subject=each.name)
    evidence.judge()
    queue.vouch_for_failures()


@requirement("QUEUE-2", severity="P2", every="5 min", gate="after")
def test_queues_are_being_worked_off(queue: JobQueues, evidence: Evidence) -> None:
    """Every job queue has its workers, is not paused, and lets no job wait too long.

    Source: ours: failed jobs are not the only ones that are not done.
    """
    for each in queue.queues():
        evidence.equal("paused", each.paused, expected=False, subject=each.name)
        if (waited := queue.waited(each)) is not None:
            evidence.age("longest wait of a job", waited, limit=queue.oldest_limit, subject=each.name)
        if each.workers is not None:
            evidence.at_least("workers", each.workers, limit=queue.workers_limit, subject=each.name)
    evidence.judge()
    queue.vouch_for_progress()
