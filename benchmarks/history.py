"""What the history costs: python -m benchmarks.history [--days 30] [--targets 1000] [--only sqlite].

Thirty days of a thousand targets, looked at every two minutes: 21.6 million results. Put on record in runs as a run
does, by SQLite and by a PostgreSQL with ordinary settings; then the uptime of all targets over the whole window is
asked for. Beside it, in the same run and of the same rows, what one would make without the suite: one plain table,
asked for the share of good results, as most monitors do, and for the same time-weighted figure.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from fixtures.embedded import EmbeddedServer
from fixtures.measure.units import shown_size
from fixtures.short_folder import short_folder
from reports.history import rollups, uptime
from reports.history.address import Address
from reports.history.kept import Kept, Run, SystemRun, moment
from reports.history.store import History
from reports.requirement import Measurement, Outcome

if TYPE_CHECKING:
    from sqlalchemy import Connection

EVERY = 120_000
HOUR = 3_600_000
DAY = 24 * HOUR
BEGIN = 1_793_491_200_000  # 2026-11-01
SHARE_DOWN = 0.005
# How long something stays down at a time, in rounds.
BURST = 10
ROUNDS = 5
MOST_SECONDS = 1.0
LEAST_RATE = 20_000
OURS = ("series", "run", "result", "detail", "hour", "late")


@dataclass(frozen=True)
class Size:
    """How much is put on record."""

    days: int
    targets: int

    @property
    def end(self) -> int:
        """The first ms after it."""
        return BEGIN + self.days * DAY

    @property
    def results(self) -> int:
        """How many they are."""
        return self.days * DAY // EVERY * self.targets


def rounds(size: Size) -> Iterator[list[Kept]]:
    """The results of one round after another, some targets down for several rounds."""
    random = Random(5)  # noqa: S311 -- the same each time, no secret
    down_until = [0] * size.targets
    up = Measurement("time to answer", 0.12, "s", comparison="at most", limit=2.0, holds=True)
    down = Measurement("status", 503, comparison="exactly", limit=200, holds=False)
    for number in range(size.days * DAY // EVERY):
        results = []
        for target in range(size.targets):
            if number >= down_until[target] and random.random() < SHARE_DOWN / BURST:
                down_until[target] = number + BURST
            passed = number >= down_until[target]
            results.append(
                Kept(
                    *("shop", "HEALTH-1", f"endpoint-{target}", "P1", "The health endpoint answers.", EVERY),
                    at=BEGIN + number * EVERY + target * 7 % 9000,
                    outcome=Outcome.PASSED if passed else Outcome.BREACHED,
                    message="" if passed else "BREACHED HEALTH-1\n  status: 503, expected exactly 200",
                    measurements=(up if passed else down,),
                    observed=0.05 + random.random() if passed else None,
                    bound=2.0,
                    what="time to answer",
                    unit="s",
                )
            )
        yield results


def run_of(results: Sequence[Kept]) -> Run:
    """The run that found them."""
    systems = {"shop": SystemRun("production", "ab" * 32)}
    began = results[0].at
    return Run(f"{began:032x}", "here", began, "0.3.0", "", scheduled=True, systems=systems, ended=began, exit_code=0)


@dataclass
class Loaded:
    """What was put on record, and how fast."""

    down: int = 0
    single: float = 0
    recording: float = 0
    rolling: float = 0


def load(history: History, size: Size) -> Loaded:
    """Put all of it on record: a day in runs of one round, as a run does, the rest an hour at a time."""
    loaded = Loaded()
    waiting: list[Kept] = []
    in_day = DAY // EVERY
    for number, results in enumerate(rounds(size), start=1):
        loaded.down += sum(each.outcome is Outcome.BREACHED for each in results)
        waiting += results
        if number > in_day and number % (HOUR // EVERY):
            continue
        took = timed(partial(history.record, run_of(waiting), waiting))
        loaded.recording += took
        loaded.single += took if number <= in_day else 0
        waiting = []
        if number % (HOUR // EVERY) == 0:
            loaded.rolling += timed(partial(rollups.roll, history, BEGIN + number * EVERY))
    return loaded


def timed(do: Callable[[], object]) -> float:
    """How many seconds it takes."""
    begun = time.perf_counter()
    do()
    return time.perf_counter() - begun


@dataclass(frozen=True)
class Dialect:
    """How a database writes what its plain table takes and is asked for."""

    key: str
    time: str
    of_ms: str
    ms_between: str
    shorter: str


DIALECTS = {
    "sqlite": Dialect(
        "INTEGER PRIMARY KEY",
        "TEXT",
        "strftime('%Y-%m-%dT%H:%M:%f', r.at / 1000.0, 'unixepoch')",
        "(julianday(following) - julianday(at)) * 86400000",
        "min",
    ),
    "postgresql": Dialect(
        "bigserial PRIMARY KEY",
        "timestamptz",
        "timestamptz 'epoch' + r.at * interval '1 ms'",
        "extract(epoch FROM following - at) * 1000",
        "least",
    ),
}
PLAIN = """
CREATE TABLE plain (id {key}, system text, requirement text, target text, at {time}, outcome text, observed float8);
INSERT INTO plain (system, requirement, target, at, outcome, observed)
SELECT s.system, s.requirement, s.target, {of_ms},
    CASE r.outcome WHEN 0 THEN 'passed' ELSE 'breached' END, r.observed
