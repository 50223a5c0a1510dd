"""Allure results: complete, readable, without secrets, whatever happens to a run."""

import csv
import hashlib
import io
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reports import surroundings
from reports.redaction import Redactor
from reports.requirement import Outcome

PASSWORD = "Zq7*geheim_9xK"  # noqa: S105 -- invented; markdown and URLs spell it otherwise

SYSTEM = """
    language = "es"
    not_applicable = { "BACKUP-4" = "no retention is promised" }

    [[database]]
    name = "main"
    url = "postgresql://reader:${DB_PASSWORD}@127.0.0.1:1/shop"

    [[runbook]]
    requirement = "BACKUP-*"
    next = "Reiniciar *a mano* con ${DB_PASSWORD}"
    link = "https://runbook.example/3.1"

    [[waiver]]
    requirement = "BACKUP-5"
    target = "system"
    until = 9999-01-01
    reason = "known"
    approved_by = "DBA"
    """

PASSES = '''
    @requirement("BACKUP-1", severity="P1", every="1h")
    def test_newest_backup_is_recent(system, evidence: Evidence) -> None:
        """The newest backup is no older than promised.

        Source: runbook 3.1.
        """
        print(os.environ["DB_PASSWORD"])
        evidence.note("server", f"at {os.environ['DB_PASSWORD']}")
        evidence.attach("samples", f"0.1 s\\n{os.environ['DB_PASSWORD']}\\n")
        evidence.equal("status", "ok", expected="ok")
    '''

BREACHED = '''
    @requirement("BACKUP-2", severity="P2", every="1h")
    def test_breached(system, evidence: Evidence) -> None:
        """The backup is whole."""
        evidence.attach("samples", "0.2 s")
        evidence.at_most("age", 7200, limit=3600, unit="s", subject="backup.dump")
        evidence.equal("status", "ok", expected="ok")
    '''

OTHERS = '''
    @requirement("BACKUP-3", severity="P3", every="1h")
    def test_unverified(system) -> None:
        """The store opens."""
        came_back = f"403 for {os.environ['DB_PASSWORD']}"
        raise Unverified("opening the store", came_back=came_back, remedy="Renew the key")

    @requirement("BACKUP-4", severity="P4", every="1h")
    def test_not_applicable(system) -> None:
        """Old backups are deleted."""

    @requirement("BACKUP-5", severity="P1", every="1h")
    def test_waived(system) -> None:
        """The archive holds all."""
        raise Breach("collections", observed="3", limit="4")

    @pytest.fixture
    def unmade():
        raise RuntimeError(f"cannot connect to postgres://reader:{os.environ['DB_PASSWORD']}@host/db")

    @pytest.fixture
    def not_given_back():
        yield
        raise RuntimeError(os.environ["DB_PASSWORD"])

    @requirement("BACKUP-6", severity="P1", every="1h")
    def test_noun_cannot_be_made(system, unmade) -> None:
        """A noun breaks as it is made."""

    @requirement("BACKUP-7", severity="P1", every="1h")
    def test_noun_cannot_be_given_back(system, not_given_back) -> None:
        """A noun breaks as it is given back."""
    '''

KILLED = '''
    from pathlib import Path

    @requirement("BACKUP-8", severity="P1", every="1h")
    def test_killed(system) -> None:
        """A worker dies."""
        if not Path(os.environ.get("ONCE", "nowhere")).exists():
            Path(os.environ.get("ONCE", os.devnull)).touch()
            os._exit(3)
    '''

INTERRUPTED = '''
    @requirement("BACKUP-8", severity="P1", every="1h")
    def test_interrupted(system) -> None:
        """Somebody has enough."""
        raise KeyboardInterrupt
    '''


