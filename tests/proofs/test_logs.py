"""LOGS-1 to LOGS-3 can fail."""

import pytest

from fixtures.lab.lab import Lab
from tests.proofs.affected import BACKUPS, RECOVERED_FROM
from tests.proofs.conftest import Suite

# A job whose log says what code each run ended with, as a wrapper around it would.
CODED = """
[[job]]
name = "{name}"
every = "1h"
grace = "1h"
log = {{ store = "${{MIRA_LOGS}}", pattern = "{name}.log" }}
code = 'exit code (?P<code>\\d+)'
"""
LOGS = {"LOGS-1 mira", "LOGS-2 mira"}


@pytest.mark.proves("LOGS-1")
@pytest.mark.proves("LOGS-2")
def test_clean_up_did_not_run(suite: Suite, lab: Lab) -> None:
    with lab.logs.with_one("viejo/ugco-0.log", age="123 days"):
        run = suite.run("mira")
    run.expect(red={"LOGS-1 mira", "LOGS-2 mira"})
    assert "viejo/ugco-0.log (123 days)" in run.said("LOGS-1 mira")


@pytest.mark.proves("LOGS-1")
def test_compressed_logs_are_never_removed(suite: Suite, lab: Lab) -> None:
    with lab.logs.with_one("ugco-0.log.gz", age="123 days"):
        run = suite.run("mira")
    run.expect(red={"LOGS-1 mira"})


@pytest.mark.proves("LOGS-2")
def test_older_log_is_not_compressed(suite: Suite, lab: Lab) -> None:
    with lab.logs.with_one("ugco-0.log", age="63 days"):
        run = suite.run("mira")
    run.expect(red={"LOGS-2 mira"})


@pytest.mark.proves("LOGS-1")
@pytest.mark.proves("LOGS-2")
@pytest.mark.proves("LOGS-3")
def test_there_is_no_log(suite: Suite, lab: Lab) -> None:
    with lab.logs.emptied():
        run = suite.run("mira")
    run.expect(red={f"LOGS-3 {job}" for job in ("connection-test", "check-sql-sync", "cleanup-old-logs")}, grey=LOGS)


@pytest.mark.proves("LOGS-1")
@pytest.mark.proves("LOGS-2")
@pytest.mark.proves("LOGS-3")
def test_folder_of_logs_is_not_mounted(suite: Suite, lab: Lab) -> None:
    run = suite.run("mira", variables={"MIRA_LOGS": f"{lab.folder}/none"})
    jobs = {f"LOGS-3 {job}" for job in ("connection-test", "check-sql-sync", "cleanup-old-logs")}
    run.expect(grey=LOGS | jobs)


@pytest.mark.proves("LOGS-3")
def test_jobs_did_not_run(suite: Suite, lab: Lab) -> None:
    with (
        lab.logs.stale("health.log", age="2h"),
        lab.logs.gone("sync.log"),
        lab.logs.ahead("maintenance.log"),
        # It says "completado" every night all the same.
        lab.backups.daily_collections.folder_empty(),
    ):
        run = suite.run("mira")
    jobs = {f"LOGS-3 {job}" for job in ("connection-test", "check-sql-sync", "cleanup-old-logs", "backup-collections")}
    run.expect(red=jobs | BACKUPS["daily-collections"] | RECOVERED_FROM["daily-collections"])


@pytest.mark.proves("LOGS-3")
def test_last_run_of_a_job_failed(suite: Suite, lab: Lab) -> None:
    with (
        lab.logs.with_one("mended.log", age="1 min", says="exit code 1\nexit code 0\n"),
        lab.logs.with_one("failed.log", age="1 min", says="exit code 0\nexit code 2\ncompletado\n"),
        lab.logs.with_one("silent.log", age="1 min", says="completado\n"),
    ):
        run = suite.run("mira", also="".join(CODED.format(name=name) for name in ("mended", "failed", "silent")))
    run.expect(red={"LOGS-3 failed"}, grey={"LOGS-3 silent"})


@pytest.mark.proves("LOGS-1")
@pytest.mark.proves("LOGS-2")
@pytest.mark.proves("LOGS-3")
def test_folder_of_logs_is_a_file(suite: Suite, lab: Lab) -> None:
    run = suite.run("mira", variables={"MIRA_LOGS": str(lab.nocobase_access.path)})
    jobs = {f"LOGS-3 {job}" for job in ("connection-test", "check-sql-sync", "cleanup-old-logs")}
    run.expect(grey=LOGS | jobs)