FROM result r JOIN series s ON s.id = r.series ORDER BY r.at;
CREATE INDEX plain_at ON plain (system, requirement, target, at)
"""
# As most monitors figure it, and weighted by time, as it is asked for here.
SHARE = """
SELECT target, 100.0 * count(*) FILTER (WHERE outcome = 'passed') / count(*) FROM plain
WHERE system = 'shop' AND requirement = 'HEALTH-1' AND at >= {begin} AND at < {end} GROUP BY target
"""
WEIGHTED = """
SELECT target, sum(CASE WHEN outcome <> 'passed' THEN lasted ELSE 0 END), sum(lasted) FROM (
    SELECT target, outcome, {shorter}({ms_between}, 240000) AS lasted FROM (
        SELECT target, outcome, at, coalesce(lead(at) OVER (PARTITION BY target ORDER BY at), {end}) AS following
        FROM plain WHERE system = 'shop' AND requirement = 'HEALTH-1' AND at >= {begin} AND at < {end}
    ) AS looked
) AS held GROUP BY target
"""


def plain(opened: "Connection") -> None:
    """The same rows as one table with an index, as one would make it."""
    for statement in PLAIN.format(**vars(DIALECTS[opened.dialect.name])).split(";"):
        opened.exec_driver_sql(statement.replace("%", "%%") if opened.dialect.name == "postgresql" else statement)


def asked_of_plain(opened: "Connection", query: str, begin: int, end: int) -> Sequence[Any]:
    """What a query of the plain table answers."""
    zone = "+00" if opened.dialect.name == "postgresql" else ""
    borders = {name: f"'{moment(at):%Y-%m-%dT%H:%M:%S}{zone}'" for name, at in (("begin", begin), ("end", end))}
    if opened.dialect.name == "postgresql":
        borders = {name: f"timestamptz {at}" for name, at in borders.items()}
    return opened.exec_driver_sql(query.format(**borders, **vars(DIALECTS[opened.dialect.name]))).all()


def size_of(history: History, tables: Sequence[str]) -> int:
    """How much room tables and their indexes take, in bytes."""
    with history.reading() as opened:
        if opened.dialect.name == "sqlite":
            pages = opened.exec_driver_sql("PRAGMA page_count").scalar_one()
            return int(pages) * int(opened.exec_driver_sql("PRAGMA page_size").scalar_one())
        relations = ", ".join(f"pg_total_relation_size('{name}')" for name in tables)
        return sum(opened.exec_driver_sql(f"SELECT {relations}").one())


def stores(only: str | None) -> Iterator[tuple[str, History]]:
    """An empty history of each kind, one after the other."""
    if only in {None, "sqlite"}:
        with tempfile.TemporaryDirectory(prefix="constancia-bench-") as folder:
            yield "SQLite", History(Address(f"sqlite:///{folder}/history.db", Path(folder) / "spool"))
    if only in {None, "postgresql"}:
        with short_folder("bench") as place, EmbeddedServer(place, tcp=False) as server:
            url = f"postgresql+psycopg://postgres@/postgres?host={server.socket_dir}&port={server.port}"
            yield "PostgreSQL", History(Address(url, place / "spool"))


def tidy(history: History, *tables: str) -> None:
    """What autovacuum does in time."""
    if history.address.file is None:
        import psycopg

        address = history.address.url.replace("postgresql+psycopg", "postgresql")
        with psycopg.connect(address, autocommit=True) as opened:
            for table in tables:
                opened.execute(f"VACUUM (ANALYZE) {table}".encode())


def best(history: History, ask: "Callable[[Connection], Any]", times: int) -> tuple[float, Any]:
    """The shortest time of several, in seconds, and the answer."""
    took, answer = [], None
    for _ in range(times):
        begun = time.perf_counter()
        with history.reading() as opened:
            if opened.dialect.name == "postgresql":
                opened.exec_driver_sql("SET LOCAL statement_timeout = 0")
            answer = ask(opened)
        took.append(time.perf_counter() - begun)
    return min(took), answer


def measure(name: str, history: History, size: Size) -> bool:
    """Measure one kind of store, print its figures, and say whether they hold."""
    loaded = load(history, size)
    tidy(history, *OURS)
    ours = size_of(history, OURS)
    begin, end = BEGIN, size.end
    whole, accounts = best(history, lambda opened: uptime.of_all(opened, begin=begin, end=end), ROUNDS)
    odd = {"begin": begin + 1_234_567, "end": end - 2_345_678}
    maintenance = [(begin + 5 * HOUR + 601_000, begin + 9 * HOUR + 1_802_000)]
    cut, _ = best(history, lambda opened: uptime.of_all(opened, **odd, maintenance=maintenance), ROUNDS)
    down = sum(each.measured.down for each in accounts.values())

    with history.writing() as opened:
        if opened.dialect.name == "postgresql":
            opened.exec_driver_sql("SET LOCAL statement_timeout = 0")
        plain(opened)
    tidy(history, "plain")
    theirs = size_of(history, ["plain"]) - (ours if history.address.file else 0)
    share, _ = best(history, lambda opened: asked_of_plain(opened, SHARE, begin, end), 2)
    weighted, answer = best(history, lambda opened: asked_of_plain(opened, WEIGHTED, begin, end), 2)
    down_plainly = round(sum(float(row[1]) for row in answer))

    single = min(size.results, DAY // EVERY * size.targets) / loaded.single
    rate = size.results / loaded.recording
    print(f"{name}: {size.results:,} results of {size.targets} targets in {size.days} days".replace(",", " "))
    print(f"  {'':44}{'the history':>14}{'plain table':>14}")
    print(f"  {'uptime of all targets, whole window':44}{whole:12.2f} s{weighted:12.2f} s")
    print(f"  {'the same, odd edges and one maintenance':44}{cut:12.2f} s{'':>14}")
    print(f"  {'share of good results (no time, no gaps)':44}{'':>14}{share:12.2f} s")
    print(f"  {'size':44}{shown_size(ours):>14}{shown_size(theirs):>14}")
    print(f"  {'size per result':44}{ours / size.results:12.1f} B{theirs / size.results:12.1f} B")
    print(f"  put on record: {single:,.0f} results/s in runs of {size.targets}, {rate:,.0f} in all".replace(",", " "))
    print(f"  rolled up: {size.results / loaded.rolling:,.0f} results/s".replace(",", " "))
    # At the end of the window some are cut short, and a plain table's texts are no exact times.
    right = 0 <= loaded.down * EVERY - down <= size.targets * 9000 and abs(down_plainly - down) <= down / 100
    if not right:
        print(f"  WRONG: down {down} ms, by the plain table {down_plainly} ms, put on record {loaded.down * EVERY} ms")
    return right and max(whole, cut) < MOST_SECONDS and single >= LEAST_RATE


def main() -> int:
    """Measure both stores, and say by the exit code whether the figures hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.history")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--targets", type=int, default=1000)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    chosen = parser.parse_args()
    size = Size(chosen.days, chosen.targets)
    held = [measure(name, history, size) for name, history in stores(chosen.only)]
    busy = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"asked for: under {MOST_SECONDS:.0f} s, {LEAST_RATE} results/s or more; this machine's load: {busy}")
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
