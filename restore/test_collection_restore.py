"""The collections that an archive defines, recreated and compared with the newest database dump."""

from fixtures.measure.findings import few
from fixtures.recreation import Recreation
from reports.requirement import Evidence, requirement
from restore import collection_drill


@requirement("RESTORE-9", severity="P2", every="31 days")
def test_collections_can_be_recreated(recreation: Recreation, evidence: Evidence) -> None:
    """A deleted collection's definition can be recreated from the newest archive; its rows come from the database dump.

    Source: operations guide, "Escenario 1: Recuperar Colección Eliminada".
    """
    report = collection_drill.held(recreation)
    for what, observed in report.facts():
        evidence.note(what, observed, subject=report.archive)
    evidence.none_of("undefined collections", report.undefined(), subject=report.archive)
    for each in report.collections:
        evidence.note("outcome", each.outcome, subject=each.name)
        evidence.note("fields defined", each.fields, subject=each.name)
        evidence.none_of("differences from the dump", few(each.findings), subject=each.name)
    evidence.none_of("left behind", report.left, subject=report.archive)
    evidence.judge()  # what falls short is told before what could not be told
    report.require_compared()
