"""How much of the time was it up, by all that is on record?"""

from fixtures.uptime import Uptime
from reports.requirement import Evidence, requirement


@requirement("UPTIME-1", severity="P3", every="1 day", paged=False)
def test_api_was_up(api_uptime: Uptime, evidence: Evidence) -> None:
    """The API was up for the promised share of the time, and this month's downtime is within what a month allows.

    Source: operations guide, "NocoBase API Uptime".
    """
    _measure(evidence, api_uptime)


@requirement("UPTIME-2", severity="P3", every="1 day", paged=False)
def test_upstream_source_was_up(upstream_uptime: Uptime, evidence: Evidence) -> None:
    """Each upstream source answered for the promised share of the time, and within what a month allows.

    Source: operations guide, "ALMA/SIDRA Connectivity".
    """
    _measure(evidence, upstream_uptime)


@requirement("UPTIME-3", severity="P3", every="1 day", paged=False)
def test_database_was_up(database_uptime: Uptime, evidence: Evidence) -> None:
    """The database answered for the promised share of the time, and within what a month allows.

    Source: operations guide, "Database Availability".
    """
    _measure(evidence, database_uptime)


def _measure(evidence: Evidence, uptime: Uptime) -> None:
    for what, observed, unit in uptime.facts():
        evidence.note(what, observed, unit=unit, subject=uptime.subject)
    over = f"up over {uptime.over}"
    evidence.at_least(over, uptime.share(), limit=uptime.target, unit="%", subject=uptime.subject)
    evidence.at_most("down this month, of what the month allows", uptime.down(), limit=uptime.allowed())
