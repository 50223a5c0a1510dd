"""With nothing wrong everything passes, and what is not applicable is said to be."""

import pytest

from reports.requirement import Outcome
from tests.proofs.affected import CHECKED, NOT_APPLICABLE
from tests.proofs.conftest import Suite


@pytest.mark.parametrize("system", ["mira", "comercial-electrica"])
def test_nothing_is_wrong(suite: Suite, system: str) -> None:
    run = suite.run(system)
    run.expect()
    assert run.of(Outcome.PASSED) == CHECKED[system], run.output
    assert run.of(Outcome.NOT_APPLICABLE) == NOT_APPLICABLE[system], run.output
