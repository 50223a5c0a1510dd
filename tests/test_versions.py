"""One exact version of everything, and nothing installed that has none."""

import tomllib
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def test_every_requirement_has_one_exact_version_that_fits() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = (project["project"]["dependencies"], *project["dependency-groups"].values())
    names = (each for each in chain.from_iterable(groups) if isinstance(each, str))  # the others are groups again
    asked = [Requirement(each) for each in names]
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    exact = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}
    assert all(exact.values()), "name==version and nothing else on each line"
    assert len(exact) == len(lines), "one version for all Python versions"
    missing = [each.name for each in asked if canonicalize_name(each.name) not in exact]
    assert missing == []
    unfit = [str(each) for each in asked if exact[canonicalize_name(each.name)] not in each.specifier]
    assert unfit == []
