"""Is as much asked of the system as it was planned for?"""

from fixtures.traffic import Traffic
from reports.requirement import Evidence, requirement


@requirement("TRAFFIC-1", severity="P3", every="10 min")
def test_requests_stay_under_the_planned_capacity(traffic: Traffic, evidence: Evidence) -> None:
    """Fewer requests a minute come than were planned for.

    Source: operations guide, "API requests/min".
    """
    busiest = traffic.busiest_minute()
    evidence.at_most("requests in the busiest minute", busiest, limit=traffic.capacity - 1, subject=traffic.name)
