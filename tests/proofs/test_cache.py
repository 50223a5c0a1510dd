"""CACHE-1 can fail."""

import pytest

from fixtures.lab.lab import Lab
from tests.proofs.affected import COMERCIAL_API, COMERCIAL_REDIS
from tests.proofs.conftest import Suite


@pytest.mark.proves("CACHE-1")
def test_redis_is_stopped(suite: Suite, lab: Lab) -> None:
    with lab.cache.stopped():
        run = suite.run("comercial-electrica")
    run.expect(red=COMERCIAL_REDIS | COMERCIAL_API)


@pytest.mark.proves("CACHE-1")
def test_redis_is_stopped_and_the_canary_is_silent_too(suite: Suite, lab: Lab) -> None:
    with lab.cache.stopped(), lab.canary.stopped():
        run = suite.run("comercial-electrica")
    run.expect(red=COMERCIAL_API, grey=COMERCIAL_REDIS)


@pytest.mark.proves("CACHE-1")
def test_redis_is_still_loading(suite: Suite, lab: Lab) -> None:
    with lab.cache.loading():
        run = suite.run("comercial-electrica")
    run.expect(red=COMERCIAL_REDIS | COMERCIAL_API)
    assert "loading" in run.said("CACHE-1 redis")


@pytest.mark.proves("CACHE-1")
def test_redis_answers_nothing(suite: Suite, lab: Lab) -> None:
    limits = {'url = "${COMERCIAL_REDIS_URL}"': 'url = "${COMERCIAL_REDIS_URL}"\ntimeout = "1s"'}
    with lab.cache.hanging():
        run = suite.run("comercial-electrica", limits=limits)
    run.expect(red=COMERCIAL_REDIS | COMERCIAL_API)


@pytest.mark.proves("CACHE-1")
def test_our_password_was_rotated(suite: Suite, lab: Lab) -> None:
    with lab.cache.password_rotated():
        run = suite.run("comercial-electrica")
    run.expect(grey=COMERCIAL_REDIS)
