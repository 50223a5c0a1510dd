"""The closing table of a run: every requirement, what was observed, the limit and the outcome."""

from collections import Counter
from collections.abc import Iterable, Iterator

import pytest

from reports.ledger import LedgerKeeper, Result
from reports.requirement import FAMILIES, GRAVITY, Outcome

STYLES = {
    Outcome.PASSED: "green",
    Outcome.BREACHED: "bold red",
    Outcome.UNVERIFIED: "bold yellow",
    Outcome.WAIVED: "cyan",
    Outcome.NOT_APPLICABLE: "dim",
}
# Where nobody sees the edges (a log file), wide enough that nothing is cut.
WIDTH_OF_A_LOG = 150
# In a longer run what holds is told by family, in one row for each.
MOST_ROWS = 30


class ClosingTable:
    """The plugin that prints it, in the process that answers for the run.

    Args:
        keeper: of the ledger.
    """

    def __init__(self, keeper: LedgerKeeper) -> None:
        self._keeper = keeper

    def pytest_report_teststatus(self, report: pytest.TestReport | pytest.CollectReport) -> tuple[str, str, str] | None:
        """Say the outcome in the suite's words while the run goes on."""
        result = LedgerKeeper.result_on(report)
        if result is None or (report.when != "call" and report.passed):
            return None
        word = result.outcome.value
        return word, "." if result.outcome is Outcome.PASSED else word[0].upper(), word.upper()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what is breached and what is unverified, then print the table, the gravest last, where the eye is."""
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table

        results = list(self._keeper.ledger.results().values())
        for outcome in (Outcome.UNVERIFIED, Outcome.BREACHED):
            messages = [each.message for each in sorted(results, key=_urgency) if each.outcome is outcome]
            if messages:
                terminalreporter.section(f"{len(messages)} {outcome}", bold=True)
                terminalreporter.write_line("\n\n".join(messages))
        if not results:  # of what is due often nothing
            return
        terminalreporter.section("what was verified")
        brief = len(results) > MOST_ROWS
        shown = [each for each in results if not brief or each.outcome is not Outcome.PASSED]
        table = Table(box=None, pad_edge=False)
        for heading in ("requirement", "target", "observed", "limit", "outcome"):
            table.add_column(heading, overflow="fold")
        for family, target, ids in _by_family(results) if brief else ():
            table.add_row(family, escape(target), escape(ids), "", f"[{STYLES[Outcome.PASSED]}]{Outcome.PASSED}[/]")
        for result in sorted(shown, key=_order):
            shown_outcome = f"[{STYLES[result.outcome]}]{result.outcome}[/]"
            for number, (observed, limit) in enumerate(_figures(result)):
                first = number == 0
                name, target = (result.requirement, result.target) if first else ("", "")
                table.add_row(
                    escape(name), escape(target), escape(observed), escape(limit), shown_outcome if first else ""
                )
        writer = terminalreporter._tw  # noqa: SLF001 -- the only way to write where pytest writes, and to know its width
        width = writer.fullwidth if writer.hasmarkup else max(writer.fullwidth, WIDTH_OF_A_LOG)
        console = Console(width=width, force_terminal=writer.hasmarkup, highlight=False)
        with console.capture() as captured:
            console.print(table)
        terminalreporter.write(captured.get())
        terminalreporter.write_line("")
        terminalreporter.write_line(", ".join(_counts(results)))


def _by_family(results: Iterable[Result]) -> Iterator[tuple[str, str, str]]:
    """What passed: a family, of which system, and the requirements with how many targets each, where it is not one."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for result in sorted((each for each in results if each.outcome is Outcome.PASSED), key=_order):
        family, system = result.requirement.rpartition("-")[0], result.target.partition("/")[0]
        counts.setdefault((family, system), Counter())[result.requirement] += 1
    for (family, system), ids in counts.items():
        said = (f"{name} on {count} targets" if count > 1 else name for name, count in ids.items())
        yield FAMILIES.get(family, family), system, ", ".join(said)


def _counts(results: Iterable[Result]) -> list[str]:
    outcomes = [each.outcome for each in results]
    return [f"{outcomes.count(outcome)} {outcome}" for outcome in Outcome if outcome in outcomes]


def _order(result: Result) -> tuple[int, str, int, int, str]:
    """The gravest last; within an outcome by system, family and number of the requirement."""
    family, _, number = result.requirement.rpartition("-")
    known = list(FAMILIES).index(family) if family in FAMILIES else len(FAMILIES)
    system = result.target.partition("/")[0]
    return GRAVITY.index(result.outcome), system, known, int(number) if number.isdigit() else 0, result.target


def _urgency(result: Result) -> tuple[str, bool]:
    """The gravest severity first, and within it what others need: the database and the cache."""
    return result.severity, not result.requirement.startswith(("DATABASE-", "CACHE-"))


def _figures(result: Result) -> list[tuple[str, str]]:
    """What was observed and its limit: each measurement held to one, or the reason where that is what counts."""
    held = [each for each in result.measurements if each.comparison]
    if not held or result.outcome in (Outcome.UNVERIFIED, Outcome.NOT_APPLICABLE):
        if not result.measurements:
            return [(result.message, "")]
        last = result.measurements[-1]
        figure = result.outcome is Outcome.PASSED  # else it is a reason, in words
        return [(f"{last.what}: {last.observed_text}" if figure else last.observed_text, "")]
    if result.outcome is Outcome.BREACHED:
        held = [each for each in held if not each.holds]
    names = [each.what for each in held]
    waiver = [(line.strip(), "") for line in result.message.splitlines() if result.outcome is Outcome.WAIVED][-1:]
    return [
        (
            f"{each.what}{f', {each.subject}' if names.count(each.what) > 1 else ''}: {each.observed_text}",
            each.limit_text,
        )
        for each in held
    ] + waiver
