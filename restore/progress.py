"""What a drill is doing at the moment, for somebody who watches it on a terminal."""

import time

import pytest


class Progress:
    """Says each phase of a drill as it begins, with the time since the drill's first; on a terminal only.

    Args:
        config: of the run.
    """

    def __init__(self, config: pytest.Config) -> None:
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        self._reporter = reporter if reporter is not None and reporter.isatty else None
        self._begun: float | None = None

    def __call__(self, phase: str) -> None:
        """Say it."""
        if self._reporter is None:
            return
        now = time.monotonic()
        self._begun = self._begun or now
        self._reporter.write_line(f"drill, {now - self._begun:.0f} s: {phase}")
