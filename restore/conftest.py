"""The drill that the checks of this folder judge: run once, whatever number of them asks."""

import pytest

from fixtures.drills import Drill
from reports.requirement import Breach, Unverified
from restore import drill as drills
from restore.drill_report import DrillReport
from restore.sweeper import SWEPT

_done: dict[Drill, DrillReport | Unverified] = {}


@pytest.fixture
def report(drill: Drill, pytestconfig: pytest.Config) -> DrillReport:
    """What the drill of this run came to.

    Raises:
        Unverified: when no drill can be held.
    """
    if drill not in _done:
        swept = pytestconfig.stash.get(SWEPT, ())
        try:
            with drill.backups.local_copy(drill.backups.newest()) as path:
                _done[drill] = drills.run(path, drill.declared, swept=swept)
        except Breach as none:
            _done[drill] = drills.not_held(none, drill.declared, swept=swept)
        except Unverified as fault:
            _done[drill] = fault
    done = _done[drill]
    if isinstance(done, Exception):
        raise done.with_traceback(None)
    return done