@dataclass(frozen=True)
class Ran:
    """What a run left."""

    code: int
    said: str
    folder: Path

    @property
    def written(self) -> Mapping[str, Mapping[str, Any]]:
        """The results that Allure shows (of several of one check run the latest), by requirement and system."""
        documents = [json.loads(path.read_text(encoding="utf-8")) for path in self.folder.glob("*-result.json")]
        return {_called(each): each for each in sorted(documents, key=lambda each: each["start"])}

    @property
    def statuses(self) -> Mapping[str, str]:
        """What each of them came to."""
        return {called: document["status"] for called, document in self.written.items()}

    @property
    def facts(self) -> Mapping[str, str]:
        """What the environment file says."""
        return surroundings.read(self.folder)

    def attached(self, called: str, name: str) -> str:
        """The text of an attachment."""
        source = next(each["source"] for each in self.written[called]["attachments"] if each["name"] == name)
        return (self.folder / str(source)).read_text(encoding="utf-8")


def _called(document: Mapping[str, Any]) -> str:
    first, *_, last = document["name"].split(" · ")
    return f"{first} {last.removesuffix('/system')}"


Run = Callable[..., Ran]


@pytest.fixture
def run(operator: Any) -> Run:  # noqa: ANN401 -- its class lives in a conftest, which cannot be imported
    """Runs checks of an operator's own with Allure."""
    operator.system("shop", SYSTEM)

    def once(*arguments: str, checks: tuple[str, ...], workers: int = 0, once: Path | None = None) -> Ran:
        for path in operator.checks.iterdir():
            if path.suffix == ".py":
                path.unlink()
        for number, text in enumerate(checks):
            operator.check(f"backups_{number}", text)
        environment = {"DB_PASSWORD": PASSWORD} | ({"ONCE": os.fspath(once)} if once else {})
        folder = operator.folder / "results"
        ended = operator.run(f"--alluredir={folder}", *arguments, workers=workers, environment=environment)
        return Ran(ended.code, ended.output, folder)

    return once


OUTCOMES = {
    "BACKUP-1 shop": "passed",
    "BACKUP-2 shop": "failed",
    "BACKUP-3 shop": "broken",
    "BACKUP-4 shop/-": "skipped",
    "BACKUP-5 shop": "skipped",
    "BACKUP-6 shop": "broken",
    "BACKUP-7 shop": "broken",
}


@pytest.mark.parametrize("workers", [0, 2])
def test_every_outcome_is_written_once_and_nothing_secret_with_it(run: Run, workers: int) -> None:
    ran = run("--clean-alluredir", checks=(PASSES, BREACHED, OTHERS), workers=workers)
    assert ran.statuses == OUTCOMES, ran.said
    assert len(list(ran.folder.glob("*-result.json"))) == len(OUTCOMES)
    assert not list(ran.folder.glob("*-container.json"))
    plain_words = ("geheim", "cannot connect to postgres://reader:Z")
    texts = {path.name: path.read_text(encoding="utf-8") for path in ran.folder.iterdir()}
    assert [name for name, text in texts.items() if any(word in text for word in plain_words)] == []
    assert ran.code == 1
    assert "waived until 9999-01-01, by DBA: known" in ran.written["BACKUP-5 shop"]["statusDetails"]["message"]
    message = ran.written["BACKUP-4 shop/-"]["statusDetails"]["message"]
    assert message.startswith("NOT APPLICABLE BACKUP-4 (P4) shop/-\n")
    assert "no retention is promised" in message


def test_a_result_says_who_what_how_grave_and_what_to_do(run: Run) -> None:
    red = run(checks=(BREACHED,)).written["BACKUP-2 shop"]
    labels = [(each["name"], each["value"]) for each in red["labels"]]
    assert red["name"] == "BACKUP-2 · The backup is whole · shop/system"
    assert {("severity", "critical"), ("epic", "The shop"), ("feature", "Backups"), ("story", "BACKUP-2")} < {*labels}
    assert [value for name, value in labels if name == "tag"] == ["BACKUP-2", "breached", "P2"]
    assert [value for name, value in labels if name in ("parentSuite", "suite")] == ["The shop", "Backups"]
    assert red["description"].startswith(
        "The backup is whole.\n\n**When it is breached:** Reiniciar \\*a mano\\* con \\[red"
    )
    assert red["links"] == [{"type": "link", "url": "https://runbook.example/3.1", "name": "runbook"}]
    assert red["parameters"] == [{"name": "target", "value": "shop/system"}]
    assert list(red["statusDetails"]) == ["message"]
    assert red["statusDetails"]["message"].startswith("BREACHED BACKUP-2 (P2) shop/system\n")


