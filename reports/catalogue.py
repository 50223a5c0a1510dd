"""The catalogue as the checks themselves state it: which requirements there are, and what each goes back to."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest

from fixtures.measure.units import shown
from reports.requirement import FAMILIES, Requirement, requirement_of

# What begins the parts of a check's "Source: " line, and a clause of that document in quotes or by its number.
DOCUMENTS = ("operations guide", "runbook")


@dataclass(frozen=True)
class Row:
    """One requirement, as its check states it.

    Attributes:
        requirement: id, severity, how often, gates.
        title: the first line of the check's docstring.
        source: what it goes back to, as the docstring says.
        targets: of each system, what the check is run for; one called "-" where the system declares none.
    """

    requirement: Requirement
    title: str
    source: str
    targets: Mapping[str, Sequence[str]]

    @property
    def clauses(self) -> Mapping[str, Sequence[str]]:
        """The clauses that its source names, by document.

        Raises:
            ValueError: when it names them in another form than
                `operations guide, "One", "Another"; runbook 1.1, 1.3; ours: why`.
        """
        found: dict[str, Sequence[str]] = {}
        for part in self.source.removesuffix(".").split("; "):
            document = next((each for each in DOCUMENTS if part.startswith(each)), None)
            if document is None and not part.startswith("ours"):
                raise ValueError(f'{self.requirement.id}: "{part}" begins with none of: {", ".join(DOCUMENTS)}, ours')
            if document is not None:
                named = part.removeprefix(document).strip(", ")
                found[document] = tuple(each.strip().strip('"') for each in named.split(", "))
        return found


class CollectionError(Exception):
    """The checks could not be collected; the message is what pytest said."""


def collected(rooms: Sequence[Path], *, systems: Path, names: Sequence[str]) -> tuple[Row, ...]:
    """The requirements that the checks of some rooms verify, in the catalogue's order, as a run of these systems would.

    Raises:
        CollectionError: when pytest refuses, above all for a fault in a system file.
    """
    gathered = _Gathered()
    chosen = [f"--system={name}" for name in names]
    options = ["--collect-only", "-q", f"--systems={systems}", *chosen, f"--rootdir={rooms[0].parent}"]
    with redirect_stdout(StringIO()) as said, redirect_stderr(said):
        code = pytest.main([*options, *map(str, rooms)], plugins=[gathered])
    if code != pytest.ExitCode.OK:
        raise CollectionError(said.getvalue().strip().removeprefix("ERROR: "))
    return tuple(sorted(gathered.rows(), key=_place))


def _place(row: Row) -> tuple[int, int]:
    """Where a requirement stands in the catalogue: by its family, then its number."""
    return list(FAMILIES).index(row.requirement.family), int(row.requirement.id.rpartition("-")[2])


class _Gathered:
    """A plugin that keeps what was collected."""

    def __init__(self) -> None:
        self._items: Sequence[pytest.Item] = ()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Keep the check runs."""
        self._items = session.items

    def rows(self) -> Iterator[Row]:
        """A row for each check, with the targets of its runs."""
        runs: dict[str, list[pytest.Item]] = {}
        for item in self._items:
            runs.setdefault(requirement_of(item).id, []).append(item)
        for items in runs.values():
            text = inspect.getdoc(getattr(items[0], "function")) or ""  # noqa: B009 -- only functions have it; Item does not say so
            title, _, rest = text.partition("\n")
            targets: dict[str, list[str]] = {}
            for item in items:
                system, _, target = item.name.partition("[")[2].removesuffix("]").partition("/")
                targets.setdefault(system, []).append(target)
            source = " ".join(rest.partition("Source: ")[2].partition("\n\n")[0].split())
            yield Row(requirement_of(items[0]), title, source, targets)


# Of one system and one requirement: what it declares ("declared: main", "not applicable: why", "nothing declared").
State = Mapping[str, Mapping[str, str]]


def as_text(catalogue: Sequence[Row], states: State) -> str:
    """The catalogue for a person at a terminal: a block of lines for each requirement."""
    blocks = []
    for row in catalogue:
        about = row.requirement
        gate = " and ".join(sorted(about.gates, reverse=True)) or "none"
        facts = (about.severity, f"every {shown(about.every.total_seconds(), 's')}", f"gate {gate}")
        lines = [f"{about.id:<12}{row.title}", f"{'':<12}{' · '.join(facts)}", f"{'':<12}{row.source}"]
        lines += [f"{'':<12}{system}: {said[about.id]}" for system, said in states.items()]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)
