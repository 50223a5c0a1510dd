"""The drill that the checks of this folder judge: run once, whatever number of them asks."""

import pytest

from fixtures.drills import Drill
from reports.requirement import Breach, Unverified
from restore import drill as drills
from restore.drill_report import DrillReport
from restore.sweeper import SWEPT

_done: dict[Drill, DrillReport | Breach | Unverified] = {}


@pytest.fixture
def report(drill: Drill, pytestconfig: pytest.Config) -> DrillReport:
    """What the drill of this run came to.

    Raises:
        Breach: when there is no backup to restore.
        Unverified: when no drill can be held.
    """
    if drill not in _done:
        try:
            with drill.backups.local_copy(drill.backups.newest()) as path:
                _done[drill] = drills.run(path, drill.declared, swept=pytestconfig.stash.get(SWEPT, ()))
        except (Breach, Unverified) as fault:
            _done[drill] = fault
    done = _done[drill]
    if isinstance(done, Exception):
        raise done.with_traceback(None)
    return done
