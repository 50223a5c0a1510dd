"""What all checks of one system cost, green, in the lab: python -m benchmarks.whole_system [SYSTEM ...].

Whole processes, in turn in one run: the suite with Allure, as many empty pytest tests with Allure, and the imports that
the suite needed beyond theirs. Of each the minimum of the rounds counts: a shared machine only slows down. The process
may take twice the empty tests, the imports, and its slowest sampling (the requests whose times a check judges).
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from fixtures.lab.lab import Lab
from fixtures.short_folder import short_folder

ROUNDS = 5
MOST = 2.0
HOUSE = Path(__file__).parent.parent
SYSTEMS = ("mira", "comercial-electrica")
EMPTY = """
import pytest

@pytest.mark.parametrize("target", {ids!r})
def test_nothing(target):
    pass
"""
NO_PLUGINS = ("-p", "no:cacheprovider")
NAMED_PLUGINS = ("-p", "xdist", "-p", "allure_pytest.plugin")


def seconds(argv: tuple[str, ...], environment: Mapping[str, str]) -> float:
    """How long a process took that must end with 0."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *argv], cwd=HOUSE, env=environment, capture_output=True, text=True, check=False
    )
    took = time.perf_counter() - begun
    if done.returncode:
        sys.exit(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout[-6000:]}{done.stderr[-3000:]}")
    return took


def measure(system: str, lab: Lab, folder: Path) -> bool:
    """Measure one system, print its parts, and tell whether it kept within its bound."""
    parts_file, results = folder / "parts.json", folder / "allure"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))},
        **lab.environment,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "CONSTANCIA_BENCH_PARTS": os.fspath(parts_file),
    }
    common = ("-m", "pytest", *NO_PLUGINS, *NAMED_PLUGINS, "-q")
    recorded = (*common, "-p", "benchmarks.parts", "checks", "--system", system)
    seconds((*recorded, f"--alluredir={results}-0"), environment)
    parts = json.loads(parts_file.read_text())
    (folder / "test_empty.py").write_text(EMPTY.format(ids=parts["ids"]))
    (folder / "pytest.toml").write_text('[pytest]\naddopts = ["--import-mode=importlib"]\n')
    empty = (*common, "-p", "benchmarks.parts", "-c", f"{folder}/pytest.toml", f"{folder}/test_empty.py")
    seconds((*empty, f"--alluredir={results}-1"), environment)
    theirs = json.loads(parts_file.read_text())["modules"]
    ours = [each for each in parts["modules"] if each not in set(theirs)]
    imported = folder / "imports.py"
    loading = "import importlib\nfor name in {names!r}:\n    importlib.import_module(name)\n"
    (folder / "theirs.py").write_text(loading.format(names=theirs))
    imported.write_text(loading.format(names=[*theirs, *ours]))
    importing = {**environment, "PYTHONPATH": os.fspath(HOUSE)}
    took: dict[str, list[float]] = {"suite": [], "empty": [], "imports": [], "theirs": []}
    runs: list[Mapping[str, float]] = []
    for number in range(ROUNDS):
        took["suite"].append(seconds((*recorded, f"--alluredir={results}-suite-{number}"), environment))
        runs.append(json.loads(parts_file.read_text())["seconds"])
        took["empty"].append(seconds((*empty, f"--alluredir={results}-empty-{number}"), environment))
        took["imports"].append(seconds((os.fspath(imported),), importing))
        took["theirs"].append(seconds((os.fspath(folder / "theirs.py"),), importing))
    best = {each: min(times) for each, times in took.items()}
    least = {part: min(run[part] for run in runs) for part in runs[0]}
    imports = best["imports"] - best["theirs"]
    bound = MOST * best["empty"] + imports + least["sampling"]
    print(f"{system}: {len(parts['ids'])} check runs, minimum of {ROUNDS} rounds, seconds")
    print(f"  the suite, whole process, with Allure   {best['suite']:6.2f}")
    print(f"  as many empty tests, with Allure        {best['empty']:6.2f}")
    print(f"  imports beyond theirs                   {imports:6.2f}   ({len(ours)} modules)")
    print(f"  slowest sampling                        {least['sampling']:6.2f}")
    print(f"  of it: all probes taken ahead           {least['ahead']:6.2f}")
    print(f"         of these, over HTTP              {least['http']:6.2f}")
    print(f"         judging                          {least['judging']:6.2f}")
    ratio = (best["suite"] - imports - least["sampling"]) / best["empty"]
    print(f"  ratio to the empty tests without imports and sampling: {ratio:.2f} (at most {MOST})")
    return best["suite"] <= bound


def main() -> int:
    """Measure the systems named, or both, and say by the exit code whether the bound was kept."""
    with short_folder("bench") as short, tempfile.TemporaryDirectory() as name, Lab(short) as lab:
        kept = []
        for system in sys.argv[1:] or SYSTEMS:
            folder = Path(name) / system
            folder.mkdir()
            kept.append(measure(system, lab, folder))
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
