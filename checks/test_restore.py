"""Are restores drilled, and does somebody answer for it?"""

from fixtures.last_drill import LastDrill
from reports.requirement import Evidence, requirement


@requirement("RESTORE-11", severity="P2", every="1 day")
def test_last_successful_drill_is_recent(last_drill: LastDrill, evidence: Evidence) -> None:
    """The last successful restore drill is recent, and was held under its declared responsible.

    Source: runbook 3.3.
    """
    held, name = last_drill.successful(), last_drill.name
    evidence.note("held", f"{held.at:%Y-%m-%d %H:%M} UTC, from {held.vantage}", subject=name)
    evidence.note("responsible", held.responsible, subject=name)
    evidence.age("age of the last successful drill", last_drill.age(held), limit=last_drill.within, subject=name)
    evidence.equal("somebody answered for it", held.responsible is not None, expected=True, subject=name)
