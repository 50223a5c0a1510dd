"""BACKUP-1 and BACKUP-2 can fail, for plain SQL, for pg_dump's custom format and for an archive of files."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import pytest

from fixtures.lab.backup_history import BackupHistory
from fixtures.lab.backups import DumpHistory
from fixtures.lab.lab import Lab
from tests.proofs.affected import BACKUPS, DAMAGED, JOB_OF, RECOVERED_FROM
from tests.proofs.conftest import Run, Suite

SYSTEMS = {"weekly-database": "mira", "daily-collections": "mira", "daily-database": "comercial-electrica"}
SETS = {"mira": ("weekly-database", "daily-collections"), "comercial-electrica": ("daily-database",)}
ALL_ELSE_MAY_BE_OLD = {
    'period = "7 days"': 'period = "70 days"',
    'within = "2h"': 'within = "70 days"',
    # Of the traces of jobs, and of weekly tasks.
    'grace = "1h"': 'grace = "70 days"',
    'grace = "1 day"': 'grace = "70 days"',
    # Of the confirmation of alert channels.
    'within = "7 days"': 'within = "70 days"',
}
each_system = pytest.mark.parametrize("system", SETS)
each_database = pytest.mark.parametrize("name", ["weekly-database", "daily-database"])
each_compressed = pytest.mark.parametrize("name", ["daily-collections", "daily-database"])


def history(lab: Lab, name: str) -> BackupHistory:
    return lab.backups.daily_collections if name == "daily-collections" else dumps(lab, name)


def dumps(lab: Lab, name: str) -> DumpHistory:
    return lab.backups.weekly_database if name == "weekly-database" else lab.backups.daily_database


def verified(suite: Suite, name: str) -> Run:
    return suite.run(SYSTEMS[name])


@contextmanager
def in_all(lab: Lab, system: str, fault: Callable[[BackupHistory], AbstractContextManager[Any]]) -> Iterator[None]:
    """The same fault in every backup set of a system, each of which is to be found by itself."""
    with ExitStack() as stack:
        for name in SETS[system]:
            stack.enter_context(fault(history(lab, name)))
        yield


def of_all(system: str, affected: Callable[[str], set[str]]) -> set[str]:
    return set().union(*map(affected, SETS[system]))


@each_system
@pytest.mark.proves("BACKUP-1")
def test_newest_is_too_old(suite: Suite, lab: Lab, system: str) -> None:
    with in_all(lab, system, BackupHistory.too_old):
        run = suite.run(system)
    run.expect(red=of_all(system, lambda name: {f"BACKUP-1 {name}"} | RECOVERED_FROM[name] | JOB_OF[name]))


@each_system
@pytest.mark.proves("BACKUP-1")
def test_folder_is_empty(suite: Suite, lab: Lab, system: str) -> None:
    with in_all(lab, system, BackupHistory.folder_empty):
        run = suite.run(system)
    run.expect(red=of_all(system, lambda name: BACKUPS[name] | RECOVERED_FROM[name] | JOB_OF[name]))


@each_system
@pytest.mark.proves("BACKUP-1")
def test_newest_is_dated_in_the_future(suite: Suite, lab: Lab, system: str) -> None:
    with in_all(lab, system, BackupHistory.dated_in_future):
        run = suite.run(system)
    run.expect(red=of_all(system, lambda name: {f"BACKUP-1 {name}"} | RECOVERED_FROM[name] | JOB_OF[name]))


@pytest.mark.proves("BACKUP-1")
def test_clock_moved_on(suite: Suite) -> None:
    run = suite.run("mira", limits=ALL_ELSE_MAY_BE_OLD, later=timedelta(days=15))
    sets = ("weekly-database", "daily-collections")
    old = {f"BACKUP-{number} {name}" for number in (1, 4) for name in sets}
    run.expect(red=old.union(*(RECOVERED_FROM[name] for name in sets)))


@each_system
@pytest.mark.proves("BACKUP-1")
def test_one_still_being_written_is_neither_the_newest_nor_broken(suite: Suite, lab: Lab, system: str) -> None:
    with in_all(lab, system, BackupHistory.being_written):
        run = suite.run(system)
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


@each_system
@pytest.mark.proves("BACKUP-2")
def test_newest_is_cut(suite: Suite, lab: Lab, system: str) -> None:
    with in_all(lab, system, BackupHistory.truncated):
        run = suite.run(system)
    run.expect(red=of_all(system, DAMAGED.__getitem__))


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


@each_system
@pytest.mark.proves("BACKUP-2")
def test_newest_has_no_bytes(suite: Suite, lab: Lab, system: str) -> None:
    with in_all(lab, system, BackupHistory.emptied):
        run = suite.run(system)
    run.expect(red=of_all(system, lambda name: DAMAGED[name] | {f"BACKUP-3 {name}"} | RECOVERED_FROM[name]))


@each_system
@pytest.mark.proves("BACKUP-2")
def test_newest_is_a_text(suite: Suite, lab: Lab, system: str) -> None:
    with in_all(lab, system, BackupHistory.wrong_format):
        run = suite.run(system)
    run.expect(red=of_all(system, lambda name: DAMAGED[name] | {f"BACKUP-3 {name}"}))


@each_system
@pytest.mark.proves("BACKUP-2")
def test_newest_is_a_folder(suite: Suite, lab: Lab, system: str) -> None:
    with in_all(lab, system, BackupHistory.directory_in_place):
        run = suite.run(system)
    run.expect(red=of_all(system, lambda name: DAMAGED[name] | {f"BACKUP-3 {name}"}))


@each_system
@pytest.mark.proves("BACKUP-2")
def test_newest_is_a_tar_whose_members_leave_it(suite: Suite, lab: Lab, system: str) -> None:
    with in_all(lab, system, BackupHistory.tar_with_parent_members):
        run = suite.run(system)
    run.expect(red=of_all(system, lambda name: DAMAGED[name] | {f"BACKUP-3 {name}"}))


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
