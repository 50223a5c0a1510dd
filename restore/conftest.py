"""The drills that the checks of this folder judge: each held once, whatever number of them asks."""

import pytest

from restore.holding import Asked, Hold, Holder
from restore.progress import Progress
from restore.sweeper import SWEPT


@pytest.fixture(scope="session")
def hold(pytestconfig: pytest.Config) -> Hold:
    """Holds a drill and gives its report; the second time it is only given."""
    options = pytestconfig.option
    asked = Asked(backup=options.backup, judge=options.self_check, watch=Progress(pytestconfig))
    return Holder(pytestconfig.stash.get(SWEPT, ()), asked)
