"""What stands beside a breach: what a troubleshooter would have asked, and nothing of anybody's."""

import json
import re
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from fixtures.lab.database import MIRA, OWNERS
from fixtures.lab.host import LabHost
from fixtures.lab.lab import Lab
from tests.proofs.conftest import Suite

# A patient's, a colleague's, and ours: of none of it there may be a trace.
RUT, NAME, PASSWORD, LITERAL, TOKEN = (
    "12.345.678-5",
    "juana quilpuense",
    "clavesecretisima",
    "melanoma-iv",
    "sntrysabcdefgh",
)
NOBODYS = (RUT, "12345678-5", "345.678", "quilpuense", "juana", PASSWORD, LITERAL, TOKEN)
SAID = f"FATAL: paciente {NAME} RUT {RUT} diagnóstico {LITERAL} password={PASSWORD} Authorization: Bearer {TOKEN}"

UPDATE = f"UPDATE onco_casos SET diagnostico = '{SAID}' WHERE paciente_rut = '{RUT}' -- {NAME}"  # noqa: S608 -- literals are what it is about


def recorded(suite: Suite, options: str = "") -> Mapping[str, str]:
    """Variables that have a run write Allure's results; as options they would keep it from being forked."""
    return {"PYTEST_ADDOPTS": f"--alluredir={suite.folder}/allure {options}"}


def told(folder: Path) -> Mapping[str, str]:
    """The diagnostics in a folder of Allure results, by requirement and target."""
    found = {}
    for path in folder.glob("*-result.json"):
        result = json.loads(path.read_text(encoding="utf-8"))
        target = result["parameters"][0]["value"].strip("'").partition("/")[2]
        requirement = next(each["value"] for each in result["labels"] if each["name"] == "story")
        for attachment in result.get("attachments", []):
            if attachment["name"] == "diagnostics":
                found[f"{requirement} {target}"] = (folder / attachment["source"]).read_text(encoding="utf-8")
    return found


def test_nothing_is_attached_where_nothing_is_breached(suite: Suite) -> None:
    suite.run("mira", variables=recorded(suite)).expect()
    assert told(suite.folder / "allure") == {}


def test_database_is_stopped(suite: Suite, lab: Lab) -> None:
    with lab.database.stopped():
        suite.run("mira", variables=recorded(suite))
    found = told(suite.folder / "allure")
    database = found["DATABASE-1 main"]
    assert database.startswith("database main\n  not known: connection: ")
    assert f"  TCP   127.0.0.1 port {lab.database.server.port}: Connection refused (" in database
    assert "service postgresql: DOES NOT RUN, the declared command ended with exit code 3" in database
    assert "service nocobase: runs, " in database
    transaction = found["HEALTH-4 nocobase"]
    assert transaction.startswith("transaction nocobase\n  DNS   127.0.0.1: 127.0.0.1 (")
    assert f"  TCP   127.0.0.1 port {lab.nocobase.port}: connected (" in transaction
    for part in ("\n\nhost server\n  load: ", "memory: ", "% used", "\n\nerror log nocobase\n", "\n\ndatabase main\n"):
        assert part in transaction
    assert "\n\ntraffic nocobase\n" in transaction
    assert found["UPSTREAM-1 alma"].startswith("upstream alma\n  ")
    assert "Connection refused (" in found["SYNC-1 alma"].partition("upstream alma\n")[2]


def test_api_hangs_and_so_do_redis_and_the_database(suite: Suite, lab: Lab) -> None:
    waits = {'timeout = "10s"': 'timeout = "1s"', 'slow = "5s"': 'slow = "500ms"'}
    with lab.comercial.hanging(), lab.cache.hanging(), lab.database.hanging():
        # What nobody has asked yet is asked when the first breach wants it: the database, and Redis.
        suite.run("comercial-electrica", variables=recorded(suite, "-k 'HEALTH-1 or HEALTH-2'"), limits=waits)
    found = told(suite.folder / "allure")
    assert set(found) == {"HEALTH-1 api", "HEALTH-2 api"}
    assert found["HEALTH-1 api"].startswith("health api\n  DNS   ")
    assert f"TCP   127.0.0.1 port {lab.comercial.port}: connected (" in found["HEALTH-1 api"]
    for part in ("redis cache redis", "queue jobs", "database main"):
        assert f"\n\n{part}\n  not known: " in found["HEALTH-1 api"]
    assert f"TCP   127.0.0.1 port {lab.database.server.port}: connected (" in found["HEALTH-1 api"]
    assert "\n\nhost server\n  load: " in found["HEALTH-1 api"]
    assert all(float(each) < 6 for each in re.findall(r"nothing came back within (\S+) s", found["HEALTH-1 api"]))


