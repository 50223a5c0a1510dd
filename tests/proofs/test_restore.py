"""Each requirement of a database drill can fail, for plain SQL and for pg_dump's custom format."""

import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fixtures.lab.backups import DumpHistory
from fixtures.lab.lab import Lab
from reports.requirement import Measurement
from tests.proofs.affected import DRILLED
from tests.proofs.conftest import Run, Suite
from tests.restore.conftest import IMAGES, containers  # noqa: F401 -- a fixture

WEEKLY, DAILY = "weekly-database", "daily-database"
SYSTEMS = {WEEKLY: "mira", DAILY: "comercial-electrica"}
each_format = pytest.mark.parametrize("name", SYSTEMS)
DRILL = ("restore",)
EPISODES = "onco_episodios = { min = 1, drop = 0.1 }"
# What a dump that cannot be restored takes with it: of its disposal there is nothing to complain.
UNRESTORABLE = {
    name: {each for each in DRILLED[system] if each.endswith(name)} - {f"RESTORE-10 {name}"}
    for name, system in SYSTEMS.items()
}
# What is compared with a dump cannot be told without one.
COMPARED = {WEEKLY: {"RESTORE-9 daily-collections"}, DAILY: set[str]()}
NO_ENGINE = {"CONSTANCIA_RESTORE_SERVER": "container", "DOCKER_HOST": "unix:///nonexistent/docker.sock"}


def dumps(lab: Lab, name: str) -> DumpHistory:
    return lab.backups.weekly_database if name == WEEKLY else lab.backups.daily_database


def drilled(suite: Suite, name: str) -> Run:
    return suite.run(SYSTEMS[name], rooms=DRILL)


@each_format
@pytest.mark.proves("RESTORE-1")
def test_newest_is_cut(suite: Suite, lab: Lab, name: str) -> None:
    with dumps(lab, name).truncated():
        run = drilled(suite, name)
    run.expect(red=UNRESTORABLE[name], grey=COMPARED[name])


@each_format
@pytest.mark.proves("RESTORE-1")
def test_newest_has_no_bytes(suite: Suite, lab: Lab, name: str) -> None:
    with dumps(lab, name).emptied():
        run = drilled(suite, name)
    run.expect(red=UNRESTORABLE[name], grey=COMPARED[name])


@each_format
@pytest.mark.proves("RESTORE-1")
def test_pg_dump_died_half_way(suite: Suite, lab: Lab, name: str) -> None:
    with dumps(lab, name).pg_dump_died():
        run = drilled(suite, name)
    run.expect(red=UNRESTORABLE[name], grey=COMPARED[name])


@each_format
@pytest.mark.parametrize("fault", ["wrong_format", "directory_in_place", "tar_with_parent_members"])
@pytest.mark.proves("RESTORE-1")
def test_newest_is_no_dump(suite: Suite, lab: Lab, name: str, fault: str) -> None:
    with getattr(dumps(lab, name), fault)():
        run = drilled(suite, name)
    run.expect(red=UNRESTORABLE[name], grey=COMPARED[name])


@pytest.mark.proves("RESTORE-1")
def test_pg_dump_died_half_way_and_gzip_ended_well(suite: Suite, lab: Lab) -> None:
    with lab.backups.weekly_database.pg_dump_died(gzipped=True):
        run = drilled(suite, WEEKLY)
    run.expect(red=UNRESTORABLE[WEEKLY], grey=COMPARED[WEEKLY])


@each_format
@pytest.mark.proves("RESTORE-1")
def test_there_is_no_backup(suite: Suite, lab: Lab, name: str) -> None:
    with dumps(lab, name).folder_empty():
        run = drilled(suite, name)
    run.expect(red=UNRESTORABLE[name], grey=COMPARED[name])


@each_format
@pytest.mark.proves("RESTORE-1")
def test_table_that_another_refers_to_was_left_out(suite: Suite, lab: Lab, name: str) -> None:
    with dumps(lab, name).table_left_out():
        run = drilled(suite, name)
    run.expect(red={f"RESTORE-1 {name}"} | ({f"RESTORE-7 {DAILY}"} if name == DAILY else set()))


@pytest.mark.proves("RESTORE-1")
def test_dump_runs_a_command(suite: Suite, lab: Lab) -> None:
    bait = suite.temporary / "bait"
    with lab.backups.weekly_database.with_line(f"\\! touch {bait}"):
        run = drilled(suite, WEEKLY)
    run.expect(red=UNRESTORABLE[WEEKLY], grey=COMPARED[WEEKLY])


@each_format
@pytest.mark.proves("RESTORE-1")
def test_dump_of_a_newer_pg_dump_gets_a_newer_server(suite: Suite, lab: Lab, name: str) -> None:
    with dumps(lab, name).by_newer_pg_dump():
        run = drilled(suite, name)
    run.expect()
    assert "PostgreSQL 18" in run.observed(f"RESTORE-1 {name}")["restored into"]


