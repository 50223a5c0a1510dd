"""LATENCY-1 and LATENCY-2 can fail."""

import pytest

from fixtures.lab.lab import Lab
from tests.proofs.affected import LATENCIES, MIRA_SIGNED_IN
from tests.proofs.conftest import Suite

MEAN, P95 = {"LATENCY-1 nocobase/case-list"}, {"LATENCY-2 nocobase/case-list"}


@pytest.mark.proves("LATENCY-1")
def test_every_answer_is_late(suite: Suite, lab: Lab) -> None:
    with lab.nocobase.slow("0.1s"):
        run = suite.run("mira", limits={'mean = "500ms"': 'mean = "100ms"'})
    run.expect(red=MEAN)


@pytest.mark.proves("LATENCY-1")
def test_headers_come_at_once_and_the_body_late(suite: Suite, lab: Lab) -> None:
    with lab.nocobase.body_late("0.1s"):
        run = suite.run("mira", limits={'mean = "500ms"': 'mean = "100ms"'})
    run.expect(red=MEAN)


@pytest.mark.proves("LATENCY-1")
def test_one_fast_answer_in_thirty_is_an_error(suite: Suite, lab: Lab) -> None:
    with lab.nocobase.wrong_status(500, share=0.05):
        run = suite.run("mira")
    run.expect(red=LATENCIES)


@pytest.mark.proves("LATENCY-1")
def test_account_that_samples_is_refused(suite: Suite, lab: Lab) -> None:
    with lab.nocobase.password_rotated():
        run = suite.run("mira")
    run.expect(grey=MIRA_SIGNED_IN)


@pytest.mark.proves("LATENCY-2")
def test_one_answer_in_ten_is_late(suite: Suite, lab: Lab) -> None:
    with lab.nocobase.slow("0.6s", share=0.1):
        run = suite.run("mira", limits={'p95 = "2s"': 'p95 = "600ms"'})
    run.expect(red=P95)


@pytest.mark.proves("LATENCY-2")
def test_one_late_answer_of_30_is_no_percentile(suite: Suite, lab: Lab) -> None:
    with lab.nocobase.slow("0.6s", share=0.03):
        run = suite.run("mira", limits={'p95 = "2s"': 'p95 = "600ms"'})
    run.expect()


@pytest.mark.proves("LATENCY-2")
def test_fewer_than_20_samples(suite: Suite) -> None:
    suite.run("mira", limits={"samples = 30": "samples = 20"}).expect()
    suite.run("mira", limits={"samples = 30": "samples = 19"}).expect(grey=P95)
