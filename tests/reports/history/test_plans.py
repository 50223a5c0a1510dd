"""Plans and claims of scheduled runs, in both stores."""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from reports.history import plans
from reports.history.plans import Key, Place
from reports.history.store import History
from reports.history.tables import claim, plan

NOW = 1_795_000_000_000  # ms
LIMIT = 900_000
SHOP = Place("shop", "production", "here")
CHECKS = [("SELF-900", f"target-{number}") for number in range(20)]
Take = Callable[..., Collection[Key]]


@pytest.fixture
def take(history: History) -> Take:
    """Claims checks for a run."""

    def claimed(run: str, *keys: Key, at: Place = SHOP, now: int = NOW) -> Collection[Key]:
        wanted: Mapping[Key, int] = dict.fromkeys(keys, now + LIMIT)
        with history.writing() as opened:
            return plans.take(opened, at, wanted, run=run, now=now, credible=now + 2 * LIMIT)

    return claimed


def test_what_one_run_is_about_no_other_gets(take: Take) -> None:
    one, two, three = CHECKS[:3]
    assert set(take("first", one, two)) == {one, two}
    assert set(take("second", two, three)) == {three}
    assert set(take("second")) == set()


def test_claims_hold_for_one_place_alone(take: Take) -> None:
    for place in (SHOP, Place("shop", "staging", "here"), Place("shop", "production", "there"), Place("s", "p", "v")):
        assert set(take("run", CHECKS[0], at=place)) == {CHECKS[0]}


def test_claim_lapses_at_its_time(take: Take) -> None:
    take("killed", CHECKS[0])
    assert not take("second", CHECKS[0], now=NOW + LIMIT - 1)
    assert take("second", CHECKS[0], now=NOW + LIMIT)


def test_claim_of_a_clock_that_was_wrong_is_not_believed(take: Take) -> None:
    take("second", CHECKS[0])
    # It holds until NOW + LIMIT, and may do so for twice the limit from now on.
    assert not take("third", CHECKS[0], now=NOW - LIMIT)
    assert take("third", CHECKS[0], now=NOW - LIMIT - 1)


def test_claims_are_given_back(history: History, take: Take) -> None:
    take("first", *CHECKS[:2])
    take("second", CHECKS[2])
    with history.writing() as opened:
        plans.give_back(opened, ["first", "third"])
    assert set(take("third", *CHECKS[:3])) == set(CHECKS[:2])


def test_of_many_runs_at_once_one_gets_each_check(history: History, take: Take) -> None:
    with history.reading():  # the schema is there
        pass
    together = Barrier(8)

    def all_at_once(run: int) -> Collection[Key]:
        together.wait()
        return take(str(run), *(CHECKS if run % 2 else CHECKS[::-1]))

    with ThreadPoolExecutor(8) as runs:
        taken = list(runs.map(all_at_once, range(8)))
    assert sorted(key for each in taken for key in each) == sorted(CHECKS)


def test_plan_takes_the_place_of_the_one_before(history: History) -> None:
    with history.writing() as opened:
        plans.keep(opened, SHOP, "checks", digest="1", document="old")
        plans.keep(opened, SHOP, "restore", digest="1", document="of drills")
        plans.keep(opened, SHOP, "checks", digest="2", document="new")
    with history.reading() as opened:
        kept = {row.selection: (row.digest, row.document) for row in opened.execute(plan.select())}
    assert kept == {"checks": ("2", "new"), "restore": ("1", "of drills")}
    with history.writing() as opened:
        plans.forget(opened, SHOP, "checks")
    with history.reading() as opened:
        assert [row.selection for row in opened.execute(plan.select())] == ["restore"]
        assert not opened.execute(claim.select()).all()
