"""Is the system used as it should be?"""

from fixtures.usage import Usage
from reports.requirement import Evidence, requirement


@requirement("USAGE-1", severity="P4", every="1 day")
def test_usage_is_recorded(usage: Usage, evidence: Evidence) -> None:
    """How much the system is used is on record, and no less than its floor where one is declared.

    Source: operations guide, "Casos creados/día", "Usuarios activos/día", "Revisar métricas de uso".
    """
    if usage.floor is None:
        evidence.note("counted", usage.count(), subject=usage.name)
    else:
        evidence.at_least("counted", usage.count(), limit=usage.floor, subject=usage.name)
