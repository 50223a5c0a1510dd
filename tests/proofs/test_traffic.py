"""TRAFFIC-1 can fail."""

import pytest

from fixtures.lab.lab import Lab
from tests.proofs.conftest import Suite


@pytest.mark.proves("TRAFFIC-1")
def test_a_burst_of_requests(suite: Suite, lab: Lab) -> None:
    with lab.nocobase_access.answered(200, 1000, ago="8 min"):
        run = suite.run("mira")
    run.expect(red={"TRAFFIC-1 nocobase"})
