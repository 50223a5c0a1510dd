"""A database backup, restored into a throwaway server."""

from fixtures.drills import NOBODY, RESPONSIBLE, Drill
from reports.requirement import Evidence, requirement
from restore.expectations import measure
from restore.holding import Hold


@requirement("RESTORE-1", severity="P1", every="31 days")
def test_newest_backup_restores(drill: Drill, hold: Hold, evidence: Evidence) -> None:
    """The newest backup restores into a throwaway PostgreSQL without a harmful error.

    Source: runbook 3.2, 3.3, 5 Prueba de restore de backup; operations guide,
    "Escenario 2: Recuperar Base de Datos Completa".
    """
    report = hold(drill)
    for what, observed, unit in report.facts():
        evidence.note(what, observed, unit=unit, subject=report.file)
    evidence.note(RESPONSIBLE, drill.declared.responsible or NOBODY, subject=report.file)
    evidence.none_of("harmful errors", report.harmful(), subject=report.file)
    evidence.judge()  # what falls short is told before what could not be put on record
    report.require_recorded()


@requirement("RESTORE-2", severity="P1", every="31 days")
def test_restored_rows_are_the_dumped_rows(drill: Drill, hold: Hold, evidence: Evidence) -> None:
    """Every table holds exactly as many rows as the dump has for it, and the content is what is on record of it.

    Source: ours.
    """
    report = hold(drill)
    for table, dumped, restored in report.tables():
        evidence.equal("restored rows", restored, expected=dumped, unit="rows", subject=table)
    differences = report.differences()
    if differences is not None:
        evidence.none_of("differences from the content that is on record or live", differences, subject=report.file)


@requirement("RESTORE-3", severity="P1", every="31 days")
def test_declared_tables_hold_what_is_expected(drill: Drill, hold: Hold, evidence: Evidence) -> None:
    """The declared tables hold the expected number of rows after the restore.

    Source: runbook 3.2; operations guide, "Verificar integridad".
    """
    measure(evidence, drill.declared, hold(drill))


@requirement("RESTORE-4", severity="P1", every="31 days")
def test_data_inside_is_recent_enough(fresh_drill: Drill, hold: Hold, evidence: Evidence) -> None:
    """The newest row inside is as recent as the recovery point objective and the backup's own time demand.

    Source: operations guide, "Política de Backup"; ours: what is lost is what came after the newest row.
    """
    for each in hold(fresh_drill).newest_rows(fresh_drill):
        if each.age is not None:
            evidence.age("age of the newest row, now", each.age, limit=fresh_drill.rpo, subject=each.table)
        evidence.age("age of the newest row when the backup was made", each.lag, limit=each.within, subject=each.table)


@requirement("RESTORE-5", severity="P2", every="31 days")
def test_structure_is_sound(full_drill: Drill, hold: Hold, evidence: Evidence) -> None:
    """Constraints are validated, indexes valid, sequences ahead of their keys, references kept, extensions there.

    Source: ours.
    """
    for database, structure in hold(full_drill).structures():
        for what, observed, unit in structure.facts():
            evidence.note(what, observed, unit=unit, subject=database)
        evidence.none_of("what is not sound", structure.findings(), subject=database)


@requirement("RESTORE-6", severity="P2", every="31 days")
def test_migrations_inside_are_those_of_its_time(migrated_drill: Drill, hold: Hold, evidence: Evidence) -> None:
    """The migrations inside are those that were deployed when the backup was made.

    Source: runbook 4.
    """
    found = hold(migrated_drill).migrations()
    evidence.note(f"rows of {found.table} inside", found.inside, subject=migrated_drill.name)
    evidence.note(f"rows of {found.table} in the live database", found.live, subject=migrated_drill.name)
    evidence.none_of("differences from those deployed then", found.findings, subject=migrated_drill.name)


@requirement("RESTORE-7", severity="P2", every="31 days")
def test_smoke_queries_answer(smoke_drill: Drill, hold: Hold, evidence: Evidence) -> None:
    """The declared queries answer as expected after the restore.

    Source: operations guide, "Verificar funcionalidad".
    """
    for name, answer, expected in hold(smoke_drill).smoke_answers(smoke_drill):
        evidence.equal("answer", answer, expected=expected, subject=name)


@requirement("RESTORE-8", severity="P2", every="31 days")
def test_drill_takes_no_longer_than_recovery_may(drill: Drill, hold: Hold, evidence: Evidence) -> None:
    """Even in the sandbox it takes no longer than the recovery time objective, which a shorter time does not prove.

    Source: ours.
    """
    report = hold(drill)
    for what, observed in report.time_facts(tuned=drill.declared.tuned):
        evidence.note(what, observed, unit="s", subject=report.file)
    limit = drill.declared.rto.total_seconds()
    evidence.at_most(
        "time to a restored database (sandbox)", report.recovered_in(), limit=limit, unit="s", subject=report.file
    )


@requirement("RESTORE-10", severity="P1", every="31 days")
def test_nothing_of_the_drill_is_left(drill: Drill, hold: Hold, evidence: Evidence) -> None:
    """Nothing of the drill is left: no server, no volume, no file, no socket.

    Source: runbook 3.2.
    """
    report = hold(drill)
    if not report.disposal.gone:
        evidence.note("disposal", "no throwaway server was needed", subject=report.file)
    for each in report.disposal.gone:
        evidence.note("gone", each, subject=report.file)
    evidence.none_of("left behind", report.leftovers(), subject=report.file)
