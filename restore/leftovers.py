"""Leases: what a drill holds while it runs, so that whatever it leaves when it is killed can be found and removed.

Each drill locks a file named by its id, and its folder or its container carry that id too. The lock ends with the
process, SIGKILL included: a lease that another process can lock is a dead drill's. `sweep` removes what those left. It
runs at the start of every run, costs next to nothing when there is nothing, and imports Docker only for containers.
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
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PATIENCE = 15.0  # seconds until what was killed must be gone
RECENT = 30.0  # seconds since a lease was taken, in which its container may still be being made
ARRIVAL = 3.0  # seconds that it may take to be there
_ID = re.compile(r"[0-9a-f]{16}")


class LeaseRefusedError(Exception):
    """The folder of the leases cannot be used or trusted; the message says why."""


class Lease:
    """One drill's claim on what it makes, from before it makes it until it is known to be gone; a context manager.

    On leaving, its folder is removed. With `disposed` unset by then, because something was made and is not known to be
    gone, its file stays behind unlocked, and the next `sweep` looks again.

    Args:
        container: whether the drill makes a container (labelled with the id); otherwise it gets a folder.

    Raises:
        LeaseRefusedError: on entering, when the folder of leases belongs to another user, or there is no room for one.
        Unverified: on entering, when it cannot be told which engine would make the container.
    """

    def __init__(self, *, container: bool) -> None:
        self.id = secrets.token_hex(8)
        self.folder = _folder_of(self.id)
        self.disposed = True
        self._container = container

    def __enter__(self) -> Self:
        described: dict[str, Any] = {"container": self._container}
        if self._container:
            from restore import engine

            described["engine"] = engine.address()
        try:
            with _leases() as leases, ExitStack() as failed:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                self._descriptor = os.open(self.id, flags, 0o600, dir_fd=leases)
                failed.callback(self._give_up, leases)
                fcntl.flock(self._descriptor, fcntl.LOCK_EX)
                with open(self._descriptor, "w", closefd=False) as file:
                    json.dump(described, file)
                if not self._container:
                    self.folder.mkdir()
                    self.folder.chmod(0o755)  # an unprivileged server must be able to enter it, whatever the umask
                failed.pop_all()
        except OSError as error:
            raise LeaseRefusedError(f"no lease could be taken in {_leases_folder()}: {error.strerror}") from None
        return self

    def _give_up(self, leases: int) -> None:
        """Take back what there is of a lease that could not be taken whole."""
        with suppress(OSError):
            self.folder.rmdir()
        with suppress(OSError):
            os.unlink(self.id, dir_fd=leases)
        os.close(self._descriptor)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            _remove_folder(self.folder)
            if self.disposed and not self.folder.exists():
                with _leases() as leases:
                    os.unlink(self.id, dir_fd=leases)
        finally:
            os.close(self._descriptor)


def sweep() -> tuple[str, ...]:
    """Remove whatever drills that were killed have left: processes, folders, containers and their volumes.

    Returns:
        What was found, a phrase each, and whether it is gone; empty when there was nothing.
    """
    if not _leases_folder().is_dir():
        return ()
    found: list[str] = []
    with suppress(LeaseRefusedError):  # another user's: nothing of ours can be in it
        for lease, descriptor in _dead():
            try:
                remains = [*_clear_folder(lease), *_clear_container(lease, descriptor)]
                found += remains
                if not any(each.endswith(_STILL) for each in remains):
                    with _leases() as leases:
                        os.unlink(lease, dir_fd=leases)
            finally:
                os.close(descriptor)
    return tuple(found)


_GONE, _STILL = "removed", "still there"
UNSURE = f"perhaps {_STILL}"  # ends what could not be looked at


def _leases_folder() -> Path:
    return Path(tempfile.gettempdir()) / f"constancia-leases-{os.geteuid()}"


def _folder_of(lease: str) -> Path:
    return Path(tempfile.gettempdir()) / f"constancia-drill-{lease}"


@contextmanager
def _leases() -> Iterator[int]:
    """The folder of leases, locked: a descriptor. Nobody else makes or claims a lease meanwhile."""
    path = _leases_folder()
    try:
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
    except OSError as error:
        raise LeaseRefusedError(f"{path} cannot be made: {error.strerror}") from None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise LeaseRefusedError(f"{path} is no folder of ours: {error.strerror}") from None
    try:
        about = os.fstat(descriptor)
        if about.st_uid != os.geteuid() or stat.S_IMODE(about.st_mode) & 0o022:
            raise LeaseRefusedError(f"{path} belongs to another user, or others may write into it")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _dead() -> list[tuple[str, int]]:
    """The leases whose drill is dead: their ids, and descriptors that hold their locks."""
    dead = []
    with _leases() as leases:
        names = os.listdir(leases)  # noqa: PTH208 -- of a descriptor, which no path can be swapped under
        for name in sorted(filter(_ID.fullmatch, names)):
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=leases)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
            else:
                dead.append((name, descriptor))
    return dead


def _clear_folder(lease: str) -> list[str]:
    folder = _folder_of(lease)
    remains = []
    if processes := processes_in(folder):
        gone = _kill(folder)
        remains.append(f"{len(processes)} processes of drill {lease}: {_GONE if gone else _STILL}")
    try:
        about = folder.lstat()
    except FileNotFoundError:
        return remains
    if stat.S_ISDIR(about.st_mode) and about.st_uid == os.geteuid():
        _remove_folder(folder)
        remains.append(f"folder {folder}: {_STILL if folder.exists() else _GONE}")
    return remains


def _clear_container(lease: str, descriptor: int) -> list[str]:
    try:
        described = json.loads(os.read(descriptor, 1 << 16))
    except ValueError:  # killed before it was written, and so before anything was made
        return []
    if not described["container"]:
        return []
    from reports.requirement import Unverified
    from restore import engine

    at = described["engine"]
    try:
        with engine.connected(at) as client:
            # The engine may still be making the container that a drill asked for just before it was killed.
            recent = time.time() - os.fstat(descriptor).st_mtime < RECENT
            until = time.monotonic() + (ARRIVAL if recent else 0)
            while not engine.labelled(client, lease) and time.monotonic() < until:
                time.sleep(0.1)
            removed = engine.remove_labelled(client, lease)
            left = engine.labelled(client, lease)
    except Unverified as unverified:
        where = at.get("DOCKER_HOST", "of this machine")
        for_good = f"if that engine is gone for good, remove {_leases_folder() / lease}"
        return [f"container of drill {lease}, made by the engine {where}: {unverified.came_back}; {for_good}; {UNSURE}"]
    return [*(f"{each}: {_GONE}" for each in removed), *(f"{each}: {_STILL}" for each in left)]


def processes_in(folder: Path) -> list[int]:
    """Processes that work in the folder or run a program of it; zombies do neither. Without /proc none is found."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        for link in ("cwd", "exe"):
            with suppress(OSError):
                if os.readlink(entry / link).startswith(str(folder)):  # noqa: PTH115 -- the text, it may say "(deleted)"
                    found.append(int(entry.name))
                    break
    return found


def _kill(folder: Path) -> bool:
    """Kill the folder's processes; whether they are gone."""
    deadline = time.monotonic() + PATIENCE
    while processes := processes_in(folder):
        if time.monotonic() > deadline:
            return False
        for process in processes:
            with suppress(OSError):
                held = os.pidfd_open(process)
                try:
                    if process in processes_in(folder):  # the number may have passed to another meanwhile
                        signal.pidfd_send_signal(held, signal.SIGKILL)
                finally:
                    os.close(held)
        time.sleep(0.02)
    return True


def _remove_folder(folder: Path) -> None:
    """Remove a folder, as far as it can be; what is still being written by the dying is tried again."""
    deadline = time.monotonic() + PATIENCE
    while folder.exists() and time.monotonic() < deadline:
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            time.sleep(0.05)
