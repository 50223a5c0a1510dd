"""BACKUP-3 to BACKUP-8 can fail: other sizes, not kept, a collection missing, unprotected, not what is needed."""

import pytest

from fixtures.lab.lab import Lab
from tests.proofs.affected import JOB_OF
from tests.proofs.conftest import Suite

WEEKLY, COLLECTIONS = "weekly-database", "daily-collections"
# The limit for a file to count as finished is a minute; what waits for one cannot.
ASKED = """[api.transaction]
sign_in = "/auth/login"
account = "somebody@electrica.invalid"
account_key = "email"
password = "nobody signs in as this one"
token = "accessToken"
read = "/health"

[api.health]"""
ASKING = """settled = "100ms"

[backups.asked]
api = "api"
request = "/backups"
account = "{account}"
password = "{password}"
within = "{within}"

[backups.protected]"""


@pytest.mark.proves("BACKUP-3")
def test_a_database_lost_its_rows_and_a_job_repeats_itself(suite: Suite, lab: Lab) -> None:
    with lab.backups.weekly_database.empty_database(), lab.backups.daily_collections.repeated():
        run = suite.run("mira")
    run.expect(red={f"BACKUP-3 {WEEKLY}", f"BACKUP-3 {COLLECTIONS}"})
    assert "the same content" in run.said(f"BACKUP-3 {COLLECTIONS}")


@pytest.mark.proves("BACKUP-3")
@pytest.mark.proves("BACKUP-4")
def test_one_is_far_larger_and_of_the_others_too_few_are_left(suite: Suite, lab: Lab) -> None:
    grown = {"uploads/copia.pdf": lab.backups.weekly_database.newest.read_bytes()[:100_000]}
    with lab.backups.weekly_database.only(3), lab.backups.daily_collections.exported_with({**grown}):
        run = suite.run("mira")
    run.expect(red={f"BACKUP-3 {COLLECTIONS}", f"BACKUP-4 {WEEKLY}"}, grey={f"BACKUP-3 {WEEKLY}"})
    assert "2 before it" in run.said(f"BACKUP-3 {WEEKLY}")


@pytest.mark.proves("BACKUP-4")
def test_one_is_missing_and_old_ones_stay(suite: Suite, lab: Lab) -> None:
    with lab.backups.weekly_database.one_missing(), lab.backups.daily_collections.kept_too_long():
        run = suite.run("mira")
    run.expect(red={f"BACKUP-4 {WEEKLY}", f"BACKUP-4 {COLLECTIONS}"})
    assert "backups missing" in run.said(f"BACKUP-4 {WEEKLY}")


@pytest.mark.proves("BACKUP-4")
def test_removed_too_early_and_what_was_packed_is_left(suite: Suite, lab: Lab) -> None:
    with lab.backups.weekly_database.only(8), lab.backups.daily_collections.folders_left():
        run = suite.run("mira")
    run.expect(red={f"BACKUP-4 {WEEKLY}", f"BACKUP-4 {COLLECTIONS}"})
    assert "leftovers" in run.said(f"BACKUP-4 {COLLECTIONS}")


@pytest.mark.proves("BACKUP-5")
def test_a_collection_is_missing(suite: Suite, lab: Lab) -> None:
    with lab.backups.daily_collections.collection_missing("onco_episodios"):
        run = suite.run("mira")
    run.expect(red={f"BACKUP-5 {COLLECTIONS}"})
    assert "1: onco_episodios" in run.said(f"BACKUP-5 {COLLECTIONS}")


@pytest.mark.proves("BACKUP-5")
def test_definitions_are_an_error_in_json(suite: Suite, lab: Lab) -> None:
    with lab.backups.daily_collections.exported_with({"collections.json": b'{"error": "token expired"}'}):
        run = suite.run("mira")
    run.expect(red={f"BACKUP-5 {COLLECTIONS}"})


def asking(account: str, password: str, within: str = "1 min") -> dict[str, str]:
    declared = ASKING.format(account=account, password=password, within=within)
    reason = (
        '"BACKUP-6" = "asking writes a backup in each run; declare it as [backups.asked] once the team has given an '
        'account for it"\n'
    )
    return {"[api.health]": ASKED, "[backups.protected]": declared, reason: ""}


@pytest.mark.proves("BACKUP-6")
def test_backup_that_is_asked_for_appears(suite: Suite, lab: Lab) -> None:
    with lab.backups.daily_database.as_it_was():
        run = suite.run("comercial-electrica", limits=asking(lab.comercial.account, lab.comercial.password))
    run.expect()
    assert "SHA-256" in run.observed("BACKUP-6 daily-database")


