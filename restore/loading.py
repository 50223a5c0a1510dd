"""A backup goes into the databases of a sandbox, and every error that is made of it is told."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from fixtures.archive import Archive
from fixtures.measure.dump import Contents
from fixtures.measure.restore_messages import Complaint, Harm, complaints, ignored
from reports.requirement import Unverified
from restore.sandbox import RESTORER, Sandbox
from restore.server import Finished, restriction_key

# Exit codes of pg_restore and psql for errors that they told of; any other is a crash, a signal, a lost connection.
TOLD = (1, 3)
PARALLEL = ("custom", "directory")  # formats that pg_restore reads with several workers
OPTIONS = {"full": (), "data": ("--section=pre-data", "--section=data"), "structure": ("--schema-only",)}


@dataclass(frozen=True)
class Load:
    """How a backup is to be loaded.

    Attributes:
        depth: "full"; "data" without what follows the rows (indexes, constraints, triggers); "structure" without rows.
        seconds: that it may take.
    """

    depth: Literal["full", "data", "structure"]
    seconds: float


def put(sandbox: Sandbox, archive: Archive, *, data_only: bool) -> tuple[str, ...]:
    """Copy the backup's files into the sandbox; their paths there.

    Raises:
        Unverified: when there is no room, or the backup is no longer what was read.
    """
    return tuple(
        sandbox.server.put(each.name, each.blocks, each.size) for each in archive.files(until_post_data=data_only)
    )


def load(sandbox: Sandbox, archive: Archive, inside: tuple[str, ...], how: Load) -> tuple[Complaint, ...]:
    """Restore the backup that lies inside; the errors that were made of it.

    Args:
        sandbox: with its databases made.
        archive: the backup.
        inside: the paths that `put` gave; plain SQL lies there as deep as is wanted.
        how: how far, and how long it may take.
    """
    if archive.format != "plain":
        return _told(sandbox, _with_pg_restore(sandbox, archive, inside, how), how.seconds)
    found = [
        _told(sandbox, _with_psql(sandbox, part, path, how.seconds), how.seconds)
        for part, path in zip(archive.dumps, inside, strict=True)
        if not left_out(sandbox, part)
    ]
    return tuple(chain.from_iterable(found))


def left_out(sandbox: Sandbox, part: Contents) -> bool:
    """Whether a part of a cluster's dump cannot be restored: it makes roles and databases, which we have made."""
    return part not in sandbox.filled and not sandbox.server.holds_superuser


def _with_pg_restore(sandbox: Sandbox, archive: Archive, inside: tuple[str, ...], how: Load) -> Finished:
    (part,) = archive.dumps
    jobs = str(max(2, os.cpu_count() or 1))  # from two on rows are copied without the WAL
    whole = inside[0].rpartition("/")[0] if archive.format == "directory" else inside[0]
    return sandbox.server.run(
        *("pg_restore", "-d", sandbox.entry(sandbox.home(part), RESTORER)),
        *(("-j", jobs) if archive.format in PARALLEL else ()),
        *OPTIONS[how.depth],
        whole,
        seconds=how.seconds,
    )


def _with_psql(sandbox: Sandbox, part: Contents, path: str, seconds: float) -> Finished:
    # One transaction, so that rows are copied without the WAL, with a savepoint before each statement: so every error
    # is seen, and a harmless one does not end it. The restriction comes first: what follows can use no command of psql.
    together = () if part.makes_databases else ("-1",)
    return sandbox.server.run(
        *("psql", "-X", "-q", "-o", "/dev/null", "-b", *together),
        *("-d", sandbox.entry(sandbox.home(part), RESTORER)),
        *("-v", "ON_ERROR_STOP=0", "-v", "ON_ERROR_ROLLBACK=on"),
        *("-c", f"\\restrict {restriction_key()}", "-f", path),
        seconds=seconds,
    )


def _told(sandbox: Sandbox, finished: Finished, seconds: float) -> tuple[Complaint, ...]:
    found = complaints(finished.err, superuser=sandbox.server.holds_superuser)
    return tuple(chain(found, beyond_messages(finished, seconds, told=sum(each.count for each in found))))


def beyond_messages(finished: Finished, seconds: float, *, told: int) -> Iterator[Complaint]:
    """What else went wrong, besides what was complained of.

    Args:
        finished: how the program ended.
        seconds: that it was given.
        told: how many errors it told of.
    """
    if finished.timed_out:
        yield Complaint(Harm.HARMFUL, f"given up after the time limit of {seconds:.0f} s", 1)
    elif finished.code and not (told and finished.code in TOLD):
        yield Complaint(Harm.HARMFUL, f"the restore ended with code {finished.code}, which no message explains", 1)
    if (counted := ignored(finished.err)) is not None and counted > told:
        yield Complaint(Harm.HARMFUL, f"pg_restore counted {counted} errors, and told of {told}", 1)
    if finished.cut:
        yield Complaint(Harm.HARMFUL, "more messages than can be looked at", 1)


def missing_extensions(sandbox: Sandbox, archive: Archive, *, embedded: bool) -> Unverified | None:
    """The reason not to begin: an extension that the server does not have is the image's fault, not the backup's."""
    missing = sorted({name for each in archive.dumps for name in each.extensions} - sandbox.offered)
    if not missing:
        return None
    image = f'images = {{ {archive.major} = "IMAGE" }}'
    remedy = f"Name an image that has it: {image}"
    return Unverified(
        f"restoring {archive.path.name}",
        came_back=f"the extension {', '.join(missing)} is missing in {sandbox.server.description}",
        remedy=f'{remedy}, with server = "container"' if embedded else remedy,
    )


# What came back and what to do, for errors that tell about the server; whatever followed one follows from it.
HINDRANCES = {
    Harm.ROOM: (
        "{server} had no room: {text}",
        "Make room where TMPDIR leads, or where the Docker engine keeps its containers",
    ),
    Harm.GONE: (
        "{server} was gone, or out of memory, in the middle: {text}",
        "Hold the drill again; if it comes back, the dump needs more memory than the sandbox has",
    ),
    Harm.RESTRICTION: (
        "psql in {server} is too old to be restricted ({text})",
        "Name an image with PostgreSQL 18, 17.6, 16.10, 15.14, 14.19, 13.22 or newer",
    ),
    Harm.REFUSED: (
        "{server} lets no superuser in, and the dump needs one: {text}",
        'Restore in a container: server = "container"',
    ),
    Harm.EXTENSION: (
        "{text}, in {server}",
        'Name an image that has it: images = {{ {major} = "IMAGE" }}',
    ),
}


def hindrance(found: tuple[Complaint, ...], sandbox: Sandbox, archive: Archive) -> Unverified | None:
    """Why the errors of a restore do not tell about the backup, but about the server; None when they do."""
    by_harm = {each.harm: each for each in reversed(found)}
    for harm, (came_back, remedy) in HINDRANCES.items():
        if (told := by_harm.get(harm)) is not None:
            return Unverified(
                f"restoring {archive.path.name}",
                came_back=came_back.format(server=sandbox.server.description, text=told.text),
                remedy=remedy.format(major=archive.major),
            )
    return None