@pytest.mark.proves("RESTORE-1")
def test_bit_flipped_where_no_digest_is_cannot_be_known_and_is_said(suite: Suite, lab: Lab) -> None:
    with lab.backups.weekly_database.bit_flipped():
        run = drilled(suite, WEEKLY)
    run.expect()
    assert "cannot be known" in run.observed("RESTORE-1 weekly-database")["content unproven"]


@pytest.mark.proves("RESTORE-1")
def test_no_server_is_to_be_had(suite: Suite) -> None:
    for name, system in SYSTEMS.items():
        suite.run(system, rooms=DRILL, variables=NO_ENGINE).expect(grey=UNRESTORABLE[name] | COMPARED[name])
    # What was never begun leaves nothing.
    drilled(suite, DAILY).expect()


@pytest.mark.proves("RESTORE-1")
def test_extension_is_missing_in_the_server(suite: Suite, lab: Lab) -> None:
    with lab.backups.weekly_database.with_line("CREATE EXTENSION IF NOT EXISTS postgis WITH SCHEMA public;"):
        run = drilled(suite, WEEKLY)
    run.expect(grey=UNRESTORABLE[WEEKLY])
    assert "postgis" in run.said("RESTORE-1 weekly-database")


@each_format
@pytest.mark.proves("RESTORE-1")
def test_store_is_not_mounted(suite: Suite, lab: Lab, name: str) -> None:
    with dumps(lab, name).store_unreachable():
        run = drilled(suite, name)
    run.expect(grey=UNRESTORABLE[name] | COMPARED[name] | {f"RESTORE-10 {name}"})


@each_format
@pytest.mark.proves("RESTORE-2")
def test_rows_of_one_table_are_cut(suite: Suite, lab: Lab, name: str) -> None:
    with dumps(lab, name).data_section_cut():
        run = drilled(suite, name)
    run.expect(red={f"RESTORE-1 {name}", f"RESTORE-2 {name}"} | ({f"RESTORE-7 {WEEKLY}"} if name == WEEKLY else set()))


@each_format
@pytest.mark.proves("RESTORE-2")
def test_dump_holds_no_table(suite: Suite, lab: Lab, name: str) -> None:
    with dumps(lab, name).empty_database():
        run = drilled(suite, name)
    # What there is, nothing, is recovered soon and has a sound structure.
    run.expect(red=(UNRESTORABLE[name] | COMPARED[name]) - {f"RESTORE-{number} {name}" for number in (1, 5, 8)})


@each_format
@pytest.mark.proves("RESTORE-3")
def test_declared_table_was_empty(suite: Suite, lab: Lab, name: str) -> None:
    with dumps(lab, name).table_emptied():
        run = drilled(suite, name)
    run.expect(red={f"RESTORE-3 {name}"})


@each_format
@pytest.mark.proves("RESTORE-3")
def test_declared_table_was_gone(suite: Suite, lab: Lab, name: str) -> None:
    with dumps(lab, name).table_gone():
        run = drilled(suite, name)
    also = {f"RESTORE-7 {WEEKLY}"} | COMPARED[WEEKLY] if name == WEEKLY else set()
    run.expect(red={f"RESTORE-3 {name}"} | also)


# What may be expected of a table's rows, each in a way of its own.
EXPECTED = {
    EPISODES: "onco_episodios = { min = 20000, max = 40000, live = 0.02, drop = 0.1 },"
    " alma_pacientes = { exact = 12000 }",
    'rpo = "8 days"': 'rpo = "8 days"\nlive = "main"',
}
HALVED = "DELETE FROM onco_episodios WHERE id % 2 = 0; DELETE FROM alma_pacientes WHERE id % 2 = 0"


@pytest.mark.proves("RESTORE-3")
def test_half_of_each_declared_table_was_deleted(suite: Suite, lab: Lab) -> None:
    suite.run("mira", rooms=DRILL, limits=EXPECTED).expect()
    with lab.backups.weekly_database.after(HALVED):
        run = suite.run("mira", rooms=DRILL, limits=EXPECTED)
    run.expect(red={"RESTORE-3 weekly-database"})
    fallen = {(each.subject, each.what.partition(",")[2].partition(",")[0], each.comparison) for each in broken(run)}
    assert fallen == {
        ("alma_pacientes", " as declared", "exactly"),
        ("onco_episodios", " as declared", "at least"),
        ("onco_episodios", " as the live database", "at least"),
        ("onco_episodios", " as the last good drill", "at least"),
    }
    assert "the last good drill" in run.said("RESTORE-3 weekly-database")


