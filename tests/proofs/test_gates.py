"""The two gates around a deployment, as processes: 0 go, 1 something is breached, 6 something could not be verified."""

import pytest

from fixtures.lab.lab import Lab
from reports.requirement import Outcome
from tests.proofs.affected import CHECKED, COMERCIAL_API
from tests.proofs.conftest import Suite
from tests.proofs.rows import catalogue

# Whatever the gate, xdist's controller judges in one way what its workers tell it: one gate of the two is asked so.
RUNS = {"before, alone": ("before", ()), "after, alone": ("after", ()), "after, two workers": ("after", ("-n", "2"))}
ASKED = {gate: {name for name, row in catalogue().items() if gate in row.gates} for gate in ("before", "after")}
each_run = pytest.mark.parametrize(("gate", "workers"), RUNS.values(), ids=RUNS)
each_system = pytest.mark.parametrize("system", CHECKED)
alone_or_not = pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two workers"])


@each_run
@each_system
def test_nothing_is_wrong(suite: Suite, system: str, gate: str, workers: tuple[str, ...]) -> None:
    run = suite.run(system, f"--gate={gate}", *workers)
    run.expect()
    asked = {name for name in CHECKED[system] if name.partition(" ")[0] in ASKED[gate]}
    assert run.of(Outcome.PASSED) == asked, run.output


@each_run
def test_mira_is_breached(suite: Suite, lab: Lab, gate: str, workers: tuple[str, ...]) -> None:
    with lab.nocobase.rows_hidden():
        run = suite.run("mira", f"--gate={gate}", *workers)
    run.expect(red={"HEALTH-4 nocobase"})


@each_run
def test_the_commercial_system_is_breached(suite: Suite, lab: Lab, gate: str, workers: tuple[str, ...]) -> None:
    with lab.cache.stopped():
        run = suite.run("comercial-electrica", f"--gate={gate}", *workers)
    run.expect(red={"CACHE-1 redis", *COMERCIAL_API, *({"QUEUE-2 jobs"} if gate == "after" else ())})


@each_run
def test_mira_cannot_be_verified(suite: Suite, lab: Lab, gate: str, workers: tuple[str, ...]) -> None:
    with lab.nocobase_migrations.metadata_table_missing():
        run = suite.run("mira", f"--gate={gate}", *workers)
    run.expect(grey={"MIGRATE-2 nocobase", *({"MIGRATE-1 nocobase"} if gate == "after" else ())})


@each_run
def test_the_commercial_system_cannot_be_verified(suite: Suite, lab: Lab, gate: str, workers: tuple[str, ...]) -> None:
    with lab.cache.password_rotated():
        run = suite.run("comercial-electrica", f"--gate={gate}", *workers)
    run.expect(grey={"CACHE-1 redis", *({"QUEUE-2 jobs"} if gate == "after" else ())})


@alone_or_not
def test_breach_counts_more_than_what_could_not_be_verified(suite: Suite, lab: Lab, workers: tuple[str, ...]) -> None:
    with lab.cache.password_rotated(), lab.prisma.failed_row():
        run = suite.run("comercial-electrica", "--gate=before", *workers)
    run.expect(red={"MIGRATE-2 prisma"}, grey={"CACHE-1 redis"})


def test_gate_before_does_not_ask_whether_a_migration_is_pending(suite: Suite, lab: Lab) -> None:
    with lab.prisma.new_folder():
        suite.run("comercial-electrica", "--gate=before").expect()
        suite.run("comercial-electrica", "--gate=after").expect(red={"MIGRATE-1 prisma"})
