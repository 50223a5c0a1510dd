"""Backups: recent, whole, of the usual size, kept, protected, and of everything."""

from fixtures.asked_backup import AskedBackup
from fixtures.backups import BackupSet
from fixtures.collections_archive import CollectionsArchive
from fixtures.newest_archive import NewestArchive
from fixtures.protection import Protection
from fixtures.recovery import RecoveryItem
from fixtures.retention import Retention
from reports.requirement import Evidence, requirement


@requirement("BACKUP-1", severity="P1", every="1h", gate="before")
def test_newest_backup_is_recent(backups: BackupSet, evidence: Evidence) -> None:
    """The newest backup is no older than promised.

    Source: operations guide, "Backups Diarios (Automáticos)", "Backups Semanales (Base de Datos)"; runbook 3.1.
    """
    newest = backups.newest()
    evidence.age("age of the newest backup", newest.age, limit=backups.max_age, subject=newest.name)


@requirement("BACKUP-2", severity="P1", every="1 day")
def test_newest_backup_is_whole(newest_archive: NewestArchive, evidence: Evidence) -> None:
    """The newest backup is whole: it decodes to its last byte, ends as it should, and agrees with its checksum file.

    Source: operations guide, "Revisar backups exitosos"; ours: its backup scripts report success whatever happened.
    """
    newest, archive = newest_archive.file, newest_archive.archive
    evidence.equal("bytes read", archive.size, expected=newest.size, unit="bytes", subject=newest.name)
    evidence.note("SHA-256", archive.sha256, subject=newest.name)
    evidence.note("rows in it", sum(rows for each in archive.dumps for rows in each.rows.values()), subject=newest.name)
    evidence.note("what cannot be known", archive.unproven or "nothing", subject=newest.name)


@requirement("BACKUP-3", severity="P2", every="1 day")
def test_newest_backup_is_of_the_usual_size(backups: BackupSet, evidence: Evidence) -> None:
    """The newest backup's size is in line with those before it, and it is not the one before it once more.

    Source: ours: a dump of an emptied database, or a job that copies yesterday's file, is recent and whole.
    """
    newest, usual, size = backups.newest(), backups.usual_size(), backups.declared.size
    evidence.at_least("size", newest.size, limit=size.least * usual, unit="bytes", subject=newest.name)
    evidence.at_most("size", newest.size, limit=size.most * usual, unit="bytes", subject=newest.name)
    evidence.none_of("the same content as", backups.repeated(), subject=newest.name)
    evidence.note(f"median of the {len(backups.predecessors())} before it", usual, unit="bytes")


@requirement("BACKUP-4", severity="P3", every="1 day")
def test_backups_are_kept_as_long_as_promised(retention: Retention, evidence: Evidence) -> None:
    """Backups are kept as long as promised: none is missing, removed too early, or kept past its time.

    Source: operations guide, "Retener últimos 30 días", "Retener últimos 90 días".
    """
    kept, name = retention.kept(), retention.store.shown
    evidence.at_least("age of the oldest backup", kept[0].age, limit=retention.shortest(), subject=kept[0].name)
    evidence.at_most("age of the oldest backup", kept[0].age, limit=retention.longest, subject=kept[0].name)
    evidence.none_of("backups missing", retention.gaps(), subject=name)
    evidence.none_of("leftovers of the job", retention.leftovers(), subject=name)
    evidence.note("backups kept", len(kept), subject=name)


@requirement("BACKUP-5", severity="P2", every="1 day")
def test_archive_defines_the_declared_collections(collections_archive: CollectionsArchive, evidence: Evidence) -> None:
    """The newest archive of collections can be read and defines each declared collection.

    Source: operations guide, "Escenario 1: Recuperar Colección Eliminada".
    """
    evidence.none_of("collections missing", collections_archive.missing(), subject=collections_archive.name)
    evidence.note("collections defined", len(collections_archive.defined()), subject=collections_archive.name)


@requirement("BACKUP-6", severity="P2", every="31 days")
def test_backup_that_is_asked_for_appears(asked_backup: AskedBackup, evidence: Evidence) -> None:
    """A backup asked for through the API appears in the store in time, and is whole.

    Source: runbook 3.1.
    """
    made = asked_backup.made
    evidence.at_most("time until it was there", made.after, limit=asked_backup.within, unit="s", subject=made.file.name)
    evidence.equal("bytes read", made.archive.size, expected=made.file.size, unit="bytes", subject=made.file.name)
    evidence.note("SHA-256", made.archive.sha256, subject=made.file.name)


@requirement("BACKUP-7", severity="P3", every="1 day")
def test_backups_are_protected(protection: Protection, evidence: Evidence) -> None:
    """Backups are protected: nobody else can read them, they are encrypted at rest, and there is a copy elsewhere.

    Source: ours: a backup holds everything that the database protects, and burns with the machine it lies on.
    """
    newest = protection.newest()
    evidence.none_of("open to others", protection.exposed(), subject=newest.name)
    evidence.none_of("not encrypted at rest", protection.unencrypted(), subject=newest.name)
    evidence.none_of("copies missing or older", protection.behind(), subject=newest.name)
    evidence.note("copies looked at", len(protection.copies), subject=newest.name)
    evidence.note("encrypted at rest", protection.encryption(), subject=newest.name)


@requirement("BACKUP-8", severity="P3", every="1 day")
def test_everything_a_recovery_needs_is_in_a_backup(recovery_item: RecoveryItem, evidence: Evidence) -> None:
    """Everything that a recovery needs is in a fresh backup.

    Source: operations guide, "Exportar UI schemas", "Escenario 2: Recuperar Base de Datos Completa".
    """
    newest = recovery_item.newest()
    evidence.age("age of the backup with it", newest.age, limit=recovery_item.max_age, subject=newest.name)
    evidence.at_least("bytes of it in there", recovery_item.size(), limit=1, unit="bytes", subject=newest.name)
