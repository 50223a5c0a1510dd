"""Migrations: all applied, none failed, none altered, and nothing changed without one."""

from fixtures.migration_record import Migrations
from fixtures.schema_changes import DEFINITIONS, ON_RECORD, VERSION, SchemaChanges
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


@requirement("MIGRATE-4", severity="P2", every="1 day")
def test_schema_changes_only_with_a_migration(schema_changes: SchemaChanges, evidence: Evidence) -> None:
    """The schema is as it was when it was last in order, or a migration was applied since.

    Source: runbook 4.2.
    """
    now = schema_changes.now
    evidence.note(DEFINITIONS, now.definitions, subject=schema_changes.name)
    evidence.note(ON_RECORD, now.migrations, subject=schema_changes.name)
    evidence.note(VERSION, now.version, subject=schema_changes.name)
    evidence.none_of("changes without a migration", schema_changes.changes(), subject=schema_changes.name)
