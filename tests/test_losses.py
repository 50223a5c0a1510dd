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
WORKERS = pytest.mark.parametrize("workers", [0, 1])


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


@pytest.mark.parametrize("call", ["pytest.exit('enough')", "pytest.exit('enough', returncode=0)"])
def test_a_check_that_ends_the_run_does_not_end_it_as_0(operator: "OperatorsFolder", call: str) -> None:
    operator.check("a", f"@requirement('SELF-2', severity='P3', every='1h')\ndef test_leaves(system):\n    {call}\n")
    operator.check("c", THIRD)
    run = operator.run()
    assert run.code != 0, run.output
    assert "UNVERIFIED test_c.py::test_third[shop/system]" in run.output


@WORKERS
def test_a_file_that_cannot_be_collected_is_named(operator: "OperatorsFolder", workers: int) -> None:
    operator.check("a", FIRST)
    operator.check("b", "def test_broken(:\n")
    run = operator.run(workers=workers)
    assert run.code == (6 if workers else 2), run.output
    assert "UNVERIFIED test_b.py\n  it could not be collected, so nothing in it was verified: SyntaxError" in run.output


def test_going_on_without_a_file_that_cannot_be_imported_is_6(operator: "OperatorsFolder") -> None:
    operator.check("a", FIRST)
    operator.check("b", "import no_such_module\n")
    run = operator.run("--continue-on-collection-errors")
    assert run.code == 6, run.output
    assert "1 passed, 1 unverified" in run.output
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
    more = (FIRST.replace("first", f"more_{number}").replace("SELF-1", f"SELF-9{number:02}") for number in range(20))
    operator.check("b", FIRST + "".join(more))
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
def test_values_that_cannot_travel_cost_nothing_but_their_own_results(
    operator: "OperatorsFolder", workers: int
) -> None:
    operator.check("a", FIRST)
    operator.check(
        "b",
        """
        from datetime import datetime
        from decimal import Decimal

        WHEN = datetime(2026, 1, 1)
        MUCH = Decimal("1.5")

        @requirement("SELF-11", severity="P3", every="1h")
        def test_noted_time(system, evidence): evidence.note("when", WHEN)

        @requirement("SELF-12", severity="P3", every="1h")
        def test_noted_decimal(system, evidence): evidence.note("how much", MUCH)

        @requirement("SELF-13", severity="P3", every="1h")
        def test_times(system, evidence): evidence.equal("when", WHEN, expected=WHEN)

        @requirement("SELF-14", severity="P3", every="1h")
        def test_decimal_within_its_limit(system, evidence): evidence.at_most("how much", MUCH, limit=Decimal(2))

        @requirement("SELF-15", severity="P3", every="1h")
        def test_breach(system): raise Breach("when", observed=WHEN, limit=MUCH)

        @requirement("SELF-16", severity="P3", every="1h")
        def test_property(system, record_property): record_property("when", WHEN)
        """,
    )
    operator.check("c", THIRD)
    run = operator.run(workers=workers)
    assert run.code == 1, run.output
    assert "3 passed, 1 breached, 4 unverified" in run.output
    for what in ("when: a datetime", "how much: a Decimal"):
        assert f"{what} cannot be kept on record; give a number or a text" in run.output
    assert "INTERNALERROR" not in run.output


def test_two_checks_of_one_name_are_refused(operator: "OperatorsFolder") -> None:
    """Their results would cover one another: outside the repository a test's id does not hold its folder's name."""
    operator.check("a", FIRST)
    more = operator.folder / "more_checks"
    more.mkdir()
    (more / "test_a.py").write_text((operator.checks / "test_a.py").read_text())
    run = operator.run(str(more))
    assert run.code not in (0, 1, 6), run.output
    assert "two checks are called test_a.py::test_first[shop/system]" in run.output


