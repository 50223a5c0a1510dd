"""What a drill is doing at the moment, for somebody who watches it on a terminal."""

import time

import pytest


class Progress:
    """Says each phase of a drill as it begins, with the time since the one before; on a terminal only.

    Args:
        config: of the run.
    """

    def __init__(self, config: pytest.Config) -> None:
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        self._reporter = reporter if reporter is not None and reporter.isatty else None
        self._before = time.monotonic()

    def __call__(self, phase: str) -> None:
        """Say it."""
        if self._reporter is None:
            return
        before, self._before = self._before, time.monotonic()
        self._reporter.write_line(f"drill: {phase} (after {self._before - before:.1f} s)")
