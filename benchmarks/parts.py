"""A plugin for benchmarks.whole_system: which parts a run's time went to, and which modules it loaded."""

import json
import os
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

TOOK = {"http": 0.0, "ahead": 0.0, "judging": 0.0, "sampling": 0.0}
IDS: list[str] = []


def pytest_sessionstart() -> None:
    """Time what is asked ahead, where the suite takes part in the run at all."""
    targets = sys.modules.get("fixtures.targets")
    if targets is not None:
        taking, taking_all = vars(targets)["take_all"], vars(targets)["taking_all"]

        def take_all(probes: Any) -> None:  # noqa: ANN401 -- whatever the probes are
            with _timed("http"):
                taking(probes)

        @contextmanager
        def both(probes: Any) -> Iterator[None]:  # noqa: ANN401 -- as above
            with _timed("ahead"), taking_all(probes):
                yield

        vars(targets).update(take_all=take_all, taking_all=both)


@contextmanager
def _timed(part: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    TOOK[part] += time.perf_counter() - begun


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Time a check run from its setup to its record."""
    IDS.append(item.name)
    begun = time.perf_counter()
    try:
        return (yield)
    finally:
        TOOK["judging"] += time.perf_counter() - begun


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Keep how long the longest sampling took: one endpoint's requests, one after another."""
    endpoint = getattr(item, "funcargs", {}).get("endpoint")
    if endpoint is not None:
        TOOK["sampling"] = max(TOOK["sampling"], sum(endpoint.seconds))


def pytest_unconfigure() -> None:
    """Write it all down."""
    modules = [name for name in sys.modules if not name.startswith(("__main__", "test_", "checks", "conftest"))]
    written = {"seconds": TOOK, "ids": IDS, "modules": [name for name in modules if _importable(name)]}
    Path(os.environ["CONSTANCIA_BENCH_PARTS"]).write_text(json.dumps(written), encoding="utf-8")


def _importable(name: str) -> bool:
    return getattr(sys.modules[name], "__spec__", None) is not None and not name.startswith("_pytest.assertion.rewrite")
