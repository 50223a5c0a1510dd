"""With nothing wrong everything passes, and what is not applicable is said to be."""

import pytest

from reports.requirement import Outcome
from tests.proofs.affected import CHECKED, DRILLED, NOT_APPLICABLE, NOT_DRILLED
from tests.proofs.conftest import Suite


@pytest.mark.parametrize("system", CHECKED)
def test_nothing_is_wrong(suite: Suite, system: str) -> None:
    run = suite.run(system)
    run.expect()
    assert run.of(Outcome.PASSED) == CHECKED[system], run.output
    assert run.of(Outcome.NOT_APPLICABLE) == NOT_APPLICABLE[system], run.output


@pytest.mark.parametrize("system", CHECKED)
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "with two workers"])
def test_nothing_is_wrong_and_the_newest_backup_restores(suite: Suite, system: str, workers: tuple[str, ...]) -> None:
    run = suite.run(system, *workers, rooms=("checks", "restore"))
    run.expect()
    assert run.of(Outcome.PASSED) == CHECKED[system] | DRILLED[system], run.output
    assert run.of(Outcome.NOT_APPLICABLE) == NOT_APPLICABLE[system] | NOT_DRILLED[system], run.output
