"""The plugin that begins every run by removing what drills that were killed have left, and remembers what it found."""

from typing import Any

import pytest

from restore.leftovers import sweep

SWEPT = pytest.StashKey[tuple[str, ...]]()


class Sweeper:
    """Sweeps once, in the process that starts the workers; they are told what was found."""

    def pytest_configure(self, config: pytest.Config) -> None:
        """Sweep, before anything is verified."""
        told = getattr(config, "workerinput", None)
        config.stash[SWEPT] = tuple(told["swept"]) if told is not None else sweep()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401 -- of xdist, which publishes no types
        """Tell a worker."""
        node.workerinput["swept"] = list(node.config.stash[SWEPT])

    def pytest_report_header(self, config: pytest.Config) -> list[str]:
        """Say what was found."""
        return [f"constancia: left by a drill that was killed: {each}" for each in config.stash[SWEPT]]
