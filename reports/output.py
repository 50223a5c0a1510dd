"""What pytest says and writes beside the verdicts, without secrets."""

import logging
from collections.abc import Callable, Generator
from warnings import WarningMessage

import pytest

# A class that is not collected; failures in threads and in what is thrown away; a check that returns its verdict.
LOSSES = (
    "pytest.PytestCollectionWarning",
    "pytest.PytestUnhandledThreadExceptionWarning",
    "pytest.PytestUnraisableExceptionWarning",
    "pytest.PytestReturnNotNoneWarning",
)
Redact = Callable[[str], str]


class CleanOutput:
    """The plugin that cuts secrets out of collection errors, warnings and pytest's own log files.

    What a check prints while capturing is switched off (`-s`) goes straight to the terminal: nothing can be cut there.

    Args:
        redact: cuts secrets out of a text.
    """

    def __init__(self, redact: Redact) -> None:
        self._redact = redact

    def pytest_configure(self, config: pytest.Config) -> None:
        """What pytest only warns of while a check is lost, or its failure is, is an error in this kind of run."""
        for warning in LOSSES:
            config.addinivalue_line("filterwarnings", f"error::{warning}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Take a hand in `--log-file` and `log_cli`; what is captured comes with the reports."""
        logged = session.config.pluginmanager.get_plugin("logging-plugin")
        for name in ("log_file_handler", "log_cli_handler"):
            handler = getattr(logged, name, None)
            if isinstance(handler, logging.Handler):
                handler.setFormatter(_CleanFormatter(handler.formatter or logging.Formatter(), self._redact))

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """What importing a file of checks raised or printed; one that skips itself was not collected, either."""
        report = yield
        if report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
            report.outcome = "failed"
            report.longrepr = f"it skips itself ({reason}), and a check never skips"
        if report.failed:
            report.longrepr = self._redact(report.longreprtext)
        report.sections = [(name, self._redact(text)) for name, text in report.sections]
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: WarningMessage) -> None:
        """What the summary of warnings is made of.

        Of a kind that Python brings: xdist imports any other by the name of its module, and ends the run if it cannot.
        """
        kind: type[Warning] = next(each for each in warning_message.category.__mro__ if each.__module__ == "builtins")
        warning_message.message = kind(self._redact(str(warning_message.message)))
        warning_message.category = kind


class _CleanFormatter(logging.Formatter):
    def __init__(self, inner: logging.Formatter, redact: Redact) -> None:
        super().__init__()
        self._inner = inner
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(self._inner.format(record))