@pytest.mark.proves("BACKUP-6")
def test_it_says_that_one_is_made_and_none_is(suite: Suite, lab: Lab) -> None:
    limits = asking(lab.comercial.account, lab.comercial.password, within="2s")
    with lab.backups.daily_database.as_it_was(), lab.comercial.backups_lost():
        run = suite.run("comercial-electrica", limits=limits)
    run.expect(red={"BACKUP-6 daily-database"})
    assert "although it answered 202" in run.said("BACKUP-6 daily-database")


@pytest.mark.proves("BACKUP-6")
@pytest.mark.parametrize("fault", ["may not ask", "password"])
def test_our_account_may_not_ask(suite: Suite, lab: Lab, fault: str) -> None:
    password = "is not this one" if fault == "password" else lab.comercial.password
    with lab.backups.daily_database.as_it_was(), lab.comercial.admin_demoted():
        run = suite.run("comercial-electrica", limits=asking(lab.comercial.account, password))
    run.expect(grey={"BACKUP-6 daily-database"})
    assert ("401" if fault == "password" else "403") in run.said("BACKUP-6 daily-database")


@pytest.mark.proves("BACKUP-7")
def test_everybody_may_read_one_and_the_others_are_not_copied(suite: Suite, lab: Lab) -> None:
    with lab.backups.weekly_database.readable_by_everyone(), lab.backups.daily_collections.not_copied():
        run = suite.run("mira")
    run.expect(red={f"BACKUP-7 {WEEKLY}", f"BACKUP-7 {COLLECTIONS}"})
    assert "has mode 0644" in run.said(f"BACKUP-7 {WEEKLY}")


@pytest.mark.proves("BACKUP-7")
def test_the_copy_is_the_folder_itself_or_half_of_it(suite: Suite, lab: Lab) -> None:
    itself = {"COMERCIAL_BACKUPS_COPY": lab.environment["COMERCIAL_BACKUPS"] + "/"}
    run = suite.run("comercial-electrica", variables=itself)
    run.expect(red={"BACKUP-7 daily-database"})
    with lab.backups.daily_database.copied_in_part():
        run = suite.run("comercial-electrica")
    run.expect(red={"BACKUP-7 daily-database"})


@pytest.mark.proves("BACKUP-7")
def test_nobody_says_how_it_is_encrypted_and_a_copy_cannot_be_looked_into(suite: Suite, lab: Lab) -> None:
    unsaid = {'encryption = "${COMERCIAL_BACKUPS_ENCRYPTION}"\n': ""}
    suite.run("comercial-electrica", limits=unsaid).expect(red={"BACKUP-7 daily-database"})
    nowhere = {"COMERCIAL_BACKUPS_COPY": str(lab.folder / "nowhere")}
    suite.run("comercial-electrica", variables=nowhere).expect(grey={"BACKUP-7 daily-database"})


@pytest.mark.proves("BACKUP-8")
def test_what_a_recovery_needs_is_not_packed_or_empty_or_old(suite: Suite, lab: Lab) -> None:
    without = {"ui-schemas.json": None, "configuration/nocobase.conf": b""}
    with lab.backups.daily_collections.exported_with({**without}), lab.backups.weekly_database.too_old():
        run = suite.run("mira")
    old = {f"BACKUP-1 {WEEKLY}", "BACKUP-8 database", *JOB_OF[WEEKLY]}
    run.expect(red={"BACKUP-8 ui-schemas", "BACKUP-8 configuration", *old})


@pytest.mark.proves("BACKUP-7")
def test_there_is_no_copy(suite: Suite) -> None:
    run = suite.run("comercial-electrica", variables={"COMERCIAL_BACKUPS_COPY": str(suite.temporary)})
    run.expect(red={"BACKUP-7 daily-database"})


@pytest.mark.proves("BACKUP-3")
def test_one_is_half_the_size_of_those_before(suite: Suite, lab: Lab) -> None:
    newest = lab.backups.daily_collections.newest
    smaller = {"uploads/2026/consentimiento.pdf": b"%PDF-1.7\n"}
    with lab.backups.daily_collections.exported_with({**smaller}):
        assert newest.stat().st_size < 0.5 * lab.backups.daily_collections.files[-2].stat().st_size
        run = suite.run("mira")
    run.expect(red={f"BACKUP-3 {COLLECTIONS}"})
    assert "at least" in run.said(f"BACKUP-3 {COLLECTIONS}")
