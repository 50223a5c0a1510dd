"""DATABASE-1 to DATABASE-5 can fail."""

import subprocess
import time

import pytest

from fixtures.lab.database import MIRA
from fixtures.lab.lab import Lab
from tests.fixtures.debian_postgresql import running
from tests.proofs.affected import COMERCIAL_API, COMERCIAL_DATABASE, MIRA_DATABASE, MIRA_SERVER, MIRA_SIGNED_IN
from tests.proofs.conftest import Suite


@pytest.mark.proves("DATABASE-1")
def test_server_is_stopped_and_the_canary_is_silent_too(suite: Suite, lab: Lab) -> None:
    with lab.database.stopped(), lab.canary.stopped():
        run = suite.run("comercial-electrica")
    run.expect(red=COMERCIAL_API, grey=COMERCIAL_DATABASE)


@pytest.mark.proves("DATABASE-1")
def test_server_is_starting_up(suite: Suite, lab: Lab) -> None:
    with lab.database.starting_up():
        run = suite.run("mira")
    run.expect(red=MIRA_SIGNED_IN | MIRA_SERVER)
    assert "57P03" in run.said("DATABASE-1 main")


@pytest.mark.proves("DATABASE-1")
def test_there_are_too_many_connections(suite: Suite, lab: Lab) -> None:
    with lab.database.too_many_connections():
        run = suite.run("mira")
    run.expect(red=MIRA_DATABASE)
    assert "53300" in run.said("DATABASE-1 main")


@pytest.mark.proves("DATABASE-1")
def test_server_takes_no_notice(suite: Suite, lab: Lab) -> None:
    limits = {'url = "${MIRA_DATABASE_URL}"': 'url = "${MIRA_DATABASE_URL}"\ntimeout = "1s"'}
    with lab.database.hanging():
        run = suite.run("mira", "--gate=before", limits=limits)
    run.expect(red={"HEALTH-4 nocobase", "DATABASE-1 main", "MIGRATE-2 nocobase"})


@pytest.mark.proves("DATABASE-1")
def test_our_password_was_rotated(suite: Suite, lab: Lab) -> None:
    with lab.database.password_rotated():
        run = suite.run("comercial-electrica")
    run.expect(grey=COMERCIAL_DATABASE)


@pytest.mark.proves("DATABASE-2")
def test_table_of_a_query_is_locked_and_another_query_sleeps(suite: Suite, lab: Lab) -> None:
    slow = {
        '"SELECT count(*) FROM onco_casos", within = "1s"': '"SELECT pg_sleep(0.6)", within = "500ms"',
        'current_date - 30", within = "1s"': 'current_date - 30", within = "100ms"',
    }
    with lab.sessions.locked("onco_episodios"):
        run = suite.run("mira", limits=slow)
    run.expect(red={"DATABASE-2 main/case-count", "DATABASE-2 main/recent-episodes"})
    assert "ended by the server" in run.said("DATABASE-2 main/recent-episodes")
    assert run.observed("DATABASE-2 main/case-count")["rows that came"] == "1"


@pytest.mark.proves("DATABASE-3")
def test_statement_is_slow_on_average(suite: Suite, lab: Lab) -> None:
    limits = {'mean = "1s"': 'mean = "200ms"'}
    with lab.sessions.slow_statements():
        run = suite.run("mira", limits=limits)
        run.expect(red={"DATABASE-3 main"})
        assert "paciente_rut = ?" in run.said("DATABASE-3 main")
        assert "FICTICIO" not in run.output
        suite.run("mira").expect()
    with lab.sessions.slow_statements(19), lab.sessions.slow_statements(program="pg_dump"):
        suite.run("mira", limits=limits).expect()


@pytest.mark.proves("DATABASE-3")
def test_neither_source_is_there(suite: Suite) -> None:
    run = suite.run("mira", variables={"MIRA_POSTGRESQL_LOG": str(suite.folder / "postgresql.log")})
    run.expect(grey={"DATABASE-3 main"})
    assert "not there" in run.said("DATABASE-3 main")


