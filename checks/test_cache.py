"""Is the cache there?"""

from fixtures.cache import Cache
from reports.requirement import Evidence, requirement


@requirement("CACHE-1", severity="P1", every="5 min", gate="both")
def test_cache_answers(cache: Cache, evidence: Evidence) -> None:
    """Redis accepts a connection and answers in time.

    Source: runbook 1.4.
    """
    limit = cache.timeout.total_seconds()
    evidence.at_most("time to the answer", cache.answer_time(), limit=limit, unit="s", subject=cache.name)
