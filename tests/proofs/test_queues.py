"""QUEUE-1 and QUEUE-2 can fail."""

import pytest

from fixtures.lab.lab import Lab
from fixtures.lab.queues import INVOICES, MAILS
from tests.proofs.affected import COMERCIAL_QUEUES
from tests.proofs.conftest import Suite

NAMED = {'cache = "redis"\n': f'cache = "redis"\nqueues = ["{INVOICES}", "{MAILS}"]\n'}


@pytest.mark.proves("QUEUE-1")
def test_eleventh_job_failed_for_good(suite: Suite, lab: Lab) -> None:
    with lab.queues.failed(11):
        run = suite.run("comercial-electrica")
    run.expect(red={"QUEUE-1 jobs"})
    assert INVOICES in run.said("QUEUE-1 jobs")
    assert MAILS not in run.said("QUEUE-1 jobs")


@pytest.mark.proves("QUEUE-1")
def test_ten_failed_and_any_number_is_tried_again(suite: Suite, lab: Lab) -> None:
    with lab.queues.failed(10), lab.queues.retrying(20):
        run = suite.run("comercial-electrica", limits=NAMED)
    run.expect()


@pytest.mark.proves("QUEUE-1")
def test_failed_jobs_are_removed_at_once(suite: Suite, lab: Lab) -> None:
    with lab.queues.failed_and_removed(3):
        run = suite.run("comercial-electrica")
    run.expect(grey={"QUEUE-1 jobs"})
    assert "removeOnFail" in run.said("QUEUE-1 jobs")


@pytest.mark.proves("QUEUE-1")
def test_eleven_jobs_failed_and_were_removed_at_once(suite: Suite, lab: Lab) -> None:
    with lab.queues.failed_and_removed(11):
        run = suite.run("comercial-electrica")
    run.expect(red={"QUEUE-1 jobs"})


@pytest.mark.proves("QUEUE-1")
@pytest.mark.proves("QUEUE-2")
def test_redis_lost_its_queues(suite: Suite, lab: Lab) -> None:
    with lab.queues.gone():
        found = suite.run("comercial-electrica")
        named = suite.run("comercial-electrica", limits=NAMED)
    found.expect(grey=COMERCIAL_QUEUES)
    named.expect(red=COMERCIAL_QUEUES)


@pytest.mark.proves("QUEUE-2")
def test_worker_stopped(suite: Suite, lab: Lab) -> None:
    with lab.queues.worker_stopped():
        run = suite.run("comercial-electrica")
    run.expect(red={"QUEUE-2 jobs"})
    assert MAILS in run.said("QUEUE-2 jobs")


@pytest.mark.proves("QUEUE-2")
def test_queue_is_paused(suite: Suite, lab: Lab) -> None:
    with lab.queues.paused():
        run = suite.run("comercial-electrica")
    run.expect(red={"QUEUE-2 jobs"})


@pytest.mark.proves("QUEUE-2")
def test_job_waits_for_an_hour(suite: Suite, lab: Lab) -> None:
    with lab.queues.waiting("1h"):
        run = suite.run("comercial-electrica")
    run.expect(red={"QUEUE-2 jobs"})


@pytest.mark.proves("QUEUE-2")
def test_we_may_not_list_who_is_connected(suite: Suite, lab: Lab) -> None:
    with lab.queues.read_by_user() as url:
        run = suite.run("comercial-electrica", variables={"COMERCIAL_REDIS_URL": url})
    run.expect(grey={"QUEUE-2 jobs"})
