"""Is what is synchronised from elsewhere still true?"""

from fixtures.sync import Freshness
from reports.requirement import Evidence, requirement


@requirement("SYNC-1", severity="P2", every="1 h", gate="after")
def test_synchronised_data_is_fresh(freshness: Freshness, evidence: Evidence) -> None:
    """The newest synchronised row is no older than promised, and not from the future.

    Source: operations guide, "Verificar Sincronización ALMA".
    """
    age = freshness.age_of_newest()
    evidence.age("age of the newest synchronised row", age, limit=freshness.within, subject=freshness.table)
