"""Whether killed runs have left anything to sweep away: told by names and locks, before anything is loaded."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from fixtures.short_folder import LOCK

# The purposes (see `short_folder`) of the folders that every run sweeps; a test compares them with what it does.
PURPOSES = ("backup", "decode", "judge")


def anything_left() -> bool:
    """Whether there is something whose owner is dead: a drill's lease, or a folder of a backup's copies."""
    return any(_is_unowned(path) for path in _locks())


def _locks() -> Iterator[Path]:
    temporary = Path(tempfile.gettempdir())
    yield from temporary.glob(f"constancia-leases-{os.geteuid()}/*")
    for purpose in PURPOSES:
        for folder in temporary.glob(f"constancia-{purpose}-*"):
            with suppress(OSError):  # gone meanwhile
                if folder.stat().st_uid == os.geteuid():
                    yield folder / LOCK


def _is_unowned(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # its owner was killed while removing it
        return True
    return True