@WORKERS
@pytest.mark.parametrize(
    "skip", ["pytest.skip('later', allow_module_level=True)", "pytest.importorskip('nowhere_at_all')"]
)
def test_a_file_that_skips_itself_is_named(operator: "OperatorsFolder", skip: str, workers: int) -> None:
    operator.check("a", FIRST)
    operator.check("b", f"{skip}\n{THIRD}")
    run = operator.run(workers=workers)
    assert run.code == (6 if workers else 2), run.output
    assert "UNVERIFIED test_b.py\n  it could not be collected" in run.output
    assert "it skips itself" in run.output


LOST = {
    "a class that is not collected": """
        class TestShop:
            def __init__(self): pass
            @requirement("SELF-2", severity="P3", every="1h")
            def test_it(self, system): pass
        """,
    "a failure in a thread": """
        @requirement("SELF-2", severity="P3", every="1h")
        def test_it(system):
            import threading
            def breach(): raise Breach("x", observed="y", limit="z")
            thread = threading.Thread(target=breach)
            thread.start()
            thread.join()
        """,
    "a verdict that is returned": """
        @requirement("SELF-2", severity="P3", every="1h")
        def test_it(system): return False
        """,
    "evidence of somebody else": """
        @pytest.fixture
        def evidence(): return Evidence()
        @requirement("SELF-2", severity="P3", every="1h")
        def test_it(system, evidence): evidence.at_most("x", 2, limit=1)
        """,
    "not applicable by itself": """
        from reports.requirement import NotApplicable
        @requirement("SELF-2", severity="P3", every="1h")
        def test_it(system): raise NotApplicable("because")
        """,
    "not applicable in a group": """
        from reports.requirement import NotApplicable
        @requirement("SELF-2", severity="P3", every="1h")
        def test_it(system):
            raise ExceptionGroup("two", [NotApplicable("a"), Unverified("a", came_back="b", remedy="c")])
        """,
    "the run broken off as 0 at its very end": """
        @pytest.fixture
        def given():
            yield
            pytest.exit("enough", returncode=0)
        @requirement("SELF-2", severity="P3", every="1h")
        def test_it(system, given): pass
        """,
}


@pytest.mark.parametrize("lost", LOST)
def test_what_is_lost_without_a_failure_does_not_end_as_0(operator: "OperatorsFolder", lost: str) -> None:
    operator.check("a", FIRST)
    operator.check("b", LOST[lost])
    run = operator.run()
    assert run.code in (2, 6), run.output


@pytest.mark.parametrize("option", ["-kfirst", "-mslow", "--deselect=test_a.py::test_first[shop/system]"])
def test_a_gate_judges_all_of_its_checks(operator: "OperatorsFolder", option: str) -> None:
    operator.check("a", FIRST.replace('every="1h"', 'every="1h", gate="before"'))
    assert operator.run("--gate", "before").code == 0
    run = operator.run("--gate", "before", environment={"PYTEST_ADDOPTS": option})
    assert run.code == 4, run.output
    assert "a gate judges all of its checks" in run.output


@pytest.mark.parametrize(
    "error",
    ["ExceptionGroup('g', [ValueError(SECRET)])", "type('E', (Exception,), {'__str__': lambda _: 1 / 0})(SECRET)"],
)
def test_an_error_that_cannot_be_told_tells_no_secret(operator: "OperatorsFolder", error: str) -> None:
    operator.check(
        "b",
        f"""
        SECRET = os.environ["DB_PASSWORD"]
        @requirement("SELF-2", severity="P3", every="1h")
        def test_it(system): raise {error}
        """,
    )
    run = operator.run(
        "--tb=long", "-rA", f"--alluredir={operator.folder}/r", environment={"DB_PASSWORD": "Quilpue-77"}
    )
    assert run.code == 6, run.output
    assert "Quilpue-77" not in run.output
    assert not [path for path in (operator.folder / "r").rglob("*") if "Quilpue-77" in path.read_text()]
