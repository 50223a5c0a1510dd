"""The plugin that begins every run by removing what runs that were killed have left, and remembers what it found."""

import signal
import threading
from typing import Any

import pytest

from fixtures import store
from fixtures.archives import custom as decoding
from fixtures.short_folder import sweep as sweep_folders
from restore import self_check
from restore.leftovers import sweep

SWEPT = pytest.StashKey[tuple[str, ...]]()


class Sweeper:
    """Sweeps once, in the process that starts the workers; they are told what drills had left.

    A backup's copy from a remote store is swept too. Whether a drill or a check had fetched it cannot be known: it is
    said, and held against no drill.

    A run that is asked to end (SIGTERM, as systemd and Kubernetes do) ends as on Ctrl-C, and removes by itself what it
    has made.
    """

    def __init__(self) -> None:
        self._copies: list[str] = []
        self._ending = False

    def pytest_configure(self, config: pytest.Config) -> None:
        """Sweep, before anything is verified."""
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            self._ending = True
        told = getattr(config, "workerinput", None)
        if told is not None:
            config.stash[SWEPT] = tuple(told["swept"])
            return
        config.stash[SWEPT] = sweep()
        self._copies = sweep_folders(store.COPIES)
        sweep_folders(decoding.ROOM)
        sweep_folders(self_check.COPIES)

    def pytest_unconfigure(self) -> None:
        """Leave the signal as it was."""
        if self._ending:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401 -- of xdist, which publishes no types
        """Tell a worker."""
        node.workerinput["swept"] = list(node.config.stash[SWEPT])

    def pytest_report_header(self, config: pytest.Config) -> list[str]:
        """Say what was found."""
        return [
            *(f"constancia: left by a drill that was killed: {each}" for each in config.stash[SWEPT]),
            *(f"constancia: a backup's copy, left by a run that was killed: {each}: removed" for each in self._copies),
        ]
