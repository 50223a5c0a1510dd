"""BACKUP-1 and BACKUP-2 can fail, for plain SQL, for pg_dump's custom format and for an archive of files."""

from datetime import timedelta

import pytest

from fixtures.lab.backup_history import BackupHistory
from fixtures.lab.backups import DumpHistory
from fixtures.lab.lab import Lab
from tests.proofs.affected import BACKUPS, DAMAGED, JOB_OF, RECOVERED_FROM
from tests.proofs.conftest import Run, Suite

SYSTEMS = {"weekly-database": "mira", "daily-collections": "mira", "daily-database": "comercial-electrica"}
ALL_ELSE_MAY_BE_OLD = {
    'period = "7 days"': 'period = "70 days"',
    'within = "2h"': 'within = "70 days"',
    # Of the traces of jobs, and of weekly tasks.
    'grace = "1h"': 'grace = "70 days"',
    'grace = "1 day"': 'grace = "70 days"',
    # Of the confirmation of alert channels.
    'within = "7 days"': 'within = "70 days"',
}
each_set = pytest.mark.parametrize("name", SYSTEMS)
each_database = pytest.mark.parametrize("name", ["weekly-database", "daily-database"])
each_compressed = pytest.mark.parametrize("name", ["daily-collections", "daily-database"])


def history(lab: Lab, name: str) -> BackupHistory:
    return lab.backups.daily_collections if name == "daily-collections" else dumps(lab, name)


def dumps(lab: Lab, name: str) -> DumpHistory:
    return lab.backups.weekly_database if name == "weekly-database" else lab.backups.daily_database


def verified(suite: Suite, name: str) -> Run:
    return suite.run(SYSTEMS[name])


@each_set
@pytest.mark.proves("BACKUP-1")
def test_newest_is_too_old(suite: Suite, lab: Lab, name: str) -> None:
    with history(lab, name).too_old():
        run = verified(suite, name)
    run.expect(red={f"BACKUP-1 {name}"} | RECOVERED_FROM[name] | JOB_OF[name])


@each_set
@pytest.mark.proves("BACKUP-1")
def test_folder_is_empty(suite: Suite, lab: Lab, name: str) -> None:
    with history(lab, name).folder_empty():
        run = verified(suite, name)
    run.expect(red=BACKUPS[name] | RECOVERED_FROM[name] | JOB_OF[name])


@each_set
@pytest.mark.proves("BACKUP-1")
def test_newest_is_dated_in_the_future(suite: Suite, lab: Lab, name: str) -> None:
    with history(lab, name).dated_in_future():
        run = verified(suite, name)
    run.expect(red={f"BACKUP-1 {name}"} | RECOVERED_FROM[name] | JOB_OF[name])


@pytest.mark.proves("BACKUP-1")
def test_clock_moved_on(suite: Suite) -> None:
    run = suite.run("mira", limits=ALL_ELSE_MAY_BE_OLD, later=timedelta(days=15))
    sets = ("weekly-database", "daily-collections")
    old = {f"BACKUP-{number} {name}" for number in (1, 4) for name in sets}
    run.expect(red=old.union(*(RECOVERED_FROM[name] for name in sets)))


@each_set
@pytest.mark.proves("BACKUP-1")
def test_one_still_being_written_is_neither_the_newest_nor_broken(suite: Suite, lab: Lab, name: str) -> None:
    with history(lab, name).being_written():
        run = verified(suite, name)
    run.expect()


@each_database
@pytest.mark.proves("BACKUP-1")
def test_store_is_not_mounted(suite: Suite, lab: Lab, name: str) -> None:
    with history(lab, name).store_unreachable():
        run = verified(suite, name)
    run.expect(grey=BACKUPS[name] | RECOVERED_FROM[name] | JOB_OF[name])


@pytest.mark.proves("BACKUP-1")
def test_store_cannot_be_reached(suite: Suite, lab: Lab) -> None:
    with lab.canary.stopped():
        run = suite.run("comercial-electrica", variables={"COMERCIAL_BACKUPS": lab.canary.url})
    run.expect(grey=BACKUPS["daily-database"] | RECOVERED_FROM["daily-database"])