def test_measurements_and_samples_are_attached_on_pass_and_on_fail(run: Run) -> None:
    ran = run(checks=(PASSES, BREACHED))
    good, red = (
        list(csv.reader(io.StringIO(ran.attached(f"BACKUP-{number} shop", "measurements")))) for number in (1, 2)
    )
    header = ["ok", "measurement", "subject", "observed", "limit"]
    status = ["yes", "status", "", "ok", "exactly ok"]
    assert good == [header, ["", "server", "", "at [redacted]", ""], status]
    assert red == [header, ["NO", "age", "backup.dump", "2 h", "at most 1 h"], status]
    assert ran.attached("BACKUP-1 shop", "samples") == "0.1 s\n[redacted]\n"
    assert ran.attached("BACKUP-2 shop", "samples") == "0.2 s"
    steps = [(each["name"], each["status"]) for each in ran.written["BACKUP-2 shop"]["steps"]]
    assert steps == [("age · backup.dump · 2 h (at most 1 h)", "failed"), ("status · ok (exactly ok)", "passed")]
    steps = [(each["name"], each["status"]) for each in ran.written["BACKUP-1 shop"]["steps"]]
    assert steps == [("server · at [redacted]", "skipped"), ("status · ok (exactly ok)", "passed")]
    assert "statusDetails" not in ran.written["BACKUP-1 shop"]
    assert "Source: runbook 3.1." in ran.written["BACKUP-1 shop"]["description"]


def test_history_is_kept_apart_by_system_and_is_the_same_for_a_result_that_was_lost(run: Run, operator: Any) -> None:  # noqa: ANN401 -- as above
    operator.system("other", SYSTEM)
    both = run("--clean-alluredir", "--system=other", checks=(BREACHED, PASSES))
    ids = {called: document["historyId"] for called, document in both.written.items()}
    assert len(set(ids.values())) == len(ids) == 4
    stopped = run("--clean-alluredir", "--system=other", "-x", checks=(BREACHED, PASSES))
    known = {document["historyId"]: document["status"] for document in stopped.written.values()}
    assert known == dict.fromkeys(ids.values(), "broken") | {ids["BACKUP-2 shop"]: "failed"}
    for name in ("testCaseId", "fullName"):
        assert {each[name] for each in both.written.values()} == {each[name] for each in stopped.written.values()}


def test_killed_workers_lose_nothing_although_the_folder_was_to_be_cleaned(run: Run, operator: Any) -> None:  # noqa: ANN401 -- as above
    _old_result(operator.folder / "results")
    ran = run("--clean-alluredir", checks=(PASSES, KILLED, BREACHED), workers=2)
    lost = next(each for each in ran.written.values() if each["status"] == "broken")
    assert sorted(ran.statuses.values()) == ["broken", "failed", "passed"], ran.said
    assert "its process was killed" in lost["statusDetails"]["message"]


def test_what_passed_only_after_its_worker_was_killed_is_shown_broken(run: Run, tmp_path: Path) -> None:
    ran = run("--dist=loadfile", checks=(KILLED,), workers=2, once=tmp_path / "once")
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in ran.folder.glob("*-result.json")]
    assert len({each["historyId"] for each in documents}) == 1
    assert max(documents, key=lambda each: each["start"])["status"] == "broken", ran.said
    assert ran.code == 6


def test_interrupted_runs_name_what_was_not_verified(run: Run) -> None:
    ran = run(checks=(PASSES, INTERRUPTED, BREACHED))
    assert sorted(ran.statuses.values()) == ["broken", "broken", "passed"]
    assert ran.facts["verdict"] == "exit code 2: 2 unverified, 1 passed"


@pytest.mark.parametrize("workers", [0, 2])
def test_a_file_that_cannot_be_collected_is_a_broken_result(run: Run, workers: int) -> None:
    ran = run(checks=(PASSES, 'raise RuntimeError(os.environ["DB_PASSWORD"])'), workers=workers)
    broken = next(each for each in ran.written.values() if each["name"].endswith("cannot be collected"))
    assert broken["status"] == "broken"
    assert "RuntimeError: [redacted]" in broken["statusDetails"]["message"]


