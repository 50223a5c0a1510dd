"""Do the sources answer that a system takes its data from?"""

from fixtures.upstream import Upstream
from reports.requirement import Evidence, requirement


@requirement("UPSTREAM-1", severity="P2", every="15 min")
def test_upstream_source_answers(upstream: Upstream, evidence: Evidence) -> None:
    """Each upstream source answers in time.

    Source: operations guide, "ALMA/SIDRA Connectivity", "Sincronización ALMA Falla".
    """
    answered = upstream.answered()
    evidence.at_most("time to the answer", answered.seconds, limit=upstream.timeout, unit="s", subject=upstream.name)
    evidence.note("answered by", answered.by, subject=upstream.name)
