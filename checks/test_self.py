"""Does the suite itself keep running?"""

from fixtures.results import Results
from reports.requirement import Evidence, requirement


@requirement("SELF-4", severity="P2", every="5 min")
def test_results_keep_coming(results: Results, evidence: Evidence) -> None:
    """Results keep coming: none is older than twice the time after which it is due; and a heartbeat is declared.

    Source: ours: of a schedule that stopped nobody hears, unless somebody outside misses it.
    """
    evidence.equal("heartbeat that somebody outside would miss", results.heartbeat, expected="declared")
    evidence.note("checks with results on record", len(results.ages()))
    evidence.note("newest of these", min(results.ages().values()))
    evidence.none_of("results that stopped coming", results.overdue())
