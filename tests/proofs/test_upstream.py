"""UPSTREAM-1 can fail."""

from pathlib import Path

import pytest

from fixtures.lab.alma import port_closed, port_silent
from fixtures.lab.lab import Lab
from tests.proofs.conftest import Suite

IN_A_SECOND = {'sql = "${MIRA_ALMA_URL}"': 'sql = "${MIRA_ALMA_URL}"\ntimeout = "1s"'}
# Beside MIRA's own: everything else that a source can be and do.
OTHERS = """
[[upstream]]
name = "{name}"
timeout = "1s"
{asked}
"""


def others(**asked: str) -> str:
    return "".join(OTHERS.format(name=name, asked=each) for name, each in asked.items())


@pytest.mark.proves("UPSTREAM-1")
def test_its_port_is_closed(suite: Suite, lab: Lab) -> None:
    with port_closed() as closed:
        variables = {"MIRA_ALMA_URL": f"postgresql+psycopg://alma_lector:Quilpue77@{closed}/alma"}
        tcp = others(sidra=f'tcp = "{closed}"', portal=f'http = {{ url = "http://{closed}/" }}')
        run = suite.run("mira", variables=variables, also=tcp)
    # Whether source and copy agree cannot be told while there is no source.
    red = {"UPSTREAM-1 alma", "UPSTREAM-1 sidra", "UPSTREAM-1 portal"}
    run.expect(red=red, grey={"SYNC-3 alma"})
    assert all("connection refused" in run.said(each).lower() for each in red)
    assert lab.alma.url not in run.output


@pytest.mark.proves("UPSTREAM-1")
def test_its_port_is_closed_and_the_canary_is_silent_too(suite: Suite, lab: Lab) -> None:
    with port_closed() as closed, lab.canary.stopped():
        variables = {"MIRA_ALMA_URL": f"postgresql+psycopg://alma_lector:Quilpue77@{closed}/alma"}
        run = suite.run("mira", variables=variables)
    run.expect(grey={"UPSTREAM-1 alma", "SYNC-3 alma"})


@pytest.mark.proves("UPSTREAM-1")
def test_it_says_nothing(suite: Suite) -> None:
    with port_silent() as silent:
        variables = {"MIRA_ALMA_URL": f"postgresql+psycopg://alma_lector:Quilpue77@{silent}/alma"}
        limits = {**IN_A_SECOND, "tolerance = 0.01": 'timeout = "1s"'}
        asked = others(portal=f'http = {{ url = "http://{silent}/" }}', mssql=f'tcp = "{silent}"')
        run = suite.run("mira", variables=variables, limits=limits, also=asked)
    # Whoever listens accepts connections: that is all that TCP tells.
    run.expect(red={"UPSTREAM-1 alma", "UPSTREAM-1 portal"}, grey={"SYNC-3 alma"})


@pytest.mark.proves("UPSTREAM-1")
def test_it_refuses_our_login(suite: Suite, lab: Lab) -> None:
    with lab.alma.password_rotated():
        run = suite.run("mira")
    run.expect(grey={"UPSTREAM-1 alma", "SYNC-3 alma"})
    assert "28P01" in run.said("UPSTREAM-1 alma")


@pytest.mark.proves("UPSTREAM-1")
def test_its_driver_is_not_installed(suite: Suite) -> None:
    run = suite.run("mira", variables={"MIRA_ALMA_URL": "mssql+pymssql://reader:Quilpue77@sidra.example.cl/alma"})
    run.expect(grey={"UPSTREAM-1 alma", "SYNC-3 alma"})
    assert "Install pymssql" in run.said("UPSTREAM-1 alma")


@pytest.mark.proves("UPSTREAM-1")
def test_it_answers_with_an_error(suite: Suite, lab: Lab, tmp_path: Path) -> None:
    probe = {'sql = "${MIRA_ALMA_URL}"': 'sql = "${MIRA_ALMA_URL}"\nprobe = "SELECT 1 FROM camas"'}
    file = tmp_path / "source.db"
    file.write_bytes(b"no database at all, but more than its header needs " * 40)
    asked = others(portal=f'http = {{ url = "{lab.canary.url}/", status = 204 }}', file=f'sql = "sqlite:///{file}"')
    run = suite.run("mira", limits=probe, also=asked)
    run.expect(red={"UPSTREAM-1 alma", "UPSTREAM-1 portal", "UPSTREAM-1 file"})
    assert "42P01" in run.said("UPSTREAM-1 alma")
    assert "camas" not in run.said("UPSTREAM-1 alma")
