"""What a system file expects of the restored tables' rows, as bounds that they are held to."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from fixtures.drills import Count, RestoreDeclared
from reports.requirement import Evidence, Unverified
from restore.drill_report import DrillReport


@dataclass(frozen=True)
class Bound:
    """One expectation of one table.

    Attributes:
        table: as declared.
        rows: that it holds after the restore.
        of: whose expectation it is, as the record says it.
        least: rows at least, or None.
        most: rows at most, or None.
        exact: rows exactly, or None.
    """

    table: str
    rows: int
    of: str
    least: float | None = None
    most: float | None = None
    exact: int | None = None

    def measure(self, evidence: Evidence) -> None:
        """Hold the rows to it, on record."""
        what = f"restored rows, as {self.of}"
        if self.exact is not None:
            evidence.equal(what, self.rows, expected=self.exact, unit="rows", subject=self.table)
        if self.least is not None:
            evidence.at_least(what, self.rows, limit=self.least, unit="rows", subject=self.table)
        if self.most is not None:
            evidence.at_most(what, self.rows, limit=self.most, unit="rows", subject=self.table)

    @property
    def holds(self) -> bool:
        """Whether the rows are within it."""
        exact = self.exact is None or self.rows == self.exact
        least = self.least is None or self.rows >= self.least
        return exact and least and (self.most is None or self.rows <= self.most)


def bounds(declared: RestoreDeclared, report: DrillReport) -> Iterator[Bound]:
    """Every expectation of every declared table.

    Raises:
        Breach: when the backup is damaged, or a table is not there.
        Unverified: when the drill could not tell, the live database was not reached, or no good drill is on record.
    """
    for table, count in declared.counts.items():
        rows = report.rows_of(table, database=declared.database)
        for bound in KINDS:
            yield from bound(table, rows, count, report)


def fulfilled(declared: RestoreDeclared, report: DrillReport) -> bool:
    """Whether every expectation that can be told holds; what cannot be told spoils no drill.

    Raises:
        Breach: as `bounds`.
    """
    for table, count in declared.counts.items():
        rows = report.rows_of(table, database=declared.database)
        for bound in KINDS:
            with suppress(Unverified):
                if not all(each.holds for each in bound(table, rows, count, report)):
                    return False
    return True


def _declared(table: str, rows: int, count: Count, _: DrillReport) -> Iterator[Bound]:
    if (count.min, count.max, count.exact) != (None, None, None):
        yield Bound(table, rows, "declared", count.min, count.max, count.exact)


def _live(table: str, rows: int, count: Count, report: DrillReport) -> Iterator[Bound]:
    if count.live is not None and report.of_newest:
        there = report.live_rows()[table]
        of = f"the live database, {there} rows"
        yield Bound(table, rows, of, least=there * (1 - count.live), most=there * (1 + count.live))


def _last_good(table: str, rows: int, count: Count, report: DrillReport) -> Iterator[Bound]:
    if count.drop is not None and report.of_newest:
        last = report.last_good()
        if last is None or table not in last.rows:
            raise Unverified(
                f"comparing the rows of {table} with those of the last good drill",
                came_back="none is on record that counted it",
                remedy="Nothing: this drill is on record now, and the next one is compared with it",
            )
        before = last.rows[table]
        of = f"the last good drill, of {last.at:%Y-%m-%d}, {before} rows"
        yield Bound(table, rows, of, least=before * (1 - count.drop))


KINDS: Sequence[Callable[[str, int, Count, DrillReport], Iterator[Bound]]] = (_declared, _live, _last_good)
