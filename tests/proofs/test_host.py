"""HOST-1, HOST-2, HOST-3 and HOST-4 can fail."""

import pytest

from fixtures.lab.host import LabHost
from fixtures.lab.lab import Lab
from tests.proofs.conftest import Suite


@pytest.mark.skipif(not LabHost.may_mount(), reason="a small file system to fill takes CAP_SYS_ADMIN")
@pytest.mark.proves("HOST-1")
def test_disk_is_full(suite: Suite, lab: Lab) -> None:
    with lab.host.full_disk(lab.folder / "disco", used_percent=90) as folder:
        run = suite.run("mira", variables={"MIRA_DISK": str(folder)})
    run.expect(red={"HOST-1 server"})
    assert f"bytes in use, {folder}" in run.said("HOST-1 server")


@pytest.mark.proves("HOST-1")
@pytest.mark.proves("HOST-2")
def test_backup_disk_is_gone_and_memory_is_scarce(suite: Suite) -> None:
    limits = {"memory_available = 10": "memory_available = 99.9"}
    run = suite.run("mira", limits=limits, variables={"MIRA_BACKUPS_DISK": "/respaldos-no-montados"})
    run.expect(red={"HOST-1 server", "HOST-2 server"})
    assert "/respaldos-no-montados (No such file or directory)" in run.said("HOST-1 server")


@pytest.mark.proves("HOST-1")
def test_host_is_not_reached(suite: Suite, refused: str) -> None:
    exporter = {"MIRA_HOST": f"{refused}/metrics", "MIRA_SERVICE_MANAGER": "systemd"}
    run = suite.run("mira", variables=exporter)
    run.expect(grey={"HOST-1 server", "HOST-2 server", "HOST-3 server", "HOST-4 system"})
    assert "Connection refused" in run.said("HOST-1 server")


@pytest.mark.proves("HOST-3")
def test_service_is_stopped(suite: Suite, lab: Lab) -> None:
    with lab.database.stopped():
        run = suite.run("mira", "-k", "HOST-1 or HOST-2 or HOST-3")
    run.expect(red={"HOST-3 server"})
    assert "1: postgresql (" in run.said("HOST-3 server")


@pytest.mark.proves("HOST-3")
def test_nobody_knows_a_service_of_that_name(suite: Suite) -> None:
    run = suite.run("mira", variables={"MIRA_POSTGRESQL_SERVICE": "postgres"})
    run.expect(grey={"HOST-3 server"})


@pytest.mark.proves("HOST-4")
@pytest.mark.parametrize("ahead", ["5s", "1h"])
def test_apis_clock_is_wrong(suite: Suite, lab: Lab, ahead: str) -> None:
    with lab.nocobase.clock_wrong(ahead):
        run = suite.run("mira")
    run.expect(red={"HOST-4 system"})


@pytest.mark.proves("HOST-4")
def test_api_does_not_date_its_answers(suite: Suite, lab: Lab) -> None:
    with lab.comercial.clock_wrong(None):
        run = suite.run("comercial-electrica")
    run.expect(grey={"HOST-4 system"})
    assert "without a Date header" in run.said("HOST-4 system")


@pytest.mark.skipif(not LabHost.may_mount(), reason="a small file system to fill takes CAP_SYS_ADMIN")
@pytest.mark.proves("HOST-1")
def test_disk_is_out_of_inodes(suite: Suite, lab: Lab) -> None:
    with lab.host.out_of_inodes(lab.folder / "sesiones", used_percent=90) as folder:
        run = suite.run("comercial-electrica", variables={"COMERCIAL_DISK": str(folder)})
    run.expect(red={"HOST-1 server"})
    assert f"inodes in use, {folder}" in run.said("HOST-1 server")
