"""ERRORS-1 and ERRORS-2 can fail."""

import pytest

from fixtures.lab.lab import Lab
from tests.proofs.conftest import Suite

RUT = "12.345.678-5"
MIRA_LOG = {"ERRORS-1 nocobase", "TRAFFIC-1 nocobase"}


@pytest.mark.proves("ERRORS-1")
def test_the_api_answers_others_with_5xx(suite: Suite, lab: Lab) -> None:
    with lab.comercial_access.answered(503, 12):
        run = suite.run("comercial-electrica")
    run.expect(red={"ERRORS-1 api"})


@pytest.mark.proves("ERRORS-1")
def test_five_of_few_requests_failed(suite: Suite, lab: Lab) -> None:
    with lab.nocobase_access.quiet(), lab.nocobase_access.answered(500, 5, ago="50 min"):
        run = suite.run("mira")
    run.expect(red={"ERRORS-1 nocobase"})
    assert run.observed("ERRORS-1 nocobase")["time looked at"] == "1 h"


@pytest.mark.proves("ERRORS-1")
def test_only_the_suites_own_requests_failed(suite: Suite, lab: Lab) -> None:
    with lab.nocobase_access.quiet(), lab.nocobase_access.answered(500, 50, agent="constancia"):
        run = suite.run("mira")
    run.expect()
    assert run.observed("ERRORS-1 nocobase")["share of 5xx answers"] == "nothing"


@pytest.mark.proves("ERRORS-1")
@pytest.mark.proves("ERRORS-2")
def test_logs_are_missing(suite: Suite, lab: Lab) -> None:
    with lab.nocobase_access.missing(), lab.nocobase_errors.missing():
        run = suite.run("mira")
    run.expect(grey={*MIRA_LOG, "ERRORS-2 nocobase"})


@pytest.mark.proves("ERRORS-1")
def test_access_log_does_not_grow_although_the_api_answers(suite: Suite, lab: Lab) -> None:
    with lab.nocobase_access.stopped():
        run = suite.run("mira")
    run.expect(grey=MIRA_LOG)
    assert "has not grown although the service answered" in run.said("ERRORS-1 nocobase")


@pytest.mark.proves("ERRORS-1")
def test_access_log_has_another_format(suite: Suite, lab: Lab) -> None:
    with lab.comercial_access.in_another_format():
        run = suite.run("comercial-electrica")
    run.expect(grey={"ERRORS-1 api"})


@pytest.mark.proves("ERRORS-2")
def test_a_fatal_line_was_logged(suite: Suite, lab: Lab) -> None:
    line = f"[error] FATAL: connection refused for María Pérez, RUT {RUT}"
    with lab.nocobase_errors.written(line, "    at connect (/srv/x.js)"):
        run = suite.run("mira")
        known = suite.run("mira", limits={'files = ["${MIRA_ERROR_LOG}"]': KNOWN})
    run.expect(red={"ERRORS-2 nocobase"})
    assert "FATAL connection refused for" in run.said("ERRORS-2 nocobase")
    for secret in (RUT, "María", "Pérez"):
        assert secret not in run.output + str(run.results["ERRORS-2 nocobase"])
    known.expect()
    assert known.observed("ERRORS-2 nocobase")["known severe lines"] == "1"


KNOWN = """
files = ["${MIRA_ERROR_LOG}"]
allowed = [{ pattern = "FATAL: connection refused for .*", reason = "the VPN is renewed at night" }]
"""
