"""The dumps to restore, and both kinds of throwaway server to restore them into."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.drills import Drill, RestoreDeclared
from restore import drill
from restore.drill_report import DrillReport
from restore.examined import examination
from tests.restore import dumps as sample
from tests.restore.dumps import Dumps

IMAGES = {str(major): f"constancia-standin-postgres:{major}" for major in (15, 16, 17, 18)}
REQUIRED = "CONSTANCIA_REQUIRE_CONTAINERS"


@pytest.fixture(scope="session")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> Dumps:
    return sample.make(tmp_path_factory.mktemp("dumps"))


@pytest.fixture(scope="session")
def containers() -> None:
    """Skips, or where they are required fails, unless containers of the stand-in image can be started."""
    missing = "no program docker"
    if shutil.which("docker"):
        asked = subprocess.run(
            ["docker", "image", "inspect", *IMAGES.values()], capture_output=True, text=True, check=False
        )
        missing = asked.stderr.strip()
    if missing and os.environ.get(REQUIRED):
        pytest.fail(f"{REQUIRED} is set, but: {missing}")
    if missing:
        pytest.skip(f"tests/standin-image.sh was not run: {missing}")


@pytest.fixture(params=["embedded", "container"])
def server(request: pytest.FixtureRequest) -> str:
    """Each kind of throwaway server in turn."""
    if request.param == "container":
        request.getfixturevalue("containers")
    return str(request.param)


@dataclass(frozen=True)
class Driller:
    """Holds drills for a test."""

    folder: Path
    server: str

    def declared(self, **changed: object) -> RestoreDeclared:
        """What a system file would declare, with what a test changes about it."""
        given = {
            "backups": "weekly",
            "server": self.server,
            "images": IMAGES,
            "counts": {"User": {"min": 1}},
            **changed,
        }
        return RestoreDeclared.model_validate(given)

    def hold(self, backup: Path | bytes, **changed: object) -> DrillReport:
        """Restore a backup, or the bytes of one."""
        if isinstance(backup, bytes):
            path = self.folder / "backup.sql"
            path.write_bytes(backup)
            backup = path
        declared = self.declared(**changed)
        held = Drill(declared, None)  # type: ignore[arg-type]  # its backup is at hand
        return drill.run(backup, declared, examine=examination(held, backup))


@pytest.fixture
def driller(tmp_path: Path, server: str) -> Driller:
    return Driller(tmp_path, server)


@pytest.fixture
def embedded_driller(tmp_path: Path) -> Driller:
    return Driller(tmp_path, "embedded")


@pytest.fixture
def container_driller(tmp_path: Path, containers: None) -> Driller:
    del containers
    return Driller(tmp_path, "container")


@pytest.fixture
def no_file(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Names files that everyone may make, and holds the test to their not being made."""
    named: list[Path] = []

    def name(stem: str) -> str:
        named.append(Path(f"/var/tmp/constancia-{tmp_path.parent.name}-{tmp_path.name}-{stem}"))  # noqa: S108 -- watched
        return str(named[-1])

    yield name
    made = [path for path in named if path.exists()]
    for path in made:
        path.unlink()
    assert not made
