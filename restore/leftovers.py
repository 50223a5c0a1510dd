"""Leases: what a drill holds while it runs, so that whatever it leaves when it is killed can be found and removed.

Each drill locks a file that names its folder and its container's label. The lock ends with its process, SIGKILL
included; a lease that can be locked by somebody else is a dead drill's. `sweep` removes what those left. It is called at
the start of every run, so it costs next to nothing when there is nothing, and imports Docker only for dead containers.
"""

import fcntl
import json
import os
import re
import secrets
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

LABEL = "constancia.drill"  # of containers; its value is the drill's id
PATIENCE = 15.0  # seconds until what was killed must be gone
_LEASE = re.compile(r"[0-9a-f]{16}")


class LeaseRefusedError(Exception):
    """The folder of leases cannot be trusted or used; the message says why."""


@dataclass(frozen=True)
class Lease:
    """One drill's claim.

    Attributes:
        id: unique; the value of its container's label.
        folder: its own folder, mode 0755, with a short path; gone when the lease ends.
    """

    id: str
    folder: Path


@contextmanager
def lease(*, container: bool) -> Iterator[Lease]:
    """Hold a lease, with a new folder; both are gone on leaving.

    Where the folder or the container cannot be removed the file of the lease stays, for `sweep` to try again.

    Args:
        container: whether the drill will start a container; its label must be LABEL = the lease's id.

    Raises:
        LeaseRefusedError: when the folder of leases belongs to another user.
    """
    drill = secrets.token_hex(8)
    claim = Lease(drill, Path(tempfile.gettempdir()) / f"constancia-drill-{drill}")
    with _leases(create=True) as leases:
        assert_locked = os.open(drill, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=leases)
        fcntl.flock(assert_locked, fcntl.LOCK_EX)
        os.write(assert_locked, json.dumps(_described(claim, container=container)).encode())
    try:
        claim.folder.mkdir(mode=0o755)
        claim.folder.chmod(0o755)  # whatever the umask
        yield claim
    finally:
        left = _remove_folder(claim.folder)
        if not left and not (container and os.path.lexists(claim.folder)):
            pass
