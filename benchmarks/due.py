"""What a scheduled run costs in which nothing is due: python -m benchmarks.due [SYSTEM].

Whole processes, in turn in one run: `pytest checks --due` with nothing due, and `pytest -VV` with the same plugins and
arguments, which loads them and ends. The history is that of a real run against the lab, in SQLite and in PostgreSQL;
the minimum of the rounds counts, because a shared machine only slows down.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fixtures.embedded import EmbeddedServer
from fixtures.lab.lab import Lab
from fixtures.short_folder import short_folder

ROUNDS = 40
MOST = 1.3
HOUSE = Path(__file__).parent.parent
PLUGINS = ("-p", "no:cacheprovider", "-p", "xdist", "-p", "allure_pytest.plugin")
SETTINGS = {"fsync": "off", "max_connections": "20"}
NOTHING_DUE = "constancia: nothing is due; next: "


def run(arguments: tuple[str, ...], environment: Mapping[str, str]) -> tuple[float, str]:
    """How long a process took, and what it printed."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *PLUGINS, *arguments],
        cwd=HOUSE,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return time.perf_counter() - begun, done.stdout


def measure(store: str, system: str, environment: Mapping[str, str]) -> bool:
    """Measure one store, print its figures, and tell whether its bound was kept."""
    began = datetime.now(UTC)
    asked = ("checks", "--system", system, "--due")
    run((*asked, "--now", began.isoformat()), environment)
    took: dict[str, list[float]] = {"--due": [], "-VV": []}
    for number in range(ROUNDS):
        # All was judged a moment ago, whatever the machine's clock says by the last round.
        nothing_due = (*asked, "--now", (began + timedelta(seconds=45 + number / 2)).isoformat())
        seconds, said = run(nothing_due, environment)
        if not said.startswith(NOTHING_DUE):
            sys.exit(f"something was due:\n{said[-6000:]}")
        took["--due"].append(seconds)
        took["-VV"].append(run((*nothing_due, "-VV"), environment)[0])
    best = {each: min(times) for each, times in took.items()}
    ratio = best["--due"] / best["-VV"]
    print(f"{system}, history in {store}, minimum of {ROUNDS} rounds, seconds")
    print(f"  pytest checks --due, nothing due   {best['--due']:.3f}")
    print(f"  pytest -VV, the same plugins       {best['-VV']:.3f}")
    print(f"  ratio                              {ratio:.2f} (at most {MOST})")
    return ratio <= MOST


def main() -> int:
    """Measure both stores, and say by the exit code whether the bound was kept."""
    system = sys.argv[1] if len(sys.argv) > 1 else "mira"
    with (
        short_folder("bench") as short,
        short_folder("bench") as other,
        tempfile.TemporaryDirectory() as name,
        Lab(short) as lab,
        EmbeddedServer(other, tcp=True, settings=SETTINGS) as server,
    ):
        common = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))},
            **lab.environment,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }
        addresses = {
            "SQLite": f"sqlite:///{name}/history.db",
            "PostgreSQL": f"postgresql+psycopg://postgres@/postgres?host={server.socket_dir}&port={server.port}",
        }
        kept = [
            measure(store, system, {**common, "CONSTANCIA_HISTORY": address, "CONSTANCIA_SPOOL": f"{name}/{store}"})
            for store, address in addresses.items()
        ]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