@pytest.mark.proves("BACKUP-1")
def test_store_refuses_our_key(suite: Suite, lab: Lab) -> None:
    with lab.canary.answering(403):
        run = suite.run("comercial-electrica", variables={"COMERCIAL_BACKUPS": lab.canary.url})
    run.expect(grey=BACKUPS["daily-database"] | RECOVERED_FROM["daily-database"])
    assert "403" in run.said("BACKUP-1 daily-database")


@each_set
@pytest.mark.proves("BACKUP-2")
def test_newest_is_cut(suite: Suite, lab: Lab, name: str) -> None:
    with history(lab, name).truncated():
        run = verified(suite, name)
    run.expect(red=DAMAGED[name])


@each_compressed
@pytest.mark.proves("BACKUP-2")
def test_bit_flipped_in_a_compressed_one(suite: Suite, lab: Lab, name: str) -> None:
    with history(lab, name).bit_flipped():
        run = verified(suite, name)
    run.expect(red=DAMAGED[name])


@pytest.mark.proves("BACKUP-2")
def test_bit_flipped_where_no_digest_is_cannot_be_known_and_is_said(suite: Suite, lab: Lab) -> None:
    with lab.backups.weekly_database.bit_flipped():
        run = suite.run("mira")
    run.expect()
    assert "no digest" in run.observed("BACKUP-2 weekly-database")["what cannot be known"]


@pytest.mark.proves("BACKUP-2")
def test_bit_flipped_beside_a_checksum(suite: Suite, lab: Lab) -> None:
    with lab.backups.weekly_database.checksum_beside():
        suite.run("mira").expect()
        with lab.backups.weekly_database.bit_flipped():
            run = suite.run("mira")
    run.expect(red={"BACKUP-2 weekly-database"})


@each_set
@pytest.mark.proves("BACKUP-2")
def test_newest_has_no_bytes(suite: Suite, lab: Lab, name: str) -> None:
    with history(lab, name).emptied():
        run = verified(suite, name)
    run.expect(red=DAMAGED[name] | {f"BACKUP-3 {name}"} | RECOVERED_FROM[name])


@each_set
@pytest.mark.proves("BACKUP-2")
def test_newest_is_a_text(suite: Suite, lab: Lab, name: str) -> None:
    with history(lab, name).wrong_format():
        run = verified(suite, name)
    run.expect(red=DAMAGED[name] | {f"BACKUP-3 {name}"})


@each_set
@pytest.mark.proves("BACKUP-2")
def test_newest_is_a_folder(suite: Suite, lab: Lab, name: str) -> None:
    with history(lab, name).directory_in_place():
        run = verified(suite, name)
    run.expect(red=DAMAGED[name] | {f"BACKUP-3 {name}"})


@each_set
@pytest.mark.proves("BACKUP-2")
def test_newest_is_a_tar_whose_members_leave_it(suite: Suite, lab: Lab, name: str) -> None:
    with history(lab, name).tar_with_parent_members():
        run = verified(suite, name)
    run.expect(red=DAMAGED[name] | {f"BACKUP-3 {name}"})


@each_database
@pytest.mark.proves("BACKUP-2")
def test_pg_dump_died_half_way(suite: Suite, lab: Lab, name: str) -> None:
    with dumps(lab, name).pg_dump_died():
        run = verified(suite, name)
    run.expect(red=DAMAGED[name])


@each_database
@pytest.mark.proves("BACKUP-2")
def test_format_cannot_be_read_here(suite: Suite, lab: Lab, name: str) -> None:
    with dumps(lab, name).in_a_format_to_come():
        run = verified(suite, name)
    run.expect(grey={f"BACKUP-2 {name}"})


@pytest.mark.proves("BACKUP-2")
def test_export_of_the_collections_died_half_way(suite: Suite, lab: Lab) -> None:
    with lab.backups.daily_collections.export_died():
        run = suite.run("mira")
    run.expect(red=DAMAGED["daily-collections"])
