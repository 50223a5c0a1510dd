"""DEPS-1 can fail."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from fixtures.lab.lab import Lab
from tests.proofs.conftest import Suite

Fault = Callable[[Lab], AbstractContextManager[None]]


@pytest.mark.proves("DEPS-1")
def test_packages_have_known_vulnerabilities(suite: Suite, lab: Lab) -> None:
    with lab.npm.vulnerable():
        run = suite.run("mira")
        run.expect(red={"DEPS-1 ugco"})
        reason = '"GHSA-35jh-r3h4-6jhg" = "only fixed templates", "GHSA-xvch-5gv4-984h" = "no arguments of others"'
        allowed = {'level = "high"': f"allowed = {{ {reason} }}"}
        suite.run("mira", limits=allowed).expect()
    assert "2: GHSA-35jh-r3h4-6jhg lodash (high), GHSA-xvch-5gv4-984h minimist (critical)" in run.said("DEPS-1 ugco")
    assert run.observed("DEPS-1 ugco")["advisories of any severity"] == "3"


def refusing(lab: Lab) -> AbstractContextManager[None]:
    return lab.npm.refusing()


def method_not_allowed(lab: Lab) -> AbstractContextManager[None]:
    return lab.npm.answering(405)


def html(lab: Lab) -> AbstractContextManager[None]:
    return lab.npm.answering_html()


def no_packages(lab: Lab) -> AbstractContextManager[None]:
    return lab.npm.without_packages()


@pytest.mark.proves("DEPS-1")
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (refusing, "ECONNREFUSED"),
        (method_not_allowed, "status 405"),
        (html, "no JSON"),
        (no_packages, "names no packages"),
    ],
)
def test_nothing_can_be_known(suite: Suite, lab: Lab, fault: Fault, said: str) -> None:
    with fault(lab):
        run = suite.run("mira")
    run.expect(grey={"DEPS-1 ugco"})
    assert said in run.said("DEPS-1 ugco")
