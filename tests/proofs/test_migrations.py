"""MIGRATE-1, MIGRATE-2 and MIGRATE-3 can fail, with Prisma and with NocoBase."""

import pytest

from fixtures.lab.database import COMERCIAL
from fixtures.lab.filling import AT_SECOND_ATTEMPT
from fixtures.lab.lab import Lab
from tests.proofs.affected import COMERCIAL_MIGRATIONS
from tests.proofs.conftest import Suite


@pytest.mark.proves("MIGRATE-1")
def test_migration_was_deployed_and_not_applied(suite: Suite, lab: Lab) -> None:
    with lab.prisma.new_folder() as name:
        run = suite.run("comercial-electrica")
    run.expect(red={"MIGRATE-1 prisma"})
    assert name in run.said("MIGRATE-1 prisma")


@pytest.mark.proves("MIGRATE-1")
def test_before_a_deployment_what_is_pending_is_listed_and_passes(suite: Suite, lab: Lab) -> None:
    with lab.prisma.new_folder() as name:
        run = suite.run("comercial-electrica", "--gate=before")
    run.expect()
    assert run.observed("MIGRATE-2 prisma")["to be applied"] == f"1: {name} (not applied)"


@pytest.mark.proves("MIGRATE-1")
def test_migration_was_rolled_back_and_not_applied_again(suite: Suite, lab: Lab) -> None:
    with lab.prisma.rolled_back() as name:
        run = suite.run("comercial-electrica")
    run.expect(red={"MIGRATE-1 prisma"})
    assert name in run.said("MIGRATE-1 prisma")


@pytest.mark.proves("MIGRATE-1")
def test_migration_resolved_by_hand_is_applied(suite: Suite, lab: Lab) -> None:
    with lab.prisma.resolved_by_hand():
        run = suite.run("comercial-electrica")
    run.expect()


@pytest.mark.proves("MIGRATE-1")
def test_migration_rolled_back_and_applied_again_is_applied(suite: Suite, lab: Lab) -> None:
    with lab.database.connect(COMERCIAL) as opened:
        rows = opened.execute("SELECT FROM _prisma_migrations WHERE migration_name = %s", (AT_SECOND_ATTEMPT,))
        assert len(rows.fetchall()) == 2
    suite.run("comercial-electrica").expect()


@pytest.mark.proves("MIGRATE-1")
def test_nocobase_is_newer_than_its_database(suite: Suite, lab: Lab) -> None:
    with lab.nocobase_migrations.version_differs() as older:
        run = suite.run("mira")
    run.expect(red={"MIGRATE-1 nocobase"})
    assert older in run.said("MIGRATE-1 nocobase")


@pytest.mark.proves("MIGRATE-1")
def test_prismas_table_is_missing(suite: Suite, lab: Lab) -> None:
    with lab.prisma.metadata_table_missing():
        run = suite.run("comercial-electrica")
    run.expect(grey=COMERCIAL_MIGRATIONS)


@pytest.mark.proves("MIGRATE-1")
def test_nocobases_table_is_missing(suite: Suite, lab: Lab) -> None:
    with lab.nocobase_migrations.metadata_table_missing():
        run = suite.run("mira")
    run.expect(grey={"MIGRATE-1 nocobase", "MIGRATE-2 nocobase"})


@pytest.mark.proves("MIGRATE-2")
def test_migration_failed_half_way(suite: Suite, lab: Lab) -> None:
    with lab.prisma.failed_row() as name:
        run = suite.run("comercial-electrica")
    run.expect(red={"MIGRATE-2 prisma"})
    assert name in run.said("MIGRATE-2 prisma")


@pytest.mark.proves("MIGRATE-2")
def test_upgrade_of_nocobase_died_as_it_wrote_its_version(suite: Suite, lab: Lab) -> None:
    with lab.nocobase_migrations.version_lost():
        run = suite.run("mira")
    run.expect(red={"MIGRATE-1 nocobase", "MIGRATE-2 nocobase"})


@pytest.mark.proves("MIGRATE-2")
def test_upgrade_of_nocobase_died_after_its_plugins(suite: Suite, lab: Lab) -> None:
    with lab.nocobase_migrations.plugin_ahead() as name:
        run = suite.run("mira")
    run.expect(red={"MIGRATE-2 nocobase"})
    assert name in run.said("MIGRATE-2 nocobase")


@pytest.mark.proves("MIGRATE-3")
def test_file_was_edited_after_it_was_applied(suite: Suite, lab: Lab) -> None:
    with lab.prisma.file_edited() as name:
        run = suite.run("comercial-electrica")
    run.expect(red={"MIGRATE-3 prisma"})
    assert name in run.said("MIGRATE-3 prisma")


@pytest.mark.proves("MIGRATE-3")
def test_file_was_deleted_after_it_was_applied(suite: Suite, lab: Lab) -> None:
    with lab.prisma.file_deleted() as name:
        run = suite.run("comercial-electrica")
    run.expect(red={"MIGRATE-3 prisma"})
    assert name in run.said("MIGRATE-3 prisma")


@pytest.mark.proves("MIGRATE-3")
def test_other_line_ends_are_no_edit(suite: Suite, lab: Lab) -> None:
    with lab.prisma.crlf():
        run = suite.run("comercial-electrica")
    run.expect()


@pytest.mark.proves("MIGRATE-3")
def test_folder_is_not_there(suite: Suite, lab: Lab) -> None:
    with lab.prisma.folder_gone():
        run = suite.run("comercial-electrica")
    run.expect(grey={"MIGRATE-1 prisma", "MIGRATE-3 prisma"})


@pytest.mark.proves("MIGRATE-3")
def test_folder_is_empty(suite: Suite) -> None:
    empty = suite.folder / "migrations"
    empty.mkdir()
    run = suite.run("comercial-electrica", variables={"COMERCIAL_MIGRATIONS": str(empty)})
    # No list of nothing to be done: whoever looks at another folder sees the same.
    run.expect(grey={"MIGRATE-1 prisma", "MIGRATE-3 prisma"})
