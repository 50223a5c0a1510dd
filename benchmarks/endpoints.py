"""What it costs to verify 500 endpoints that answer after 50 ms: python -m benchmarks.endpoints.

Whole processes, in turn in one run: the suite with Allure, as many empty pytest tests with Allure, and one plain
httpx.Client asking one after another. Of each the minimum of the rounds counts: a shared machine only slows down.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

ENDPOINTS = 500
DELAY = 0.05
ROUNDS = 5
MOST_WITHOUT_IMPORTS = 2.0
MOST_WITH_IMPORTS = 2.5
HOUSE = Path(__file__).parent.parent
CHECK = "checks/test_health.py::test_health_endpoint_answers_in_time"

EMPTY = f"""
import pytest

@pytest.mark.parametrize("target", [f"bench/endpoint-{{number}}" for number in range({ENDPOINTS})])
def test_nothing(target):
    pass
"""
LOOP = """
import sys
import httpx

with httpx.Client() as client:
    for number in range(int(sys.argv[2])):
        client.get(f"{sys.argv[1]}/{number}").raise_for_status()
"""
# What the suite imports beyond pytest and Allure to ask over HTTP.
OURS = """
import fixtures.targets, reports.verdict, reports.allure, reports.terminal, rich.table, httpx, httpx_aiohttp
"""
THEIRS = "import pytest, _pytest.config, allure_pytest.plugin\n"


@contextmanager
def server() -> Iterator[str]:
    """A server of this process whose every path answers 200 after the delay; gives its address."""
    loop = asyncio.new_event_loop()
    started: list[int] = []
    ready = threading.Event()

    async def answer(_: web.Request) -> web.Response:
        await asyncio.sleep(DELAY)
        return web.json_response({"status": "ok"})

    async def serve() -> None:
        app = web.Application()
        app.router.add_get("/{number}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        started.append(runner.addresses[0][1])
        ready.set()

    def run() -> None:
        loop.run_until_complete(serve())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ready.wait()
    try:
        yield f"http://127.0.0.1:{started[0]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def seconds(*argv: str) -> float:
    """How long a process took that must end with 0."""
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, *argv], cwd=HOUSE, capture_output=True, text=True, check=False)
    took = time.perf_counter() - begun
    if done.returncode:
        sys.exit(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return took


def system_file(url: str) -> str:
    """A system of so many health endpoints."""
    apis = (
        f'[[api]]\nname = "endpoint-{number}"\nurl = "{url}"\nhealth = {{ path = "/{number}" }}\n'
        for number in range(ENDPOINTS)
    )
    return '[system]\nname = "bench"\ntitle = "Benchmark"\n' + "\n".join(apis)


def main() -> int:
    """Measure, print, and say by the exit code whether the ratios hold."""
    with tempfile.TemporaryDirectory() as name, server() as url:
        folder = Path(name)
        # Not that of this checkout: what a benchmark finds is no past of anything.
        os.environ["CONSTANCIA_HISTORY"] = f"sqlite:///{folder}/history.db"
        (folder / "systems").mkdir()
        (folder / "systems" / "bench.toml").write_text(system_file(url))
        (folder / "test_empty.py").write_text(EMPTY)
        (folder / "pytest.toml").write_text(
            '[pytest]\naddopts = ["--import-mode=importlib", "-p", "no:cacheprovider"]\n'
        )
        runs = {
            "the suite": ("-m", "pytest", CHECK, "--systems", f"{folder}/systems", "--system", "bench", "-q"),
            "empty tests": ("-m", "pytest", "-c", f"{folder}/pytest.toml", f"{folder}/test_empty.py", "-q"),
            "imports, ours": ("-c", f"{THEIRS}{OURS}"),
            "imports, theirs": ("-c", THEIRS),
        }
        allure = {"the suite", "empty tests"}
        took: dict[str, list[float]] = {each: [] for each in runs}
        for number in range(ROUNDS):
            for each, argv in runs.items():
                results = (f"--alluredir={folder}/allure-{number}-{each.replace(' ', '-')}",) if each in allure else ()
                took[each].append(seconds(*argv, *results))
        loop = seconds("-c", LOOP, url, str(ENDPOINTS))
    best = {each: min(times) for each, times in took.items()}
    imports = best["imports, ours"] - best["imports, theirs"]
    with_imports = best["the suite"] / best["empty tests"]
    without = (best["the suite"] - imports) / best["empty tests"]
    print(f"{ENDPOINTS} endpoints that answer after {DELAY * 1000:.0f} ms, minimum of {ROUNDS} rounds, seconds")
    print(f"  the suite, with Allure          {best['the suite']:6.2f}")
    print(f"  as many empty tests, with Allure{best['empty tests']:6.2f}")
    print(f"  imports beyond pytest's         {imports:6.2f}")
    print(f"  one httpx.Client, in a loop     {loop:6.2f}")
    print(
        f"ratio to the empty tests: {without:.2f} without imports (at most {MOST_WITHOUT_IMPORTS}), "
        f"{with_imports:.2f} with them (at most {MOST_WITH_IMPORTS})"
    )
    return 0 if without <= MOST_WITHOUT_IMPORTS and with_imports <= MOST_WITH_IMPORTS else 1


if __name__ == "__main__":
    sys.exit(main())
