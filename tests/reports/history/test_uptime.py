"""Uptime from roll-ups is what it is from results alone, whatever came late, was pruned, or is cut by a maintenance."""

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reports.history import retention, rollups, uptime
from reports.history.store import History
from reports.requirement import Outcome
from tests.reports.history.past import HOUR, MINUTE, T, of_raw, put, result

OUTCOMES = [Outcome.PASSED] * 6 + [Outcome.BREACHED, Outcome.WAIVED, Outcome.UNVERIFIED, Outcome.NOT_APPLICABLE]
HOURS = 8


@st.composite
def stories(draw: st.DrawFn) -> dict[str, Any]:
    """Some hours of two targets, and what is asked of them; times lie close to the borders of hours."""
    every = draw(st.sampled_from([MINUTE, 10 * MINUTE, 50 * MINUTE, 3 * HOUR, 24 * HOUR]))
    near = st.builds(
        lambda number, off: T + number * HOUR + off,
        st.integers(0, HOURS),
        st.one_of(st.integers(-2, 2), st.integers(0, HOUR - 1), st.sampled_from([HOUR - every, 2 * every])),
    )
    results = {
        target: [
            result(at, draw(st.sampled_from(OUTCOMES)), target=target, every=every)
            for at in draw(st.lists(near, min_size=1, max_size=20, unique=True))
        ]
        for target in ("web", "api")
    }
    begin, end = sorted(draw(st.tuples(near, near).filter(lambda pair: pair[0] != pair[1])))
    spans = draw(st.lists(st.tuples(near, near).map(sorted).map(tuple), max_size=4))
    return {"results": results, "begin": begin, "end": end, "maintenance": spans, "late": draw(st.integers(0, 12))}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories())
def test_it_is_what_results_alone_come_to(history: History, story: dict[str, Any]) -> None:
    _emptied(history)
    everything = [each for some in story["results"].values() for each in some]
    late, early = everything[: story["late"]], everything[story["late"] :]
    put(history, *early)
    rollups.roll(history, T + 5 * HOUR)
    put(history, *late)
    for now in (T + 6 * HOUR, T + 20 * HOUR):
        rollups.roll(history, now)
        _same(history, story)
    retention.prune(history, T + 20 * HOUR, keep=timedelta(0))
    _same(history, story)


def _same(history: History, story: dict[str, Any]) -> None:
    asked = {name: story[name] for name in ("begin", "end", "maintenance")}
    with history.reading() as opened:
        read = uptime.accounts(opened, "shop", "production", "HEALTH-1", vantage="here", **asked)
    expected = {target: of_raw(some, **asked) for target, some in story["results"].items()}
    assert read == expected
    # A share can be made of whole numbers alone, whatever the database adds up to.
    assert {name: each.measured.uptime for name, each in read.items()} == {
        name: each.measured.uptime for name, each in expected.items()
    }


def _emptied(history: History) -> None:
    from reports.history.tables import metadata

    with history.writing() as opened:
        for table in metadata.sorted_tables:
            opened.execute(table.delete())