@pytest.mark.proves("DATABASE-4")
def test_update_is_blocked_by_a_transaction_that_idles(suite: Suite, lab: Lab) -> None:
    # Limits that both are past however soon the run looks.
    limits = {'transaction = "15 min", lock_wait = "1 min"': 'transaction = "20ms", lock_wait = "10ms"'}
    with lab.sessions.blocked_update() as waiting:
        run = suite.run("mira", limits=limits)
    run.expect(red={"DATABASE-4 main"})
    said = run.said("DATABASE-4 main")
    assert "idle in transaction" in said
    assert f"pid {waiting}, active: " in said
    assert "SET diagnostico = ? WHERE id = ?" in said
    assert "Juana" not in run.output


@pytest.mark.proves("DATABASE-4")
def test_our_role_may_not_see_what_others_do(suite: Suite, lab: Lab) -> None:
    with lab.database.monitoring_revoked():
        run = suite.run("mira")
    run.expect(grey={"DATABASE-4 main"})


@pytest.mark.proves("DATABASE-5")
def test_indexes_are_dropped_invalid_and_on_another_column(suite: Suite, lab: Lab) -> None:
    with (
        lab.indexes.dropped("idx_onco_casos_estado", "onco_casos", "estado"),
        lab.indexes.on_another_column("idx_onco_casos_fecha", "onco_casos", "fecha_ingreso", "createdAt"),
        lab.indexes.invalid("idx_onco_episodios_caso"),
    ):
        run = suite.run("mira")
    run.expect(red={"DATABASE-5 main"})
    observed = run.observed("DATABASE-5 main")
    assert observed["index on onco_casos (paciente_rut)"] == "valid"
    assert observed["index on onco_episodios (fecha)"] == "valid"
    assert "missing" in observed["index on onco_casos (estado)"]
    assert "idx_onco_casos_fecha (createdAt)" in observed["index on onco_casos (fecha_ingreso)"]
    assert observed["index on onco_episodios (caso_id)"] == "idx_onco_episodios_caso is there and invalid"


@pytest.mark.proves("DATABASE-4")
def test_dump_that_takes_long_is_no_fault(suite: Suite, lab: Lab) -> None:
    limits = {'transaction = "15 min"': 'transaction = "1s"'}
    with subprocess.Popen(lab.database.dump_argv(MIRA), stdout=subprocess.PIPE, env={}) as dump:
        assert dump.stdout is not None
        dump.stdout.read(1)  # nobody reads on: it waits, in its transaction
        time.sleep(1)
        run = suite.run("mira", limits=limits)
        still_there = dump.poll() is None
        dump.kill()
    assert still_there
    run.expect()


COUNTED = """
[[database]]
name = "counted"
url = "{url}"
statements = {{ mean = "20ms", readings = "{folder}" }}
"""


@pytest.mark.needs("pg_ctlcluster")
@pytest.mark.proves("DATABASE-3")
def test_statement_is_slow_by_what_the_server_counted(suite: Suite) -> None:
    with running() as server:
        with server.connect() as opened:
            opened.execute("CREATE EXTENSION pg_stat_statements")
            for _ in range(20):
                opened.execute("SELECT pg_sleep(0.03), 'Juana'")
        run = suite.run("mira", also=COUNTED.format(url=server.url("tests"), folder=suite.folder))
    run.expect(red={"DATABASE-3 counted"})
    assert "pg_sleep(?)" in run.said("DATABASE-3 counted")
    assert "Juana" not in run.output


@pytest.mark.proves("DATABASE-1")
def test_server_of_mira_is_stopped_and_the_canary_is_silent_too(suite: Suite, lab: Lab) -> None:
    with lab.database.stopped(), lab.canary.stopped():
        run = suite.run("mira")
    # NocoBase is reached, and fails; on its host nothing listens.
    run.expect(red=MIRA_SIGNED_IN | {"HOST-3 server"}, grey=MIRA_SERVER)


@pytest.mark.proves("DATABASE-1")
def test_our_password_for_mira_was_rotated(suite: Suite, lab: Lab) -> None:
    with lab.database.password_rotated():
        run = suite.run("mira")
    run.expect(grey=MIRA_DATABASE)
