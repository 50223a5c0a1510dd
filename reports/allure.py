"""Allure results as a record: what was required of which target, what was observed, and what to do next."""

import csv
import hashlib
import inspect
import io
import json
import platform
import re
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import pytest

from reports import surroundings
from reports.ledger import Ledger, Result
from reports.redaction import Redactor
from reports.requirement import FAMILIES, Evidence, Measurement, Outcome
from reports.verdict import EVIDENCE, RESULT, Step

STATUS: Mapping[Outcome, str] = {
    Outcome.PASSED: "passed",
    Outcome.BREACHED: "failed",
    Outcome.UNVERIFIED: "broken",
    Outcome.WAIVED: "skipped",
    Outcome.NOT_APPLICABLE: "skipped",
}
SEVERITY = {"P1": "blocker", "P2": "critical", "P3": "normal", "P4": "minor"}
WITHOUT_FAMILY = "Without a result"
# What allure-pytest says about the process, and nobody else knows.
_KEPT_LABELS = ("host", "thread", "framework", "language")
_MARKDOWN, _ESCAPED = re.compile(r"[\\`*_<>\[\]|~#]"), r"\\\g<0>"
_OURS = ("*-result.json", "*-container.json", "*-globals.json", "*-attachment.*")


class Header(Protocol):
    """How a system is called, and in which language."""

    @property
    def title(self) -> str:
        """As the record prints it."""

    @property
    def language(self) -> str:
        """Of a report on it."""


class System(Protocol):
    """What the record must know of a system."""

    @property
    def system(self) -> Header:
        """Its names."""

    def next_step(self, requirement_id: str, /) -> Step | None:
        """The runbook's next step for a requirement."""


