"""First prove the judge: copies of a backup that are cut, flipped and emptied, each of which must be rejected.

A cut and an emptied copy must give themselves away. A flipped letter in a dump without checksums of its own is known
only by a recorded digest: where it takes that, it is said.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fixtures import archive as archives
from fixtures.short_folder import short_folder
from reports.requirement import Breach, Unverified

COPIES = "judge"  # the purpose (see `short_folder`) of the folder that holds a copy
KEPT = 0.6  # of a cut copy
FLIPPED = "flipped"
Damage = Callable[[Path], None]


def rejected(path: Path) -> tuple[str, ...]:
    """How each damaged copy of a whole backup was rejected, a sentence each.

    Args:
        path: the backup, which is only read.

    Raises:
        Breach: when the backup itself is damaged.
        Unverified: when one was accepted, or there is no room for a copy.
    """
    sha256 = archives.read(path).sha256
    return tuple(f"{name} copy: {_rejected(path, sha256, name)}" for name in DAMAGES)


def _rejected(path: Path, sha256: str, name: str) -> str:
    with _copy(path) as copy:
        DAMAGES[name](copy)
        if said := _refusal(copy):
            return f"rejected ({said})"
        if name == FLIPPED:
            copy.with_name(f"{copy.name}.sha256").write_text(f"{sha256}\n")
            if _refusal(copy):
                return "rejected by the digest that was recorded of it, and by nothing else"
    raise Unverified(
        f"proving the judge with a copy of {path.name}",
        came_back=f"a {name} copy of it was accepted",
        remedy="Believe no drill of this version of the suite, and report it",
    )


def _refusal(copy: Path) -> str:
    try:
        archives.read(copy)
    except Breach as breach:
        return breach.measurements[0].observed_text
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
