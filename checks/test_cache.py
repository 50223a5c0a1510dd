"""Is the cache there?"""

from fixtures.cache import RedisCache
from reports.requirement import Evidence, requirement


@requirement("CACHE-1", severity="P1", every="5 min", gate="both")
def test_cache_answers(redis_cache: RedisCache, evidence: Evidence) -> None:
    """Redis accepts a connection and answers in time.

    Source: runbook 1.4.
    """
    limit = redis_cache.timeout.total_seconds()
    evidence.at_most("time to the answer", redis_cache.answer_time(), limit=limit, unit="s", subject=redis_cache.name)