class AllureRecord:
    """The plugin that makes Allure's results a record of the run, complete and without secrets.

    What a fixture, a check or a library raised or printed is never written as it was: fixtures leave nothing, captured
    output is not attached, and the message is the verdict's. The process that answers for the run adds, at its end,
    a broken result for every check run that left none.

    Args:
        systems: by name.
        files: the system files.
        redact: cuts secrets out of a text.
        ledger: of the run; None in an xdist worker, which answers for nothing.
    """

    def __init__(
        self, systems: Mapping[str, System], *, files: Sequence[Path], redact: Redactor, ledger: Ledger | None
    ) -> None:
        self._systems = systems
        self._files = files
        self._redact = redact
        self._ledger = ledger
        self._item: pytest.Item | None = None
        self._started = 0
        self._there_before: set[Path] = set()
        self._written: dict[str, str] = {}

    def pytest_configure(self, config: pytest.Config) -> None:
        """Before Allure's own: no captured output, and the folder is cleaned once, not by every worker."""
        config.option.attach_capture = False
        if config.option.clean_alluredir and self._ledger is not None:
            for pattern in (*_OURS, surroundings.ENVIRONMENT, surroundings.EXECUTOR, surroundings.CATEGORIES):
                for path in _folder(config).glob(pattern):
                    path.unlink()
        config.option.clean_alluredir = False

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Take part in what Allure's listener writes; say that the run has not ended."""
        listener = session.config.pluginmanager.get_plugin("allure_listener")
        if listener is None:
            raise pytest.UsageError("allure-pytest has no listener: install the version that constraints.txt names")
        listener.allure_logger = _reporter(self._complete)
        if self._ledger is not None:
            self._there_before = set(_folder(session.config).glob("*-result.json"))
            self._describe(session.config, surroundings.NOT_ENDED)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Remember whose result Allure writes next, and since when: making the noun is part of what a check takes."""
        self._item, self._started = item, _now()
        return (yield)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Once every worker has ended: write what is missing, and how the run ended."""
        if self._ledger is None:
            return
        results = self._ledger.results()
        # The workers of xdist leave what they wrote as files only.
        written = self._written or _latest_status(
            set(_folder(session.config).glob("*-result.json")) - self._there_before
        )
        for test_id, result in results.items():
            identity = _Identity(test_id)
            if written.get(identity.history_id) != STATUS[result.outcome]:
                self._write(identity, result)
        outcomes = [result.outcome for result in results.values()]
        self._describe(session.config, surroundings.verdict(outcomes, exit_code=int(session.exitstatus)))

    def _complete(self, test_result: Any) -> bool:  # noqa: ANN401 -- allure-pytest publishes no types
        """Make of Allure's result for the current item what the record needs; False when it was interrupted."""
        item = self._item
        result = item.stash.get(RESULT, None) if item is not None else None
        if item is None or result is None:
            return False
        test_result.start, test_result.stop = self._started, _now()
        documented = inspect.cleandoc(getattr(item, "function").__doc__ or "")  # noqa: B009 -- only functions have it; Item does not say so
        evidence = item.stash.get(EVIDENCE, Evidence())
        self._fill_in(test_result, result, documented=documented, attachments=evidence.attachments)
        self._written[test_result.historyId] = test_result.status
        return True

    def _write(self, identity: "_Identity", result: Result) -> None:
        """Write a result that no process left, or that says less than the ledger knows."""
        from allure_commons import plugin_manager
        from allure_commons.model2 import Label, TestResult

        now = _now()
        test_result = TestResult(
            uuid=str(uuid4()),
            fullName=identity.full_name,
            testCaseId=identity.test_case_id,
            historyId=identity.history_id,
            start=now,
            stop=now,
            labels=[Label("host", platform.node()), Label("framework", "pytest")],
        )
        self._fill_in(test_result, result, documented=result.title)
        plugin_manager.hook.report_result(result=test_result)

    def _fill_in(
        self,
        test_result: Any,  # noqa: ANN401 -- as above
        result: Result,
        *,
        documented: str,
        attachments: Mapping[str, str] | None = None,
    ) -> None:
        from allure_commons.model2 import Label, Link, Parameter, StatusDetails

        system = self._systems.get(result.target.partition("/")[0])
        step = system.next_step(result.requirement) if system else None
        parts = dict.fromkeys((result.requirement, result.title.rstrip("."), result.target))
        test_result.name = " · ".join(part for part in parts if part)
        test_result.status = STATUS[result.outcome]
        test_result.statusDetails = StatusDetails(message=result.message) if result.message else None
        # Redacted before it is escaped: an escaped secret would no longer be known for one.
        next_step = f"\n\n**When it is breached:** {_MARKDOWN.sub(_ESCAPED, self._redact(step.next))}" if step else ""
        test_result.description = f"{self._redact(documented)}{next_step}"
        test_result.parameters = [Parameter("target", result.target)] if result.target else []
        test_result.labels = [
            *(Label(name, self._redact(value)) for name, value in _labels(result, system)),
            *(label for label in test_result.labels if label.name in _KEPT_LABELS),
        ]
        test_result.links = [Link("link", self._redact(step.link), "runbook")] if step and step.link else []
        test_result.steps = [_step(each, result.outcome, at=test_result.stop) for each in result.measurements]
        if result.measurements:
            _attach(test_result, "measurements", _as_csv(result.measurements), media_type="text/csv", ending="csv")
        for name, text in (attachments or {}).items():
            _attach(test_result, name, self._redact(text), media_type="text/plain", ending="txt")

    def _describe(self, config: pytest.Config, verdict: str) -> None:
        headers = [system.system for system in self._systems.values()]
        languages = {header.language for header in headers}
        facts = surroundings.environment(
            [header.title for header in headers],
            self._files,
            language=languages.pop() if len(languages) == 1 else "en",
            gate=config.option.gate,
            now=config.option.now,
            verdict=verdict,
        )
        surroundings.write(_folder(config), facts, redact=self._redact)


