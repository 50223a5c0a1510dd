"""Are the answers as fast as promised?"""

from fixtures.api import Endpoint
from reports.requirement import Evidence, requirement


@requirement("LATENCY-1", severity="P2", every="10 min", gate="after")
def test_mean_response_time_is_within_slo(endpoint: Endpoint, evidence: Evidence) -> None:
    """The mean response time of the endpoint, body included, is within its SLO.

    Source: operations guide, "API Response Time (avg)", "Verificar métricas de performance".
    """
    evidence.attach("samples", endpoint.samples_as_text())
    evidence.note("samples taken", len(endpoint.seconds))
    limit = endpoint.mean_limit.total_seconds()
    evidence.at_most("mean response time", endpoint.mean(), limit=limit, unit="s", subject=endpoint.url)


@requirement("LATENCY-2", severity="P2", every="10 min", gate="after")
def test_p95_response_time_is_within_slo(endpoint: Endpoint, evidence: Evidence) -> None:
    """The 95th percentile of the response times of the endpoint is within its SLO.

    Source: operations guide, "API Response Time (p95)", "Performance Degradada".
    """
    evidence.attach("samples", endpoint.samples_as_text())
    evidence.note("samples taken", len(endpoint.seconds))
    limit = endpoint.p95_limit.total_seconds()
    evidence.at_most("p95 response time", endpoint.p95(), limit=limit, unit="s", subject=endpoint.url)