def test_a_run_without_an_end_says_so(run: Run) -> None:
    ran = run(checks=(PASSES, KILLED, BREACHED))
    assert ran.statuses == {"BACKUP-1 shop": "passed"}
    assert ran.facts["verdict"] == "none: the run did not end"


def test_only_a_run_cleans_and_leaves_what_is_not_allures(run: Run, operator: Any) -> None:  # noqa: ANN401 -- as above
    folder = operator.folder / "results"
    _old_result(folder)
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    before = sorted(folder.iterdir())
    run("--clean-alluredir", "--collect-only", checks=(PASSES,))
    assert sorted(folder.iterdir()) == before
    assert set(run(checks=(PASSES,)).statuses) == {"old result", "BACKUP-1 shop"}
    assert set(run("--clean-alluredir", checks=(PASSES,)).statuses) == {"BACKUP-1 shop"}
    assert (folder / "notes.txt").read_text(encoding="utf-8") == "mine"


def _old_result(folder: Path) -> None:
    folder.mkdir()
    old = {"name": "old · result", "status": "passed", "start": 1, "historyId": "0"}
    (folder / "0-result.json").write_text(json.dumps(old), encoding="utf-8")


def test_environment_tells_verdict_suite_files_gate_and_clock(run: Run, operator: Any) -> None:  # noqa: ANN401 -- as above
    digest = hashlib.sha256((operator.systems / "shop.toml").read_bytes()).hexdigest()
    facts = run("--now=2026-11-21T03:00:00+00:00", checks=(PASSES, BREACHED)).facts
    assert facts["verdict"] == "exit code 1: 1 breached, 1 passed"
    assert facts["systems"] == "The shop"
    assert facts["shop.toml"] == f"sha256 {digest}"
    assert facts["gate"] == "none"
    assert facts["clock"] == "moved to 2026-11-21T03:00:00+00:00"
    assert facts["language"] == "es"


def test_properties_are_ascii_and_read_back_as_written(tmp_path: Path) -> None:
    facts = {"odd: key = x": 'Ñuñoa · C:\\tmp "quoted" #1\nsecond line', "plain": "1"}
    surroundings.write(tmp_path, facts, redact=Redactor((), {}))
    written = (tmp_path / surroundings.ENVIRONMENT).read_text(encoding="ascii")
    assert written.splitlines()[0].startswith(r"odd\:\ key\ \=\ x = \u00d1u\u00f1oa")
    assert surroundings.read(tmp_path) == facts | {"odd: key = x": 'Ñuñoa · C:\\tmp "quoted" #1 second line'}
    assert surroundings.read(tmp_path / "nowhere") == {}


def test_executor_is_the_pipeline_where_there_is_one() -> None:
    github = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_SERVER_URL": "https://github.example",
        "GITHUB_REPOSITORY": "ops/watch",
        "GITHUB_WORKFLOW": "Checks",
        "GITHUB_RUN_NUMBER": "12",
        "GITHUB_RUN_ID": "345",
    }
    assert surroundings.executor(github) == {
        "name": "GitHub Actions",
        "type": "github",
        "url": "https://github.example/ops/watch",
        "buildName": "Checks #12",
        "buildOrder": 12,
        "buildUrl": "https://github.example/ops/watch/actions/runs/345",
    }
    gitlab = {"GITLAB_CI": "true", "CI_JOB_NAME": "gate", "CI_PIPELINE_IID": "7", "CI_JOB_URL": "https://ci.example/9"}
    found = surroundings.executor(gitlab)
    assert (found["buildName"], found["buildOrder"], found["buildUrl"]) == ("gate #7", 7, "https://ci.example/9")
    assert surroundings.executor({})["type"] == "host"


def test_categories_are_the_outcomes() -> None:
    named = {each["name"]: each["matchedStatuses"] for each in surroundings.categories()}
    assert named == {
        "Breached": ["failed"],
        "Unverified": ["broken"],
        "Waived": ["skipped"],
        "Not applicable": ["skipped"],
    }
    assert len(named) == len(Outcome) - 1
