"""What gets lost on the way is named, and no run that lost something ends as 0."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import OperatorsFolder

FIRST = """
@requirement("SELF-1", severity="P3", every="1h")
def test_first(system): pass
"""
THIRD = """
@requirement("SELF-3", severity="P3", every="1h")
def test_third(system): pass
"""
WORKERS = pytest.mark.parametrize("workers", [0, 2])


@pytest.mark.parametrize("restarts", [["--max-worker-restart=0"], []], ids=["no restart", "restarted"])
def test_the_results_of_a_killed_worker_are_named(operator: "OperatorsFolder", restarts: list[str]) -> None:
    operator.check("a", FIRST)
    operator.check(
        "b",
        """
        @requirement("SELF-2", severity="P3", every="1h")
        def test_killed(system):
            os.kill(os.getpid(), 9)
        """,
    )
    operator.check("c", THIRD)
    run = operator.run(*restarts, workers=1)
    assert run.code == 6, run.output
    assert "UNVERIFIED test_b.py::test_killed[shop/system]\n  its process was killed" in run.output
    if restarts:
        assert "UNVERIFIED test_c.py::test_third[shop/system]\n  no result" in run.output
    else:
        assert "2 passed, 1 unverified" in run.output


def test_a_process_that_ends_in_a_check_does_not_end_as_0(operator: "OperatorsFolder") -> None:
    operator.check(
        "b",
        """
        @requirement("SELF-2", severity="P3", every="1h")
        def test_leaves(system):
            os._exit(0)
        """,
    )
    run = operator.run(workers=1)
    assert run.code == 6, run.output
    assert "test_b.py::test_leaves[shop/system]" in run.output


@pytest.mark.parametrize(
    "call", ["raise SystemExit(0)", "pytest.exit('enough')", "pytest.exit('enough', returncode=0)"]
)
def test_a_check_that_ends_the_run_does_not_end_it_as_0(operator: "OperatorsFolder", call: str) -> None:
    operator.check("a", f"@requirement('SELF-2', severity='P3', every='1h')\ndef test_leaves(system):\n    {call}\n")
    operator.check("c", THIRD)
    run = operator.run()
    assert run.code != 0, run.output
    assert "test_third" in run.output or "SELF-3" in run.output


@WORKERS
def test_a_file_that_cannot_be_collected_is_named(operator: "OperatorsFolder", workers: int) -> None:
    operator.check("a", FIRST)
    operator.check("b", "def test_broken(:\n")
    run = operator.run(workers=workers)
    assert run.code == (6 if workers else 2), run.output
    assert "UNVERIFIED test_b.py\n  it could not be collected, so nothing in it was verified: SyntaxError" in run.output


@WORKERS
@pytest.mark.parametrize("going_on", [[], ["--continue-on-collection-errors"]], ids=["stop", "go on"])
def test_a_file_that_cannot_be_imported_is_named(
    operator: "OperatorsFolder", workers: int, going_on: list[str]
) -> None:
    operator.check("a", FIRST)
    operator.check("b", "import no_such_module\n")
    run = operator.run(*going_on, workers=workers)
    assert run.code == (6 if workers or going_on else 2), run.output
    assert "UNVERIFIED test_b.py\n" in run.output
    assert "No module named 'no_such_module'" in run.output


@WORKERS
def test_an_empty_set_of_parameters_does_not_pass(operator: "OperatorsFolder", workers: int) -> None:
    operator.check("a", FIRST)
    operator.check(
        "b",
        """
        @requirement("SELF-2", severity="P3", every="1h")
        @pytest.mark.parametrize("number", [])
        def test_empty(system, number): pass
        """,
    )
    run = operator.run(workers=workers)
    assert run.code != 0, run.output
    assert "test_empty" in run.output


@WORKERS
def test_checks_that_a_stop_left_out_are_named(operator: "OperatorsFolder", workers: int) -> None:
    operator.check("a", "@requirement('SELF-2', severity='P3', every='1h')\ndef test_short(system): assert False\n")
    operator.check("b", FIRST + "".join(FIRST.replace("first", f"more_{number}") for number in range(20)))
    operator.check("c", THIRD)
    run = operator.run("-x", workers=workers)
    assert run.code not in (0, 5, 6), run.output
    assert "test_c.py::test_third[shop/system]" in run.output


def test_everything_left_out_is_5(operator: "OperatorsFolder") -> None:
    operator.check("a", FIRST)
    assert operator.run("-k", "nothing").code == 5
    assert operator.run("--gate", "before").code == 5


def test_no_checks_at_all_are_5(operator: "OperatorsFolder") -> None:
    assert operator.run().code == 5


@WORKERS
@pytest.mark.parametrize(
    "state",
    [
        "evidence.note('when', datetime(2026, 1, 1))",
        "evidence.note('how much', Decimal('1.5'))",
        "evidence.equal('when', datetime(2026, 1, 1), expected=datetime(2026, 1, 1))",
        "evidence.at_most('how much', Decimal(1), limit=Decimal(2))",
    ],
    ids=["noted time", "noted decimal", "equal times", "decimal within its limit"],
)
def test_a_value_that_cannot_travel_costs_nothing_but_its_own_result(
    operator: "OperatorsFolder", workers: int, state: str
) -> None:
    operator.check("a", FIRST)
    operator.check(
        "b",
        f"""
        from datetime import datetime
        from decimal import Decimal

        @requirement("SELF-2", severity="P3", every="1h")
        def test_travels(system, evidence):
            {state}
        """,
    )
    operator.check("c", THIRD)
    run = operator.run(workers=workers)
    assert run.code == 6, run.output
    assert "2 passed, 1 unverified" in run.output
    assert "UNVERIFIED SELF-2" in run.output
    assert "cannot be kept on record; give a number or a text" in run.output
    assert "INTERNALERROR" not in run.output


@WORKERS
def test_a_property_that_cannot_travel_loses_nothing(operator: "OperatorsFolder", workers: int) -> None:
    operator.check(
        "b",
        """
        from datetime import datetime

        @requirement("SELF-2", severity="P3", every="1h")
        def test_travels(system, record_property):
            record_property("when", datetime(2026, 1, 1))
        """,
    )
    run = operator.run(workers=workers)
    assert run.code == 0, run.output
    assert "1 passed" in run.output


def test_two_checks_of_one_name_are_refused(operator: "OperatorsFolder") -> None:
    """Their results would cover one another: outside the repository a test's id does not hold its folder's name."""
    operator.check("a", FIRST)
    more = operator.folder / "more_checks"
    more.mkdir()
    (more / "test_a.py").write_text((operator.checks / "test_a.py").read_text())
    run = operator.run(str(more))
    assert run.code not in (0, 1, 6), run.output
    assert "two checks are called test_a.py::test_first[shop/system]" in run.output
