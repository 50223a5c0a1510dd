"""Is what is synchronised from elsewhere still true?"""

from fixtures.sync import Comparison, Filling, Freshness
from reports.requirement import Evidence, requirement


@requirement("SYNC-1", severity="P2", every="1 h", gate="after")
def test_synchronised_data_is_fresh(freshness: Freshness, evidence: Evidence) -> None:
    """The newest synchronised row is no older than promised, and not from the future.

    Source: operations guide, "Verificar Sincronización ALMA".
    """
    age = freshness.age_of_newest()
    evidence.age("age of the newest synchronised row", age, limit=freshness.within, subject=freshness.table)


@requirement("SYNC-2", severity="P2", every="1 h")
def test_required_fields_are_filled(filling: Filling, evidence: Evidence) -> None:
    """The required fields of synchronised rows are filled, up to the declared share of empty ones.

    Source: operations guide, "Sincronización ALMA Falla".
    """
    evidence.note("rows", filling.fill().rows, subject=filling.table)
    for column, empty in filling.fill().empty.items():
        evidence.at_most(f"rows with nothing in {column}", empty, limit=filling.most_empty, subject=filling.table)


@requirement("SYNC-3", severity="P2", every="1 day")
def test_source_and_copy_agree(comparison: Comparison, evidence: Evidence) -> None:
    """The copy has as many rows as its source, within the declared tolerance.

    Source: operations guide, "Sincronización ALMA Falla".
    """
    rows = comparison.counted()
    evidence.note("rows in the source", rows.source)
    evidence.note("rows in the copy", rows.copy, subject=comparison.table)
    evidence.at_most("rows too few in the copy", max(0, rows.source - rows.copy), limit=comparison.most_apart)
    evidence.at_most("rows too many in the copy", max(0, rows.copy - rows.source), limit=comparison.most_apart)
