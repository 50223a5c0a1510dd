"""The suite as an operator runs it, in processes of its own: 0, 1, 6 and pytest's own codes."""

import re
from typing import TYPE_CHECKING

import pytest

from reports.requirement import FAMILIES

if TYPE_CHECKING:
    from tests.conftest import OperatorsFolder

PASSING = """
@requirement("SELF-1", severity="P3", every="1h", gate="before")
def test_it_holds(system, evidence: Evidence) -> None:
    '''It holds.'''
    evidence.at_most("lag", 2, limit=2, unit="s", subject="queue")
"""
BREACHING = """
@requirement("SELF-2", severity="P1", every="1h", gate="after")
def test_it_is_short(system, evidence: Evidence) -> None:
    '''It is short of it.'''
    evidence.at_most("lag", 3, limit=2, unit="s", subject="queue")
    evidence.equal("state", "down", expected="up")
"""
UNVERIFIED = """
@requirement("SELF-3", severity="P2", every="1h", gate="both")
def test_it_cannot_be_told(system, evidence: Evidence) -> None:
    '''It can be told.'''
    raise Unverified("asking the queue", came_back="status 401", remedy="Renew the key")
"""
WORKERS = pytest.mark.parametrize("workers", [0, 2])


@WORKERS
def test_all_passed_is_0(operator: "OperatorsFolder", workers: int) -> None:
    operator.check("fine", PASSING)
    run = operator.run(workers=workers)
    assert run.code == 0, run.output
    assert re.search(r"SELF-1 +shop/system +lag: 2 s +at most 2 s +passed", run.output), run.output
    assert "1 passed" in run.output


@WORKERS
def test_anything_breached_is_1_and_says_what_where_and_what_to_do(operator: "OperatorsFolder", workers: int) -> None:
    operator.system(
        "shop", '[[runbook]]\nrequirement = "SELF-*"\nnext = "Restart the worker"\nlink = "https://h/book"\n'
    )
    operator.check("mixed", PASSING + BREACHING + UNVERIFIED)
    run = operator.run(workers=workers)
    assert run.code == 1, run.output
    assert (
        "BREACHED SELF-2 (P1) shop/system\n"
        "  It is short of it.\n"
        "  lag, queue\n    observed   3 s\n    limit      at most 2 s\n"
        "  state\n    observed   down\n    limit      exactly up\n"
        "  next step\n    Restart the worker\n    https://h/book"
    ) in run.output
    assert "1 passed, 1 breached, 1 unverified" in run.output
    assert "Traceback" not in run.output


@WORKERS
def test_nothing_breached_and_something_unverified_is_6(operator: "OperatorsFolder", workers: int) -> None:
    operator.check("mixed", PASSING + UNVERIFIED)
    run = operator.run(workers=workers)
    assert run.code == 6, run.output
    assert (
        "UNVERIFIED SELF-3 (P2) shop/system\n"
        "  It can be told.\n"
        "  tried        asking the queue\n  came back    status 401\n  do           Renew the key"
    ) in run.output


def test_a_gate_judges_its_own_checks_only(operator: "OperatorsFolder") -> None:
    operator.check("mixed", PASSING + BREACHING + UNVERIFIED)
    before = operator.run("--gate", "before")
    assert before.code == 6, before.output
    assert "1 passed, 1 unverified" in before.output
    assert "SELF-2" not in before.output
    after = operator.run("--gate", "after")
    assert after.code == 1, after.output
    assert "SELF-1 " not in after.output


