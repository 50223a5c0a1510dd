"""A waiver lets one breach pass for a time and stays on record; it excuses nothing else."""

from fixtures.lab.lab import Lab
from tests.proofs.conftest import Suite

WAIVER = """
[[waiver]]
requirement = "SYNC-1"
target = "{target}"
until = {until}
reason = "ALMA is being moved to another building"
approved_by = "Jefatura de Informática"
"""
HOLDS, ENDED = "2999-12-31", "2020-01-01"
STALE = {"SYNC-1 alma"}


def test_waived_breach_does_not_count(suite: Suite, lab: Lab) -> None:
    with lab.sync.stale():
        run = suite.run("mira", also=WAIVER.format(target="alma", until=HOLDS))
    run.expect(waived=STALE)
    assert "waived until 2999-12-31, by Jefatura de Informática: ALMA is being moved" in run.said("SYNC-1 alma")


def test_expired_waiver_excuses_nothing(suite: Suite, lab: Lab) -> None:
    with lab.sync.stale():
        run = suite.run("mira", also=WAIVER.format(target="alma", until=ENDED))
    run.expect(red=STALE)
    assert "no longer waived: the waiver ended" in run.said("SYNC-1 alma")


def test_waiver_of_another_target_excuses_nothing(suite: Suite, lab: Lab) -> None:
    with lab.sync.stale():
        run = suite.run("mira", also=WAIVER.format(target="main", until=HOLDS))
    run.expect(red=STALE)


def test_waiver_excuses_nothing_that_could_not_be_told(suite: Suite, lab: Lab) -> None:
    with lab.sync.unreadable():
        run = suite.run("mira", also=WAIVER.format(target="alma", until=HOLDS))
    run.expect(grey={*STALE, "SYNC-2 alma", "SYNC-3 alma"})


def test_breach_names_the_next_step_of_the_runbook(suite: Suite, lab: Lab) -> None:
    with lab.sync.stale():
        run = suite.run("mira")
    run.expect(red=STALE)
    step = "Ejecutar UGCO/scripts/check-sql-sync-simple.js, verificar la VPN"
    assert f"next step\n    {step}" in run.said("SYNC-1 alma")
    assert step in run.output
