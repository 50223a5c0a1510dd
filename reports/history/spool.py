"""The spool: where each run writes its results as they come, before the store has them.

A run that is killed leaves its file, and so does one whose store is down or full; the next run of anything takes it in.
The file is locked while its run lives, and removed once the store has put all of it on record.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Self

from reports.history.kept import Kept, Run
from reports.history.store import PATIENCE, History
from reports.requirement import GRAVITY, Unverified

_MODE = 0o600
_ENDING = ".jsonl"
_UNREADABLE = ".unreadable"
# How often it is looked whether a lock is free, in seconds.
_POLL = 0.02


class Spooled:
    """The file of a run that is going on; a context manager.

    Args:
        folder: of the spool; made where it is not there.
        run: that is going on.

    Raises:
        Unverified: on entering, when the file cannot be made.
    """

    def __init__(self, folder: Path, run: Run) -> None:
        self._folder = folder
        self._run = run
        # By time first: what is taken in later is taken in in order.
        self.path = folder / f"{run.began:015}-{run.uuid}{_ENDING}"
        self._descriptor = -1

    def __enter__(self) -> Self:
        unnamed = self.path.with_suffix(".new")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(unnamed, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            self._write({"run": self._run.as_document()})
            # Named only now that it is locked, lest another run takes it in.
            unnamed.rename(self.path)
        except OSError as error:
            # A disk that stays full would be left one more of them by each run.
            with suppress(OSError):
                unnamed.unlink(missing_ok=True)
                os.close(self._descriptor)
            raise self._unwritable(error) from None
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._descriptor)

    def add(self, result: Kept) -> None:
        """Write a result down.

        Raises:
            Unverified: when it cannot be written.
        """
        self._add({"result": result.as_document()})

    def end(self, at: int, exit_code: int) -> None:
        """Write down that the run ended.

        Args:
            at: in ms since 1970.
            exit_code: of the process.

        Raises:
            Unverified: when it cannot be written.
        """
        self._add({"ended": at, "exit_code": exit_code})

    def _add(self, document: Mapping[str, Any]) -> None:
        try:
            self._write(document)
        except OSError as error:
            raise self._unwritable(error) from None

    def _write(self, document: Mapping[str, Any]) -> None:
        line = f"{json.dumps(document)}\n".encode()
        begin = os.lseek(self._descriptor, 0, os.SEEK_CUR)
        if os.write(self._descriptor, line) != len(line):
            # There may be room again for the next one, which must not continue this line.
            os.ftruncate(self._descriptor, begin)
            os.lseek(self._descriptor, begin, os.SEEK_SET)
            raise OSError("the disk took a part of it only")

    def _unwritable(self, error: OSError) -> Unverified:
        return Unverified(
            f"writing results down in {self._folder}",
            came_back=error.strerror or str(error),
            remedy="Let the account of this run write there, or name another folder in CONSTANCIA_SPOOL",
        )


def take_in(history: History, *, own: Path | None = None) -> Iterator[tuple[Run, tuple[Kept, ...]]]:
    """Put on record what is spooled, the oldest run first, but for runs that are still going on.

    Args:
        history: where to.
        own: the file of the run that asks, and has ended. Another run that looks at it, or takes it in, is waited for:
            afterwards it is gone, and on record.

    Yields:
        Each run with its results once it is on record.

    Raises:
        Unverified: when the store cannot take it, or the spool cannot be read; what is left then stays. When a single
            file cannot be read, or no run wrote it, at the end.
    """
    try:
        files = sorted(history.address.spool.glob(f"*{_ENDING}"))
    except OSError as error:
        raise _unreadable(history.address.spool, error.strerror or type(error).__name__) from None
    odd: list[Unverified] = []
    for path in files:
        try:
            with path.open("rb") as file:
                _lock(file, patience=PATIENCE if path == own else 0)
                if not path.exists():  # another run took it in meanwhile
                    continue
                run, results = _read(file.read())
                history.record(run, results)
                path.unlink()
        except (FileNotFoundError, BlockingIOError):  # likewise; or it goes on
            continue
        except OSError as error:
            odd.append(_unreadable(path, error.strerror or type(error).__name__))
        except _OddError:
            odd.append(_unreadable(path.rename(path.with_suffix(_UNREADABLE)), "it holds what no run wrote"))
        else:
            yield run, results
    if odd:
        raise odd[0]


def _lock(file: IO[bytes], *, patience: float) -> None:
    """Lock a file, waiting for so many seconds at most.

    Raises:
        BlockingIOError: when it is still locked then.
    """
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise
            time.sleep(_POLL)
        else:
            return


class _OddError(Exception):
    """No run wrote this."""


def _read(content: bytes) -> tuple[Run, tuple[Kept, ...]]:
    """The run that a file is of, and its results, of several on one target the gravest.

    Raises:
        _OddError: when no run wrote it.
    """
    try:
        return _parsed(content)
    except (ValueError, TypeError, LookupError, AttributeError):
        raise _OddError from None


def _parsed(content: bytes) -> tuple[Run, tuple[Kept, ...]]:
    lines = content.split(b"\n")
    # What follows the last one was not written to its end: its process was killed then.
    documents = [json.loads(line) for line in lines[:-1]]
    run = Run.from_document(documents[0]["run"])
    results: dict[tuple[str, str, str], Kept] = {}
    for document in documents[1:]:
        if "result" not in document:
            run = replace(run, ended=int(document["ended"]), exit_code=int(document["exit_code"]))
            continue
        new = Kept.from_document(document["result"])
        if new.system not in run.systems:
            raise ValueError(new.system)
        known = results.get((new.system, new.requirement, new.target))
        if known is None or GRAVITY.index(new.outcome) > GRAVITY.index(known.outcome):
            results[new.system, new.requirement, new.target] = new
    return run, tuple(results.values())


def _unreadable(path: Path, came_back: str) -> Unverified:
    remedy = "What else is spooled is taken in all the same; look at this one by hand, and remove it"
    return Unverified(f"taking in spooled results of {path}", came_back=came_back, remedy=remedy)
