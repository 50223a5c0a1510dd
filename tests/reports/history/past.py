"""Runs and results as tests put them on record."""

from collections.abc import Iterable, Mapping
from uuid import uuid4

from fixtures.measure.uptime import Account, Probe, Span, State, accounted
from reports.history.kept import Kept, Run, SystemRun
from reports.history.store import History
from reports.requirement import Measurement, Outcome

HOUR = 3_600_000
MINUTE = 60_000
# 2026-11-26 00:00 UTC.
T = 1_795_651_200_000
_STATES = {Outcome.PASSED: State.UP, Outcome.BREACHED: State.DOWN, Outcome.WAIVED: State.DOWN}


def run(*, began: int = T, vantage: str = "here", systems: Iterable[str] = ("shop",)) -> Run:
    """A run that ended after a second."""
    parts = {name: SystemRun("production", "ab" * 32) for name in systems}
    return Run(
        uuid4().hex,
        vantage,
        began,
        suite="0.3.0",
        gate="",
        scheduled=True,
        systems=parts,
        ended=began + 1000,
        exit_code=0,
    )


def result(at: int = T, outcome: Outcome = Outcome.PASSED, **changed: object) -> Kept:
    """A result of HEALTH-1 on shop/web, but for what is changed."""
    facts: Mapping[str, object] = {
        "system": "shop",
        "requirement": "HEALTH-1",
        "target": "web",
        "severity": "P1",
        "title": "It is there.",
        "every": 2 * MINUTE,
        "at": at,
        "outcome": outcome,
        "message": "" if outcome is Outcome.PASSED else "BREACHED HEALTH-1 shop/web\n  está caído",
        "measurements": (Measurement("time", 0.25, "s", comparison="at most", limit=2.0, holds=True),),
        "observed": 0.25,
        "bound": 2.0,
        "what": "time",
        "unit": "s",
        **changed,
    }
    return Kept(**facts)  # type: ignore[arg-type]  # the test names the field


def put(history: History, *results: Kept, vantage: str = "here") -> None:
    """Put results on record, those of a series by one run, as a run of many hours would."""
    if results:
        systems = {each.system for each in results}
        history.record(run(began=results[0].at, vantage=vantage, systems=systems), results)


def of_raw(results: Iterable[Kept], *, begin: int, end: int, maintenance: Iterable[Span] = ()) -> Account:
    """What the results of one series come to, counted without any store."""
    known = list(results)
    probes = [Probe(each.at, _STATES.get(each.outcome, State.UNKNOWN)) for each in known]
    return accounted(probes, begin=begin, end=end, hold=2 * known[0].every, maintenance=maintenance)
