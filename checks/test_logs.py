"""Are logs kept as long as promised and no longer, and did what runs on a schedule run?"""

from fixtures.jobs import Job
from fixtures.logs import LogFolder, named, past
from reports.requirement import Evidence, requirement


@requirement("LOGS-1", severity="P4", every="1 day")
def test_old_logs_are_removed(log_folder: LogFolder, evidence: Evidence) -> None:
    """No log, compressed or not, is older than promised and one clean-up period.

    Source: operations guide, "Eliminar logs mayores a 90 días", "Revisar y limpiar logs antiguos".
    """
    ages, limit = log_folder.ages(), log_folder.removed_within
    evidence.note("logs", len(ages), subject=log_folder.name)
    evidence.note("age of the oldest", ages[0][1], subject=log_folder.name)
    evidence.none_of(f"older than {limit.days} days", named(past(ages, limit)), subject=log_folder.name)


@requirement("LOGS-2", severity="P4", every="1 day")
def test_older_logs_are_compressed(log_folder: LogFolder, evidence: Evidence) -> None:
    """No log that is not compressed is older than promised and one clean-up period.

    Source: operations guide, "Comprimir logs mayores a 30 días".
    """
    ages, limit = log_folder.unpacked(), log_folder.packed_within
    evidence.note("logs that are not compressed", len(ages), subject=log_folder.name)
    found = named(past(ages, limit))
    evidence.none_of(f"not compressed, and older than {limit.days} days", found, subject=log_folder.name)


@requirement("LOGS-3", severity="P2", every="1 h")
def test_scheduled_job_ran(job: Job, evidence: Evidence) -> None:
    """Each scheduled job ran: its own artefact or log moved on in time, and the last code on record is 0.

    Source: operations guide, "Cron jobs".
    """
    for each in job.traces():
        evidence.age(f"time since its {each.what} moved on", each.age, limit=job.max_age, subject=each.name)
    for code in job.codes():
        evidence.equal("code of its last run", code, expected=0, subject=job.name)
