"""Is the database there, fast, unblocked, indexed, and of the size that one expects?"""

from fixtures.activity import Activity
from fixtures.database import Database
from fixtures.growth import SIZE, Growth
from fixtures.indexes import Indexes
from fixtures.query_time import QueryTime
from fixtures.statements import Statements
from reports.requirement import Evidence, requirement


@requirement("DATABASE-1", severity="P1", every="5 min", gate="both")
def test_database_answers(database: Database, evidence: Evidence) -> None:
    """The database accepts a connection and answers a first statement in time.

    Source: operations guide, "Database Availability"; runbook 1.4.
    """
    limit = database.timeout.total_seconds()
    evidence.at_most("time to the answer", database.answer_time(), limit=limit, unit="s", subject=database.name)


@requirement("DATABASE-2", severity="P2", every="10 min")
def test_declared_query_answers_in_time(query_time: QueryTime, evidence: Evidence) -> None:
    """The declared query answers in time, to its last row.

    Source: operations guide, "Database Query Time".
    """
    taken = query_time.taken()
    evidence.note("rows that came", taken.rows)
    limit = query_time.within.total_seconds()
    evidence.at_most("time to the last row", taken.seconds, limit=limit, unit="s", subject=query_time.subject)


@requirement("DATABASE-3", severity="P3", every="7 days")
def test_statements_are_fast_on_average(statements: Statements, evidence: Evidence) -> None:
    """No statement that is called often is slow on average.

    Source: operations guide, "Analizar queries lentos", "Performance Degradada".
    """
    evidence.note("counted by", statements.source)
    evidence.note("kinds of statement with enough calls", len(statements.averaged()))
    limit = statements.mean_limit.total_seconds()
    for each in statements.slowest():
        evidence.at_most(f"mean of {each.calls} calls", each.mean, limit=limit, unit="s", subject=each.kind)


@requirement("DATABASE-4", severity="P2", every="10 min")
def test_nothing_blocks_or_hangs(activity: Activity, evidence: Evidence) -> None:
    """No transaction stays open for too long, and nobody waits for a lock for too long; dumps and VACUUM left out.

    Source: ours: a transaction that nobody ends blocks others, and all clean-up, without an error anywhere.
    """
    now = activity.now()
    evidence.note("other sessions", now.sessions)
    evidence.attach("sessions", activity.as_text())
    oldest, longest = activity.oldest(now.transactions), activity.oldest(now.waits)
    limit = activity.longest_transaction
    evidence.at_most("age of the oldest open transaction", oldest.age, limit=limit, subject=oldest.what)
    evidence.at_most("longest wait for a lock", longest.age, limit=activity.longest_wait, subject=longest.what)


@requirement("DATABASE-5", severity="P3", every="7 days", gate="after")
def test_recommended_indexes_are_valid(indexes: Indexes, evidence: Evidence) -> None:
    """Every recommended index is there, under whatever name, and valid.

    Source: operations guide, "Índices de Base de Datos".
    """
    for declared, state in indexes.states():
        evidence.equal(f"index on {declared}", state, expected="valid", subject=declared.table)


@requirement("DATABASE-6", severity="P3", every="1 day")
def test_database_grows_as_expected(growth: Growth, evidence: Evidence) -> None:
    """The database grows as expected, and does not lose half of what it holds.

    Source: operations guide, "DB size".
    """
    evidence.note(SIZE, growth.size, unit="bytes", subject=growth.name)
    then = f"{growth.name}, compared with {growth.earlier.at:%Y-%m-%d %H:%M} UTC"
    evidence.at_most("size now", growth.size, limit=growth.most, unit="bytes", subject=then)
    evidence.at_least("size now", growth.size, limit=growth.least, unit="bytes", subject=then)
