"""A throwaway server in a container that cannot be had, or dies, is told with what to do."""

import subprocess
from pathlib import Path

import pytest

from reports.requirement import Unverified
from restore.container import ContainerThrowaway
from tests.restore.conftest import IMAGES, Driller
from tests.restore.dumps import Dumps


def test_image_that_is_missing_is_named_with_the_remedy(dumps: Dumps, container_driller: Driller) -> None:
    with pytest.raises(Unverified, match=r"docker pull constancia-nothing:16"):
        container_driller.hold(dumps["custom.dump"], images={"16": "constancia-nothing:16"})
    with pytest.raises(Unverified, match=r"postgres:16-bookworm is not on this machine"):
        container_driller.hold(dumps["custom.dump"], images={})


def test_image_without_what_is_needed_says_so(dumps: Dumps, container_driller: Driller) -> None:
    bare = "constancia-standin-bare:16"
    recipe = f"FROM {IMAGES['16']}\nENV PATH=/usr/bin:/bin\n"
    subprocess.run(["docker", "build", "-q", "-t", bare, "-"], input=recipe, text=True, check=True, capture_output=True)
    try:
        with pytest.raises(Unverified, match=r"initdb: not found\. The image must hold .* a user postgres"):
            container_driller.hold(dumps["custom.dump"], images={"16": bare})
    finally:
        subprocess.run(["docker", "rmi", bare], check=True, capture_output=True)


def test_engine_that_is_not_there_is_told_with_the_remedy(
    dumps: Dumps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    with pytest.raises(Unverified, match=r'server = "embedded"'):
        Driller(tmp_path, "container").hold(dumps["custom.dump"])


def test_engine_that_dies_in_the_middle_is_no_breach(
    dumps: Dumps, container_driller: Driller, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = ContainerThrowaway.put

    def kill_then_put(self: ContainerThrowaway, name: str, *rest: object) -> str:
        if name.startswith("backup"):
            subprocess.run(["docker", "kill", self._id], check=True, capture_output=True)
        return put(self, name, *rest)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(ContainerThrowaway, "put", kill_then_put)
    report = container_driller.hold(dumps["custom.dump"])
    with pytest.raises(Unverified, match="container"):
        report.harmful()
    assert report.leftovers() == []