def broken(run: Run) -> list[Measurement]:
    return [each for each in run.results["RESTORE-3 weekly-database"].measurements if not each.holds]


@pytest.mark.proves("RESTORE-10")
def test_drill_before_was_killed(suite: Suite) -> None:
    for name, system in SYSTEMS.items():
        killed = suite.run(system, rooms=DRILL, meanwhile=partial(kill_in_its_drill, suite.temporary))
        assert [each for each in killed.left if each.startswith("constancia-drill-")]
        drilled(suite, name).expect(red={f"RESTORE-10 {name}"})
    drilled(suite, DAILY).expect()


def kill_in_its_drill(temporary: Path, process: "subprocess.Popen[str]") -> None:
    while process.poll() is None and not list(temporary.glob("constancia-drill-*/data/postmaster.pid")):
        time.sleep(0.01)
    process.kill()


@each_format
@pytest.mark.usefixtures("containers")
def test_backup_restores_into_a_container(suite: Suite, name: str) -> None:
    declared = 'server = "${CONSTANCIA_RESTORE_SERVER:-container}"'
    images = ", ".join(f'{major} = "{image}"' for major, image in IMAGES.items())
    limits = {declared: f"{declared}\nimages = {{ {images} }}"}
    run = suite.run(SYSTEMS[name], rooms=DRILL, limits=limits, variables={"CONSTANCIA_RESTORE_SERVER": "container"})
    run.expect()
    assert "container" in run.observed(f"RESTORE-1 {name}")["restored into"]


@pytest.mark.proves("RESTORE-1")
def test_bit_flipped_in_a_compressed_one(suite: Suite, lab: Lab) -> None:
    with lab.backups.daily_database.bit_flipped():
        run = drilled(suite, DAILY)
    run.expect(red=UNRESTORABLE[DAILY])


HARMLESS = "CREATE SCHEMA public; SET setting_of_a_newer_server = 1;"


@pytest.mark.proves("RESTORE-1")
def test_harmless_errors_and_roles_that_a_dump_does_not_bring_are_no_fault(suite: Suite, lab: Lab) -> None:
    with lab.backups.weekly_database.with_line(HARMLESS.replace("; ", ";\n")):
        run = drilled(suite, WEEKLY)
    run.expect()
    assert "mira_lector" in run.observed("RESTORE-1 weekly-database")["roles created beforehand"]


@pytest.mark.proves("RESTORE-1")
def test_an_error_that_is_not_harmless(suite: Suite, lab: Lab) -> None:
    with lab.backups.weekly_database.with_line("SELECT nobody_knows_this();"):
        run = drilled(suite, WEEKLY)
    run.expect(red={f"RESTORE-1 {WEEKLY}"})


@pytest.mark.proves("RESTORE-3")
@pytest.mark.proves("RESTORE-7")
def test_declared_table_holds_more_than_it_may_and_a_smoke_query_does_not_answer(suite: Suite) -> None:
    limits = {
        EPISODES: "onco_episodios = { min = 1, max = 29999 }",
        "JOIN alma_pacientes p": "JOIN alma_pacientas p",
    }
    run = suite.run("mira", rooms=DRILL, limits=limits)
    run.expect(red={"RESTORE-3 weekly-database", "RESTORE-7 weekly-database"})
    assert "at most 29" in run.said("RESTORE-3 weekly-database")
    assert "no answer" in run.said("RESTORE-7 weekly-database")


@pytest.mark.proves("RESTORE-3")
def test_no_earlier_drill_is_on_record(suite: Suite) -> None:
    variables = {"MIRA_DRILLS": str(suite.folder / "drills.jsonl")}
    suite.run("mira", rooms=DRILL, variables=variables).expect(grey={"RESTORE-3 weekly-database"})
    suite.run("mira", rooms=DRILL, variables=variables).expect()


@pytest.mark.proves("RESTORE-3")
def test_live_database_is_not_reached(suite: Suite, lab: Lab) -> None:
    with lab.database.stopped():
        run = suite.run("mira", rooms=DRILL, limits=EXPECTED)
    run.expect(grey={"RESTORE-3 weekly-database"})


@pytest.mark.proves("RESTORE-2")
def test_a_letter_was_changed_in_a_table_that_nobody_changes(suite: Suite, lab: Lab) -> None:
    limits = {'rpo = "8 days"': 'rpo = "8 days"\nlive = "main"\nfingerprints = ["collections"]'}
    suite.run("mira", rooms=DRILL, limits=limits).expect()
    with lab.backups.weekly_database.after("UPDATE collections SET title = 'Episodos' WHERE title = 'Episodios'"):
        run = suite.run("mira", rooms=DRILL, limits=limits)
    run.expect(red={"RESTORE-2 weekly-database"})
    assert "public.collections: another content" in run.said("RESTORE-2 weekly-database")


