"""What a system file expects of the restored tables' rows, as bounds that they are held to."""

from collections.abc import Callable, Iterator, Sequence
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


def bounds(declared: RestoreDeclared, report: DrillReport) -> Iterator[Bound | Unverified]:
    """Every expectation of every declared table; or why one of them cannot be told, which is no word on the others.

    Raises:
        Breach: when the backup is damaged, or a table is not there.
        Unverified: when the drill could not tell.
    """
    for table, count in declared.counts.items():
        rows = report.rows_of(table, database=declared.database)
        for kind in KINDS:
            try:
                bound = kind(table, rows, count, report)
            except Unverified as untold:
                yield untold
            else:
                if bound is not None:
                    yield bound


def measure(evidence: Evidence, declared: RestoreDeclared, report: DrillReport) -> None:
    """Hold the rows to every expectation that can be told, on record; what cannot be told comes after all that can.

    Raises:
        Breach: as `bounds`, or when one does not hold.
        Unverified: as `bounds`, or when one cannot be told and all others hold, or there is none.
    """
    untold = []
    for each in bounds(declared, report):
        if isinstance(each, Bound):
            each.measure(evidence)
        else:
            untold.append(each)
    evidence.judge()
    if untold:
        raise untold[0].with_traceback(None)
    if not evidence.measurements:
        raise Unverified(
            f"comparing the rows in {report.file}",
            came_back="nothing that is expected of them can be asked of a backup that is not the newest",
            remedy='Expect something of every backup too, such as "min"',
        )


def fulfilled(declared: RestoreDeclared, report: DrillReport) -> bool:
    """Whether every expectation that can be told holds; what cannot be told spoils no drill.

    Raises:
        Breach: as `bounds`.
        Unverified: as `bounds`.
    """
    return all(each.holds for each in bounds(declared, report) if isinstance(each, Bound))


def _declared(table: str, rows: int, count: Count, _: DrillReport) -> Bound | None:
    if (count.min, count.max, count.exact) == (None, None, None):
        return None
    return Bound(table, rows, "declared", count.min, count.max, count.exact)


def _live(table: str, rows: int, count: Count, report: DrillReport) -> Bound | None:
    if count.live is None or not report.of_newest:
        return None
    there = report.live_rows()[table]
    of = f"the live database, {there} rows"
    return Bound(table, rows, of, least=there * (1 - count.live), most=there * (1 + count.live))


def _last_good(table: str, rows: int, count: Count, report: DrillReport) -> Bound | None:
    if count.drop is None or not report.of_newest:
        return None
    last = report.last_good()
    if last is None or table not in last.rows:
        raise Unverified(
            f"comparing the rows of {table} with those of the last good drill",
            came_back="none is on record that counted it",
            remedy="If this drill holds what else is expected of it, it is the one that the next is compared with",
        )
    before = last.rows[table]
    of = f"the last good drill, of {last.at:%Y-%m-%d}, {before} rows"
    return Bound(table, rows, of, least=before * (1 - count.drop))


KINDS: Sequence[Callable[[str, int, Count, DrillReport], Bound | None]] = (_declared, _live, _last_good)