def test_an_update_is_blocked_a_statement_slow_and_severe_lines_were_logged(suite: Suite, lab: Lab) -> None:
    limits = {
        'transaction = "15 min", lock_wait = "1 min"': 'transaction = "300ms", lock_wait = "200ms"',
        'mean = "1s"': 'mean = "200ms"',
    }
    refused = ("FATAL: connect ECONNREFUSED 10.0.0.7:5432", "FATAL: connect ECONNREFUSED 10.0.0.8:5432")
    with (
        lab.sessions.blocked_update() as waiting,
        lab.sessions.slow_statements(),
        lab.nocobase_errors.written(refused[0]),
        lab.nocobase_errors.written(refused[1]),
    ):
        run = suite.run("mira", variables=recorded(suite), limits=limits)
    run.expect(red={"DATABASE-3 main", "DATABASE-4 main", "ERRORS-2 nocobase"})
    found = told(suite.folder / "allure")
    kinds = "error log nocobase\n  errors logged within an hour, by kind:\n    2 … FATAL connect ECONNREFUSED …"
    assert found["ERRORS-2 nocobase"].startswith(kinds)
    assert "\n\nhealth nocobase\n  DNS " in found["ERRORS-2 nocobase"]
    assert found["DATABASE-3 main"].startswith("statements main\n  the slowest statements by ")
    assert found["DATABASE-4 main"].startswith("database main\n  PostgreSQL 16")
    for requirement in ("DATABASE-3 main", "DATABASE-4 main"):
        text = found[requirement]
        assert kinds in text
        assert f"pid {waiting}, active for " in text
        assert "waits for Lock transactionid behind pid " in text
        assert "UPDATE onco_casos SET diagnostico = ? WHERE id = ?" in text
        assert "on average, 20 calls: SELECT count(*), pg_sleep(?) FROM onco_casos WHERE paciente_rut = ?" in text


def test_jobs_failed(suite: Suite, lab: Lab) -> None:
    with lab.queues.failed(11):
        suite.run("comercial-electrica", variables=recorded(suite)).expect(red={"QUEUE-1 jobs"})
    (text,) = told(suite.folder / "allure").values()
    assert text.startswith("queue jobs\n  ")
    assert "11 failed" in text
    assert "  failed: 11 x … respondió 503 al folio …" in text
    assert "\n\nredis cache redis\n  Redis " in text
    assert "memory: " in text.partition("redis cache redis")[2]


@pytest.mark.skipif(not LabHost.may_mount(), reason="a small file system to fill takes CAP_SYS_ADMIN")
def test_disk_is_full(suite: Suite, lab: Lab) -> None:
    with lab.host.full_disk(lab.folder / "disco", used_percent=90) as folder:
        run = suite.run("mira", variables={**recorded(suite), "MIRA_DISK": str(folder)})
    run.expect(red={"HOST-1 server"})
    (text,) = told(suite.folder / "allure").values()
    assert text.startswith("room server\n  load: ")
    assert f"{folder}: 90" in text
    assert "most by memory: " in text
    assert "\n\nlog folder mira\n" in text
    assert "\n\nbackups weekly-database\n" in text


def test_nothing_of_anybodys_leaves(suite: Suite, lab: Lab, tmp_path: Path) -> None:
    command = tmp_path / "service-runs"
    command.write_text(f"#!/bin/sh\necho '{SAID}'; echo '{SAID}' >&2; exit 3\n", encoding="utf-8")
    command.chmod(0o755)
    limits = {'transaction = "15 min", lock_wait = "1 min"': 'transaction = "300ms", lock_wait = "200ms"'}
    written = recorded(suite, f"--junitxml={suite.folder}/junit.xml --tb=long -rA")
    with ExitStack() as faults:
        faults.enter_context(lab.nocobase_errors.written(SAID, f"    at {SAID}"))
        opened = faults.enter_context(lab.database.connect(MIRA, OWNERS[MIRA]))
        faults.enter_context(opened.transaction())
        opened.execute(UPDATE.encode())
        faults.enter_context(lab.queues.failed(11, reason=f"Error: {SAID}"))
        time.sleep(0.3)
        variables = {**written, "MIRA_SERVICE_MANAGER": f"{command} {{service}}"}
        mira = suite.run("mira", limits=limits, variables=variables)
        texts = [mira.output]
        comercial = suite.run("comercial-electrica", variables=written)
        texts.append(comercial.output)
    mira.expect(red={"ERRORS-2 nocobase", "DATABASE-4 main", "HOST-3 server"})
    comercial.expect(red={"QUEUE-1 jobs"})
    found = told(suite.folder / "allure")
    assert len(found) == 4
    assert "UPDATE onco_casos SET diagnostico = ? WHERE paciente_rut = ?" in found["DATABASE-4 main"]
    assert "FATAL …" in found["ERRORS-2 nocobase"]
    assert "failed: 9 x " in found["QUEUE-1 jobs"]
    assert "DOES NOT RUN" in found["HOST-3 server"]
    folders = [suite.folder / name for name in ("allure", "junit.xml", "results.json")] + [suite.temporary]
    files = [path for each in folders for path in ([each] if each.is_file() else each.rglob("*")) if path.is_file()]
    assert len(files) > len(mira.results)
    texts += [path.read_text(errors="replace") for path in files]
    for text in texts:
        assert not [each for each in NOBODYS if each in text.lower()]