@each_format
@pytest.mark.proves("RESTORE-4")
@pytest.mark.proves("RESTORE-8")
def test_job_dumps_an_old_replica_and_recovery_takes_too_long(suite: Suite, lab: Lab, name: str) -> None:
    with dumps(lab, name).of_a_stuck_replica():
        run = suite.run(SYSTEMS[name], rooms=DRILL, limits={'rto = "4h"': 'rto = "10ms"'})
    run.expect(red={f"RESTORE-4 {name}", f"RESTORE-8 {name}"})
    assert "age of the newest row" in run.said(f"RESTORE-4 {name}")


@pytest.mark.proves("RESTORE-4")
@pytest.mark.parametrize("wrong", ["\"createdAt\" = now() + interval '1 hour'", "\"createdAt\" = 'infinity'"])
def test_newest_row_is_of_the_future(suite: Suite, lab: Lab, wrong: str) -> None:
    statement: Any = f'UPDATE "auditTrails" SET {wrong} WHERE id = 1'  # noqa: S608 -- ours
    with lab.backups.weekly_database.after(statement):
        drilled(suite, WEEKLY).expect(red={"RESTORE-4 weekly-database"})


@pytest.mark.proves("RESTORE-4")
def test_table_that_tells_of_its_time_was_emptied(suite: Suite, lab: Lab) -> None:
    with lab.backups.weekly_database.after('TRUNCATE "auditTrails"'):
        run = drilled(suite, WEEKLY)
    run.expect(red={"RESTORE-4 weekly-database"})
    assert "the table is empty" in run.said("RESTORE-4 weekly-database")


UNSOUND = """
SELECT setval(pg_get_serial_sequence('onco_episodios', 'id'), 7);
ALTER TABLE onco_casos ADD CHECK (codigo <> '') NOT VALID;
DELETE FROM alma_pacientes WHERE id = 32;
ALTER TABLE onco_casos ADD FOREIGN KEY (paciente_rut) REFERENCES alma_pacientes (rut) NOT VALID
"""


@pytest.mark.proves("RESTORE-5")
def test_structure_is_not_sound(suite: Suite, lab: Lab) -> None:
    with lab.backups.weekly_database.after(UNSOUND):
        run = drilled(suite, WEEKLY)
    run.expect(red={"RESTORE-5 weekly-database"})
    assert all(each in run.said("RESTORE-5 weekly-database") for each in ("sequence", "not validated", "refer"))


@pytest.mark.proves("RESTORE-6")
def test_schema_inside_is_an_older_one(suite: Suite, lab: Lab) -> None:
    gone = "DELETE FROM _prisma_migrations WHERE migration_name = (SELECT max(migration_name) FROM _prisma_migrations)"
    with lab.backups.daily_database.after(gone):
        run = drilled(suite, DAILY)
    run.expect(red={"RESTORE-6 daily-database"})


@pytest.mark.proves("RESTORE-6")
def test_live_database_tells_of_no_migrations(suite: Suite, lab: Lab) -> None:
    with lab.database.stopped():
        drilled(suite, DAILY).expect(grey={"RESTORE-6 daily-database"})


@pytest.mark.proves("RESTORE-7")
def test_smoke_query_answers_otherwise(suite: Suite, lab: Lab) -> None:
    with lab.backups.weekly_database.after("UPDATE onco_casos SET paciente_rut = 'NADIE'"):
        run = drilled(suite, WEEKLY)
    run.expect(red={"RESTORE-7 weekly-database"})


@each_format
def test_every_day_without_indexes_and_once_a_month_with_them(suite: Suite, name: str) -> None:
    limits = {f'[[restore]]\nbackups = "{name}"': f'[[restore]]\nbackups = "{name}"\ndepth = "data"'}
    run = suite.run(SYSTEMS[name], rooms=DRILL, limits=limits)
    run.expect(grey={"RESTORE-5 -"})
    assert "not tested" in run.observed(f"RESTORE-1 {name}")["depth"]


@each_format
def test_the_judge_is_proven_first(suite: Suite, name: str) -> None:
    run = suite.run(SYSTEMS[name], "--self-check", rooms=DRILL)
    run.expect()
    assert "emptied copy: rejected" in run.observed(f"RESTORE-1 {name}")["the judge was proven first"]


def test_another_backup_is_named(suite: Suite, lab: Lab) -> None:
    older = lab.backups.daily_database.files[-2].name
    run = suite.run("comercial-electrica", "--backup", older, rooms=DRILL)
    run.expect(red={f"RESTORE-4 {DAILY}"})
    assert run.observed(f"RESTORE-1 {DAILY}")["chosen"] == "by its name"
