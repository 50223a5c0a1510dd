"""The drills that the checks of this folder judge: each held once, whatever number of them asks.

Nothing is imported above that a run in which no drill is due could do without.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from restore.holding import Hold


@pytest.fixture(scope="session")
def hold(pytestconfig: pytest.Config) -> "Hold":
    """Holds a drill and gives its report; the second time it is only given."""
    from restore.holding import Asked, Holder
    from restore.progress import Progress
    from restore.sweeper import SWEPT

    options = pytestconfig.option
    asked = Asked(backup=options.backup, judge=options.self_check, watch=Progress(pytestconfig))
    return Holder(pytestconfig.stash.get(SWEPT, ()), asked)
