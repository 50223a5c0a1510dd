"""Damage to files as it happens to backups, drawn by a seeded generator; it never leaves the bytes as they were."""

import shutil
import string
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

MOST_FLIPS = 8
BLOCK = 512  # bytes: of a tar, of a disk
LARGEST_SHARE = 4  # a block is at most this part of the file: a fourth
LETTERS = (string.ascii_letters + string.digits).encode()
Bytes = Callable[[bytes, Random], bytes]
Files = Callable[[Path, Random], str]


def mutated(original: Path, folder: Path, draw: Random) -> tuple[Path, str]:
    """A damaged copy of a dump, and what was done to it, such as "swap" or "swap in toc.dat".

    Args:
        original: a file, or a folder of files.
        folder: where the copy is put, under the same name, instead of what was there.
        draw: decides about everything.
    """
    copy = folder / original.name
    while True:
        if original.is_dir():
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(original, copy)
            what = _in_folder(copy, draw)
        else:
            what = _damage(original, copy, draw)
        if _content(copy) != _content(original):
            return copy, what


def _damage(original: Path, copy: Path, draw: Random) -> str:
    what, damage = draw.choice(list(DAMAGES.items()))
    copy.write_bytes(damage(original.read_bytes(), draw))
    return what


def _in_folder(copy: Path, draw: Random) -> str:
    if draw.random() < 1 / 3:
        what, damage = draw.choice(list(OF_FILES.items()))
        return f"{what} {damage(copy, draw)}"
    file = copy / "toc.dat" if draw.random() < 1 / 3 else _file(copy, draw)
    return f"{_damage(file, file, draw)} in {file.name}"


def _content(path: Path) -> Mapping[str, bytes]:
    files = path.iterdir() if path.is_dir() else [path]
    return {each.name: each.read_bytes() for each in files}


def _file(folder: Path, draw: Random) -> Path:
    return draw.choice(sorted(folder.iterdir()))


def _cut(content: bytes, draw: Random) -> bytes:
    return content[: _place(content, draw)]


def _flip(content: bytes, draw: Random) -> bytes:
    """Up to MOST_FLIPS bytes changed: by a bit, to any byte, or to a letter or digit, which a text may well hold."""
    changed = bytearray(content)
    for _ in range(draw.randint(1, MOST_FLIPS) if content else 0):
        place = draw.randrange(len(changed))
        changed[place] = draw.choice(
            (changed[place] ^ 1 << draw.randrange(8), draw.randrange(256), draw.choice(LETTERS))
        )
    return bytes(changed)


def _drop(content: bytes, draw: Random) -> bytes:
    begin, end = _block(content, draw)
    return content[:begin] + content[end:]


def _duplicate(content: bytes, draw: Random) -> bytes:
    begin, end = _block(content, draw)
    to = draw.choice((end, _place(content, draw)))
    return content[:to] + content[begin:end] + content[to:]


def _swap(content: bytes, draw: Random) -> bytes:
    a, b, c, d = sorted((*_block(content, draw), *_block(content, draw)))
    return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]


def _append(content: bytes, _draw: Random) -> bytes:
    """The same once more behind it, as where a job writes with >> into the file of the day before."""
    return content + content


def _block(content: bytes, draw: Random) -> tuple[int, int]:
    """Begin and end of a block of the file, small ones as likely as large ones."""
    begin = draw.randrange(len(content) + 1)
    largest = max(1, len(content) // LARGEST_SHARE)
    end = min(len(content), begin + max(1, int(largest ** draw.random())))
    return _snapped(content, begin, end, draw)


def _place(content: bytes, draw: Random) -> int:
    place = draw.randrange(len(content) + 1)
    return _snapped(content, place, place, draw)[0]


def _snapped(content: bytes, begin: int, end: int, draw: Random) -> tuple[int, int]:
    """The same, or every other time where damage shows least: at line ends of a text, at blocks of a file."""
    if draw.random() < 1 / 2:
        return begin, end
    if b"\0" in content:
        return begin // BLOCK * BLOCK, min(len(content), -(-end // BLOCK) * BLOCK)
    return content.rfind(b"\n", 0, begin) + 1, (content.find(b"\n", end) + 1) or len(content)


def _remove(folder: Path, draw: Random) -> str:
    file = _file(folder, draw)
    file.unlink()
    return file.name


def _empty(folder: Path, draw: Random) -> str:
    file = _file(folder, draw)
    file.write_bytes(b"")
    return file.name


def _exchange(folder: Path, draw: Random) -> str:
    one, other = draw.sample(sorted(folder.iterdir()), 2)
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    return f"{one.name} and {other.name}"


DAMAGES: Mapping[str, Bytes] = {
    "cut": _cut,
    "flip": _flip,
    "drop": _drop,
    "swap": _swap,
    "duplicate": _duplicate,
    "append another dump": _append,
}
OF_FILES: Mapping[str, Files] = {"remove": _remove, "empty": _empty, "exchange": _exchange}
