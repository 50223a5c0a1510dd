"""A throwaway server of the wheel is of a version that reads the dump."""

import re

import pytest

from fixtures.embedded import TREES
from reports.requirement import Unverified
from tests.restore.conftest import Driller
from tests.restore.dumps import Dumps


def test_version_that_the_wheel_does_not_bring_needs_a_container(dumps: Dumps, embedded_driller: Driller) -> None:
    assert max(TREES) < 19
    newer = re.sub(rb"by pg_dump version \S+", b"by pg_dump version 19.1", dumps.text())
    with pytest.raises(Unverified, match="Let the drill use a container"):
        embedded_driller.hold(newer)
