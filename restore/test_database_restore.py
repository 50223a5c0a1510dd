"""The newest database backup, restored into a throwaway server."""

from fixtures.drills import Drill
from reports.requirement import Evidence, requirement
from restore.drill_report import DrillReport


@requirement("RESTORE-1", severity="P1", every="31 days")
def test_newest_backup_restores(report: DrillReport, evidence: Evidence) -> None:
    """The newest backup restores into a throwaway PostgreSQL without a harmful error.

    Source: runbook 3.2, 5 Prueba de restore de backup; operations guide,
    "Escenario 2: Recuperar Base de Datos Completa".
    """
    for what, observed, unit in report.facts():
        evidence.note(what, observed, unit=unit, subject=report.file)
    evidence.none_of("harmful errors", report.harmful(), subject=report.file)


@requirement("RESTORE-2", severity="P1", every="31 days")
def test_restored_rows_are_the_dumped_rows(report: DrillReport, evidence: Evidence) -> None:
    """Every table holds exactly as many rows after the restore as the dump itself has for it.

    Source: ours.
    """
    for table, dumped, restored in report.tables():
        evidence.equal("restored rows", restored, expected=dumped, unit="rows", subject=table)


@requirement("RESTORE-3", severity="P1", every="31 days")
def test_declared_tables_hold_what_is_expected(drill: Drill, report: DrillReport, evidence: Evidence) -> None:
    """The declared tables hold the expected number of rows after the restore.

    Source: runbook 3.2; operations guide, "Verificar integridad".
    """
    for table, expected in drill.declared.counts.items():
        rows = report.rows_of(table)
        if expected.min is not None:
            evidence.at_least("restored rows", rows, limit=expected.min, unit="rows", subject=table)
        if expected.max is not None:
            evidence.at_most("restored rows", rows, limit=expected.max, unit="rows", subject=table)
        if expected.exact is not None:
            evidence.equal("restored rows", rows, expected=expected.exact, unit="rows", subject=table)


@requirement("RESTORE-10", severity="P1", every="31 days")
def test_nothing_of_the_drill_is_left(report: DrillReport, evidence: Evidence) -> None:
    """Nothing of the drill is left: no server, no volume, no file, no socket.

    Source: runbook 3.2.
    """
    if not report.server:
        evidence.note("disposal", "no throwaway server was needed", subject=report.file)
    for each in report.disposal.gone:
        evidence.note("gone", each, subject=report.file)
    evidence.none_of("left behind", report.leftovers(), subject=report.file)
