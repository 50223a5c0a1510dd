"""The dumps to damage and what they restore to; and, when all is done, how many were caught by what."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from tests.torture import originals, truth
from tests.torture.mutations import mutated
from tests.torture.trial import DATED, Recorded, put_on_record
from tests.torture.truth import Content, Truth

SEED = os.environ.get("CONSTANCIA_SEED", "20261126")
# What takes long is done for each dump in a torture run only, otherwise for some.
SAMPLE = slice(None, None, 1 if os.environ.get("CONSTANCIA_TORTURE") else 20)
PROPERTY = "torture"  # of a report: a list of [dump, on record, caught by]


@dataclass(frozen=True)
class Damaged:
    """A damaged dump.

    Attributes:
        original: what it was made of.
        backup: where it lies.
        recorded: what is on record of the original.
        what: was done to it.
    """

    original: Path
    backup: Path
    recorded: Recorded
    what: str


@dataclass(frozen=True)
class Workshop:
    """Where dumps are damaged.

    Attributes:
        originals: by name.
        truth: tells what a dump restores to.
        whole: what each of the originals restores to.
    """

    originals: Mapping[str, Path]
    truth: Truth
    whole: Content

    def damaged(self, number: int, store: Path) -> Damaged:
        """The dump of that number, of as many as one likes: the same for the same seed.

        Args:
            number: that the generator begins with, besides the seed.
            store: an empty folder to put it into.
        """
        draw = Random(f"{SEED}/{number}")  # noqa: S311 -- is to be drawn again
        name = list(self.originals)[number % len(self.originals)]
        recorded = draw.choice(list(Recorded))
        copy, what = mutated(self.originals[name], store, draw)
        backup = copy.rename(store / f"{DATED}{name}")
        put_on_record(recorded, self.originals[name], backup)
        return Damaged(self.originals[name], backup, recorded, what)


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """With the dumps made, and a server for the truth running."""
    made = {each.name: each for each in originals.make(tmp_path_factory.mktemp("originals"))}
    with truth.running() as told:
        yield Workshop(made, told, told.of(next(iter(made.values()))))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many damaged dumps were caught by what."""
    reports = [each for outcome in ("passed", "failed") for each in terminalreporter.stats.get(outcome, ())]
    caught = [
        tuple(one) for each in reports for name, value in each.user_properties if name == PROPERTY for one in value
    ]
    if not caught:
        return
    terminalreporter.section(f"{len(caught)} damaged dumps, seed {SEED}")
    for (dump, recorded), by in _grouped(caught).items():
        shown = ", ".join(f"{count} {what}" for what, count in by.most_common())
        terminalreporter.write_line(f"{dump}, {recorded} on record: {by.total()}: {shown}")


def _grouped(caught: list[tuple[str, str, str]]) -> Mapping[tuple[str, str], Counter[str]]:
    groups: dict[tuple[str, str], Counter[str]] = {}
    for dump, recorded, by in (*sorted(caught), *(("all", recorded, by) for _, recorded, by in sorted(caught))):
        groups.setdefault((dump, recorded), Counter())[by] += 1
    return groups