class _Identity:
    """What Allure knows a check run by, made of its test id as allure-pytest makes it.

    Args:
        test_id: "checks/test_health.py::test_endpoint_answers[mira/nocobase]".
    """

    def __init__(self, test_id: str) -> None:
        path, _, called = test_id.partition("::")
        function, _, parameter = called.removesuffix("]").partition("[")
        self.full_name = f"{path.removesuffix('.py').replace('/', '.')}#{function}"
        self.test_case_id = _md5(self.full_name)
        self.history_id = _md5(self.full_name + parameter)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _reporter(complete: Callable[[Any], bool]) -> Any:  # noqa: ANN401 -- as above
    """Allure's reporter, but results are completed before they are written, and fixtures leave nothing.

    What a fixture raised has not been redacted when Allure notes it, and a noun being made is no story to tell.

    Args:
        complete: fills in a result; says whether it is one, or of a check run that was interrupted.
    """
    from allure_commons.reporter import AllureReporter

    class Reporter(AllureReporter):
        def close_test(self, uuid: str) -> None:
            if complete(self.get_test(uuid)):  # type: ignore[no-untyped-call]  # allure-pytest publishes no types
                super().close_test(uuid)  # type: ignore[no-untyped-call]  # same
            else:
                self.drop_test(uuid)  # type: ignore[no-untyped-call]  # same

        def stop_group(self, uuid: str, **_details: object) -> None:
            self._items.pop(uuid)  # type: ignore[no-untyped-call]  # same

    return Reporter()  # type: ignore[no-untyped-call]  # same


def _now() -> int:
    """The machine's own time, in milliseconds, whatever time the run was told it is: Allure orders results by it."""
    return time.time_ns() // 1_000_000


def _folder(config: pytest.Config) -> Path:
    return Path(config.option.allure_report_dir).absolute()


def _latest_status(files: Iterable[Path]) -> Mapping[str, str]:
    """What each check run came to, by its history id; of several results the latest, which is the one Allure shows."""
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    return {each.get("historyId", ""): each["status"] for each in sorted(documents, key=lambda each: each["start"])}


def _labels(result: Result, system: System | None) -> Sequence[tuple[str, str]]:
    family = FAMILIES.get(result.requirement.rpartition("-")[0], WITHOUT_FAMILY)
    epic = system.system.title if system else "Constancia"
    labels = [
        ("epic", epic),
        ("feature", family),
        ("story", result.requirement),
        ("tag", result.requirement),
        ("tag", result.outcome.value),
        # What groups results in every report generator, by system and family instead of by folder and file.
        ("parentSuite", epic),
        ("suite", family),
    ]
    if result.severity:
        labels += [("severity", SEVERITY[result.severity]), ("tag", result.severity)]
    return labels


def _step(measurement: Measurement, outcome: Outcome, *, at: int) -> object:
    """A measurement in one line: "status · http://... · 200 (exactly 200)"."""
    from allure_commons.model2 import TestStepResult

    limit = f" ({measurement.limit_text})" if measurement.limit_text else ""
    said = " · ".join(filter(None, (measurement.what, measurement.subject, f"{measurement.observed_text}{limit}")))
    # A fact without a limit is grey, or yellow where it is why nothing could be verified: it met nothing.
    noted = STATUS[Outcome.UNVERIFIED if outcome is Outcome.UNVERIFIED else Outcome.NOT_APPLICABLE]
    judged = STATUS[Outcome.PASSED if measurement.holds else Outcome.BREACHED]
    return TestStepResult(name=said, status=judged if limit else noted, start=at, stop=at)


def _as_csv(measurements: Iterable[Measurement]) -> str:
    """As a table that Allure shows as one, and that other programs read."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["ok", "measurement", "subject", "observed", "limit"])
    for each in measurements:
        ok = ("yes" if each.holds else "NO") if each.limit_text else ""
        writer.writerow([ok, each.what, each.subject, each.observed_text, each.limit_text])
    return table.getvalue()


def _attach(test_result: Any, name: str, text: str, *, media_type: str, ending: str) -> None:  # noqa: ANN401 -- as above
    from allure_commons import plugin_manager
    from allure_commons.model2 import ATTACHMENT_PATTERN, Attachment

    file_name = ATTACHMENT_PATTERN.format(prefix=uuid4(), ext=ending)
    test_result.attachments.append(Attachment(name=name, source=file_name, type=media_type))
    plugin_manager.hook.report_attached_data(body=text, file_name=file_name)
