"""First prove the judge: copies of a backup that are cut, flipped and emptied, each of which must be rejected.

A cut and an emptied copy must give themselves away. A flipped letter in a dump without checksums of its own is known
only by a recorded digest: where none is recorded, that is said.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from fixtures import archive as archives
from fixtures.archive import Archive
from fixtures.manifest import SUFFIX
from fixtures.short_folder import short_folder
from reports.requirement import Breach, Unverified

COPIES = "judge"  # the purpose (see `short_folder`) of the folder that holds a copy
ON_RECORD = (*archives.CHECKSUMS, SUFFIX)  # beside a backup
KEPT = 0.6  # of a cut copy
FLIPPED = "flipped"
Damage = Callable[[Path], None]


def rejected(path: Path, *, most: int | None = None) -> tuple[str, ...]:
    """How each damaged copy of a whole backup was rejected, a sentence each.

    Args:
        path: the backup, which is only read.
        most: bytes that it may unpack to.

    Raises:
        Breach: when the backup itself is damaged.
        Unverified: when one was accepted that must give itself away, or there is no room for a copy.
    """
    whole = archives.read(path, most=most)
    return tuple(f"{name} copy: {_rejected(whole, name, most)}" for name in DAMAGES)


def _rejected(whole: Archive, name: str, most: int | None) -> str:
    with _copy(whole.path) as copy:
        DAMAGES[name](copy)
        if said := _refusal(copy, most):
            return f"rejected ({said})"
        if name == FLIPPED and whole.unproven:
            copy.with_name(f"{copy.name}{archives.CHECKSUMS[0]}").write_text(f"{whole.sha256}\n")
            if _refusal(copy, most):
                return (
                    "rejected only once its digest was put beside it: none is recorded of the backup, and it needs one"
                )
    raise Unverified(
        f"proving the judge with a copy of {whole.path.name}",
        came_back=f"a {name} copy of it was accepted",
        remedy="Believe no drill of this version of the suite, and report it",
    )


def _refusal(copy: Path, most: int | None) -> str:
    try:
        archives.read(copy, most=most)
    except Breach as breach:
        return breach.measurements[0].observed_text
    except Unverified as unread:  # a letter that says how to read it; that is no pass
        return unread.came_back
    return ""


@contextmanager
def _copy(path: Path) -> Iterator[Path]:
    what = f"copying {path.name} to prove the judge with"
    with short_folder(COPIES) as folder:
        private = folder / "copy"
        private.mkdir(mode=0o700)
        copy = private / path.name
        try:
            if path.is_dir():
                shutil.copytree(path, copy)
            else:
                shutil.copyfile(path, copy)
            for beside in ON_RECORD:
                with suppress(FileNotFoundError):
                    shutil.copyfile(path.with_name(path.name + beside), copy.with_name(copy.name + beside))
        except OSError as error:
            came_back = (error.strerror or type(error).__name__).lower()
            raise Unverified(what, came_back=came_back, remedy="Make room where TMPDIR leads") from None
        yield copy


def _largest(copy: Path) -> Path:
    """The file itself; of a dump in directory format its largest one."""
    return max(copy.iterdir(), key=lambda each: each.stat().st_size) if copy.is_dir() else copy


def _cut(copy: Path) -> None:
    file = _largest(copy)
    with file.open("r+b") as opened:
        opened.truncate(int(file.stat().st_size * KEPT))


def _flip(copy: Path) -> None:
    file = _largest(copy)
    with file.open("r+b") as opened:
        opened.seek(file.stat().st_size // 2)
        letter = opened.read(1)
        opened.seek(-1, 1)
        opened.write(bytes([letter[0] ^ 1]))


def _empty(copy: Path) -> None:
    with _largest(copy).open("r+b") as opened:
        opened.truncate()


DAMAGES: Mapping[str, Damage] = {"cut": _cut, FLIPPED: _flip, "emptied": _empty}
