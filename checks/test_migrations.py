"""Migrations: all applied, none failed, none altered."""

from fixtures.migration_record import Migrations
from reports.requirement import Evidence, requirement


@requirement("MIGRATE-1", severity="P2", every="1 day", gate="after")
def test_no_migration_is_pending(migrations: Migrations, evidence: Evidence) -> None:
    """The database has every migration of the deployed code.

    Source: runbook 4.1, 4.2, 5 Verificar migraciones antes/después de deploy.
    """
    evidence.note("migrations on record", migrations.source)
    evidence.none_of("pending migrations", migrations.pending())


@requirement("MIGRATE-2", severity="P1", every="1 day", gate="both")
def test_no_migration_failed(migrations: Migrations, evidence: Evidence) -> None:
    """No migration failed or is half applied.

    Source: runbook 4.1, 5 Verificar migraciones antes/después de deploy.
    """
    evidence.note("migrations on record", migrations.source)
    evidence.note("to be applied", migrations.announced())
    evidence.none_of("failed migrations", migrations.failed())


@requirement("MIGRATE-3", severity="P2", every="1 day", gate="before")
def test_applied_migrations_are_unaltered(migrations: Migrations, evidence: Evidence) -> None:
    """Every applied migration is on disk as it was applied.

    Source: ours: the runbook's `prisma migrate status` does not see it.
    """
    evidence.note("migrations on record", migrations.source)
    evidence.none_of("altered migrations", migrations.altered())
