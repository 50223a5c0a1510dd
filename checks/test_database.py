"""Is the database there?"""

from fixtures.database import Database
from reports.requirement import Evidence, requirement


@requirement("DATABASE-1", severity="P1", every="5 min", gate="both")
def test_database_answers(database: Database, evidence: Evidence) -> None:
    """The database accepts a connection and answers a first statement in time.

    Source: operations guide, "Database Availability"; runbook 1.4.
    """
    limit = database.timeout.total_seconds()
    evidence.at_most("time to the answer", database.answer_time(), limit=limit, unit="s", subject=database.name)
