"""Where a drill restores to: its lease, and under that a throwaway server of the declared kind."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from fixtures.drills import RestoreDeclared
from reports.requirement import Unverified
from restore.container import ContainerThrowaway
from restore.leftovers import Lease, LeaseRefusedError
from restore.server import DISK, EmbeddedThrowaway, ThrowawayServer


@contextmanager
def leased(declared: RestoreDeclared) -> Iterator[Lease]:
    """A lease for what a drill makes.

    Raises:
        Unverified: when none is to be had.
    """
    try:
        with Lease(container=declared.server == "container") as lease:
            yield lease
    except LeaseRefusedError as refused:
        raise Unverified(
            "taking a lease for the drill", came_back=str(refused), remedy="Set TMPDIR to a folder that is safe to use"
        ) from None


@contextmanager
def throwaway(declared: RestoreDeclared, major: int, lease: Lease) -> Iterator[ThrowawayServer]:
    """A server that is not launched yet, and is gone afterwards; the lease is told whether it is.

    Raises:
        Unverified: when there is none for a dump of that major version.
    """
    server: ThrowawayServer = (
        ContainerThrowaway(major, declared.images, lease.id, tuned=declared.tuned)
        if declared.server == "container"
        else EmbeddedThrowaway(major, lease.folder, tuned=declared.tuned)
    )
    lease.disposed = False
    try:
        yield server
    finally:
        server.__exit__(None, None, None)
        lease.disposed = not server.left


def room_for(declared: RestoreDeclared) -> int:
    """Bytes that a backup may unpack to: no more than its server may write, or is free where an embedded one writes."""
    free = shutil.disk_usage(tempfile.gettempdir()).free
    return min(DISK, free) if declared.server == "embedded" else DISK
