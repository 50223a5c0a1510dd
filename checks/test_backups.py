"""Backups: recent and whole."""

from fixtures.backups import BackupSet
from reports.requirement import Evidence, requirement


@requirement("BACKUP-1", severity="P1", every="1h", gate="before")
def test_newest_backup_is_recent(backups: BackupSet, evidence: Evidence) -> None:
    """The newest backup is no older than promised.

    Source: operations guide, "Backups Diarios (Automáticos)", "Backups Semanales (Base de Datos)"; runbook 3.1.
    """
    newest = backups.newest()
    evidence.age("age of the newest backup", newest.age, limit=backups.max_age, subject=newest.name)


@requirement("BACKUP-2", severity="P1", every="1 day")
def test_newest_backup_is_whole(backups: BackupSet, evidence: Evidence) -> None:
    """The newest backup is whole: it decodes to its last byte, ends as it should, and agrees with its checksum file.

    Source: operations guide, "Revisar backups exitosos"; ours: its backup scripts report success whatever happened.
    """
    newest, archive = backups.newest(), backups.newest_archive()
    evidence.equal("bytes read", archive.size, expected=newest.size, unit="bytes", subject=newest.name)
    evidence.note("SHA-256", archive.sha256, subject=newest.name)
    evidence.note("rows in it", sum(archive.rows.values()), subject=newest.name)
    evidence.note("what cannot be known", archive.unproven or "nothing", subject=newest.name)