@WORKERS
def test_what_a_check_does_that_it_should_not_never_passes(operator: "OperatorsFolder", workers: int) -> None:
    operator.check(
        "odd",
        """
        def row(number):
            return requirement(f"SELF-{number}", severity="P3", every="1h")

        @row(11)
        def test_skip_inside(system): pytest.skip("later")

        @row(12)
        @pytest.mark.skip(reason="later")
        def test_skip_mark(system): pass

        @row(13)
        def test_xfail_inside(system): pytest.xfail("known")

        @row(14)
        @pytest.mark.xfail(reason="known")
        def test_xfail_mark(system): assert False, "of it"

        @row(15)
        @pytest.mark.xfail(reason="known", strict=False)
        def test_xfail_mark_unverified(system): raise Unverified("a", came_back="b", remedy="c")

        @row(16)
        def test_fail(system): pytest.fail("by hand")

        @row(17)
        def test_unforeseen(system): {}["of ours"]

        @row(18)
        def test_assertion(system): assert 1 == 2, "one is not two"

        @row(19)
        def test_group(system):
            unverified = Unverified("a", came_back="b", remedy="c")
            raise ExceptionGroup("several", [unverified, Breach("x", observed="y", limit="z")])

        @pytest.fixture
        def broken(): raise OSError("no such device")

        @row(20)
        def test_fixture(system, broken): pass

        @pytest.fixture
        def given():
            yield
            raise OSError("not given back")

        @row(21)
        def test_teardown(system, given): pass

        @row(22)
        def test_warning(system):
            import warnings
            warnings.warn("of no importance", stacklevel=1)
        """,
    )
    run = operator.run(workers=workers)
    found = dict(re.findall(r"^SELF-(\d+) .* (passed|breached|unverified) *$", run.output, re.MULTILINE))
    breached, passed = {"14", "18", "19"}, {"22"}
    assert found == {
        str(number): "breached" if str(number) in breached else "passed" if str(number) in passed else "unverified"
        for number in range(11, 23)
    }, run.output
    assert run.code == 1, run.output
    for said in (
        "skipped (later)",
        "by hand",
        "KeyError: '...'",
        "one is not two",
        "no such device",
        "not given back",
    ):
        assert said in run.output


def test_an_undeclared_requirement_is_unverified_and_a_declared_reason_is_enough(operator: "OperatorsFolder") -> None:
    operator.check(
        "caches",
        """
        @requirement("CACHE-1", severity="P1", every="5 min")
        def test_cache(redis_cache, evidence): pass
        """,
    )
    run = operator.run()
    assert run.code == 6, run.output
    assert "the system file of shop declares nothing for it" in run.output
    assert 'under [system.not_applicable]: "CACHE-1" = "reason"' in run.output
    operator.system("shop", 'not_applicable = { "CACHE-*" = "keeps no cache" }')
    run = operator.run()
    assert run.code == 0, run.output
    assert re.search(r"CACHE-1 +shop/- +keeps no cache +not applicable", run.output), run.output


def test_a_waiver_holds_until_the_end_of_its_last_day_and_no_longer(operator: "OperatorsFolder") -> None:
    operator.system(
        "shop",
        """\
        timezone = "America/Santiago"
        [[waiver]]
        requirement = "SELF-2"
        target = "system"
        until = 2026-12-31
        reason = "new queue in January"
        approved_by = "DBA"
        """,
    )
    operator.check("short", BREACHING)
    held = operator.run("--now", "2027-01-01T02:59:00Z")  # 23:59 in Chile
    assert held.code == 0, held.output
    assert "1 waived" in held.output
    ended = operator.run("--now", "2027-01-01T03:01:00Z")
    assert ended.code == 1, ended.output
    assert "no longer waived: the waiver ended on 2026-12-31, by DBA: new queue in January" in ended.output


def test_every_chosen_system_is_verified(operator: "OperatorsFolder") -> None:
    operator.system("bakery")
    operator.check("fine", PASSING)
    run = operator.run("--system", "bakery")
    assert run.code == 0, run.output
    assert "shop/system" in run.output
    assert "bakery/system" in run.output
    assert "2 passed" in run.output


def test_beside_the_suites_own_checks(operator: "OperatorsFolder") -> None:
    """As the documentation shows it: the suite's folders and the operator's on one line."""
    reasons = ", ".join(f'"{family}-*" = "has none"' for family in FAMILIES if family != "SELF")
    # The other number of that family is PASSING's own.
    operator.system("shop", f'not_applicable = {{ {reasons}, "SELF-4" = "has none" }}')
    operator.check("fine", PASSING)
    run = operator.run("checks")
    assert run.code == 0, run.output
    assert re.search(r"1 passed, \d\d not applicable", run.output), run.output


def test_listing_checks_verifies_nothing(operator: "OperatorsFolder") -> None:
    operator.check("short", BREACHING)
    run = operator.run("--collect-only", "-q")
    assert run.code == 0, run.output
    assert "test_it_is_short[shop/system]" in run.output
    assert "BREACHED" not in run.output
