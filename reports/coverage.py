"""What became of each clause of the users' runbooks: verified by which checks, signed off as which task, or why not."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reports.catalogue import Row, State

_HEAD = """\
# What the runbooks ask for, and what became of it

Written by `python -m reports coverage` from the checks' own docstrings, the system files and [runbook-clauses.toml](runbook-clauses.toml); a test keeps it current.

A clause is **automated** (the requirements that verify it, each one a check that can turn red), **signed off** (a person does it, and signs in time: UPKEEP-1), **not applicable** (with the reason), or **not yet** (with what it waits for).
"""  # noqa: E501 -- a paragraph of Markdown is one line
_DEFECTS = "## Defects in the runbooks' own procedures\n\n| document | defect | remedy | requirements that look at it |\n|---|---|---|---|"  # noqa: E501 -- as above


@dataclass(frozen=True)
class Document:
    """One runbook, and the system that it describes."""

    key: str
    system: str
    title: str


@dataclass(frozen=True)
class Clause:
    """One thing that a runbook asks for.

    Attributes:
        document: the runbook's key.
        name: as a check's docstring cites it: a heading or item in the runbook's own words, or a number.
        asks: what it asks for, in short.
        not_applicable: why nothing verifies it; else "".
        later: what it waits for; else "".
    """

    document: str
    name: str
    asks: str
    not_applicable: str = ""
    later: str = ""


@dataclass(frozen=True)
class Defect:
    """What is wrong in a procedure of a runbook, what mends it, and the requirements that look at it."""

    document: str
    found: str
    remedy: str
    seen_by: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True)
class Runbooks:
    """The clauses and defects of the runbooks."""

    documents: Sequence[Document]
    clauses: Sequence[Clause]
    defects: Sequence[Defect]


def read(file: Path) -> Runbooks:
    """What is written in a file of clauses."""
    told = tomllib.loads(file.read_text(encoding="utf-8"))
    return Runbooks(
        [Document(**each) for each in told["document"]],
        [Clause(**each) for each in told["clause"]],
        [Defect(**each) for each in told["defect"]],
    )


# By system: what its tasks are done for, in the runbook's own words, and the tasks' names.
Tasks = Mapping[str, Mapping[str, str]]


def as_markdown(runbooks: Runbooks, catalogue: Sequence[Row], states: State, tasks: Tasks) -> str:
    """The page.

    Raises:
        ValueError: when a check cites a clause that is not there, or a clause is answered by nothing.
    """
    cited: dict[tuple[str, str], list[str]] = {}
    for row in catalogue:
        for key, names in row.clauses.items():
            for name in names:
                cited.setdefault((key, name), []).append(row.requirement.id)
    unknown = set(cited) - {(each.document, each.name) for each in runbooks.clauses}
    if unknown:
        raise ValueError(f"cited, but no such clause: {sorted(unknown)}")
    parts = [_HEAD]
    for document in runbooks.documents:
        lines = [f"## {document.title}\n", "| clause | asks | what became of it |", "|---|---|---|"]
        for clause in runbooks.clauses:
            if clause.document == document.key:
                ids = cited.get((clause.document, clause.name), [])
                answer = _answer(clause, ids, states[document.system], tasks[document.system])
                lines.append(f"| {clause.name} | {clause.asks} | {answer} |")
        parts.append("\n".join(lines) + "\n")
    known = {row.requirement.id for row in catalogue}
    parts.append("\n".join([_DEFECTS, *(_defect(each, known) for each in runbooks.defects)]) + "\n")
    return "\n".join(parts)


def _answer(clause: Clause, ids: Sequence[str], state: Mapping[str, str], tasks: Mapping[str, str]) -> str:
    declared = [each for each in ids if state[each].startswith("declared")]
    said = []
    if declared:
        said.append(f"automated: {', '.join(declared)}")
    if clause.name in tasks:
        said.append(f"signed off: task `{tasks[clause.name]}`")
    if clause.later:
        said.append(f"not yet: {clause.later}")
    if clause.not_applicable:
        said.append(f"not applicable: {clause.not_applicable}")
    if not said:
        said = [f"{each} {state[each]}" for each in ids if state[each].startswith("not applicable")]
    if not said:
        raise ValueError(f"{clause.document}, {clause.name}: no check cites it, no task, no reason")
    return "<br>".join(said)


def _defect(defect: Defect, known: set[str]) -> str:
    unknown = set(defect.seen_by) - known
    if unknown:
        raise ValueError(f"no check verifies {sorted(unknown)}, which would look at: {defect.found}")
    return f"| {defect.document} | {defect.found} | {defect.remedy} | {', '.join(defect.seen_by)} |"
