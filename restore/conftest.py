"""The drill that the checks of this folder judge: run once, whatever number of them asks."""

import pytest

from fixtures.drills import Drill
from reports.requirement import Breach
from restore import drill as drills
from restore.drill_report import DrillReport
from restore.sweeper import SWEPT

_done: dict[Drill, DrillReport | Exception] = {}


@pytest.fixture
def report(drill: Drill, pytestconfig: pytest.Config) -> DrillReport:
    """What the drill of this run came to.

    Raises:
        Unverified: when no drill can be held.
    """
    if drill not in _done:
        swept = pytestconfig.stash.get(SWEPT, ())
        try:
            _done[drill] = held(drill, swept)
        except Exception as fault:  # noqa: BLE001 -- raised below: a drill that fails unforeseen is held once, too
            _done[drill] = fault
    done = _done[drill]
    if isinstance(done, Exception):
        raise done.with_traceback(None)
    return done


def held(drill: Drill, swept: tuple[str, ...]) -> DrillReport:
    """Hold a drill; without a backup, say that there is none.

    Raises:
        Unverified: when it cannot be held.
    """
    try:
        newest = drill.backups.newest()
    except Breach as none:
        return drills.not_held(none, drill.declared, swept=swept)
    with drill.backups.local_copy(newest) as path:
        return drills.run(path, drill.declared, swept=swept)
