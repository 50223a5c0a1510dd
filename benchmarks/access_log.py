"""What the last minutes of a 2 GB access log cost, beside awk over the whole file: python -m benchmarks.access_log.

In turn in one run, whole files in the page cache for both: the function that ERRORS-1 and TRAFFIC-1 read with, on logs
of 20 MB, 200 MB and 2 GB that end alike, and awk counting the same on the largest. The minimum of the rounds counts.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from fixtures.access_log import AccessLog, AccessLogDeclared
from fixtures.clock import Clock
from fixtures.measure.units import shown

SIZES = (20_000_000, 200_000_000, 2_000_000_000)
PER_MINUTE = 1000
ROUNDS = 5
ROUNDS_OF_AWK = 2
LEAST_RATIO = 100
MOST_MEMORY = 100_000_000
HOUSE = Path(__file__).parent.parent
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
# One figure for both: requests of the last five minutes by others than the suite, and those of them answered 5xx.
AWK = r"""
{ at = substr($4, 14, 8); if (substr($4, 2, 11) == "21/Nov/2026" && at > "11:55:00" && !/"constancia"$/)
    { requests++; if ($9 >= 500) errors++ } }
END { print requests + 0, errors + 0 }
"""


class Still(Clock):
    """A clock that stands at the end of the log."""

    def now(self) -> datetime:
        """The time that it shows."""
        return NOW


def block(minute: datetime) -> bytes:
    """The lines of one minute; one answer in 500 a 5xx, one request in 100 our own."""
    lines = []
    for number in range(PER_MINUTE):
        at = minute + timedelta(seconds=number * 60 // PER_MINUTE)
        status = 503 if number % 500 == 0 else 200
        agent = "constancia" if number % 100 == 1 else "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/145.0"
        asked = f"GET /api/onco_casos:list?pageSize=20&page={number} HTTP/1.1"
        lines.append(
            f'10.20.30.{number % 256} - - [{at:%d/%b/%Y:%H:%M:%S +0000}] "{asked}" {status} 5120 "-" "{agent}"\n'
        )
    return "".join(lines).encode()


def write(path: Path, size: int) -> None:
    """A log of about this size with rising times, that ends now."""
    patterned = block(NOW - timedelta(minutes=1))
    minutes = size // len(patterned)
    template = patterned.replace(b"21/Nov/2026:11:59", b"%b")
    pieces = template.split(b"%b")
    with path.open("wb") as file:
        for ago in range(minutes, 0, -1):
            file.write(f"{NOW - timedelta(minutes=ago):%d/%b/%Y:%H:%M}".encode().join(pieces))


def seconds_of_reading(path: Path) -> tuple[float, str]:
    """How long the reading function takes in this process, and what it counts."""
    declared = AccessLogDeclared(path=str(path))
    log = AccessLog(declared, asked=None, clock=Still(), timezone=ZoneInfo("UTC"))
    begun = time.perf_counter()
    share = log.seen().share
    return time.perf_counter() - begun, f"{share.requests} {share.errors}"


def seconds_of_awk(path: Path) -> tuple[float, str]:
    """How long awk takes over the whole file, and what it counts."""
    begun = time.perf_counter()
    done = subprocess.run(["awk", AWK, str(path)], capture_output=True, text=True, check=True)  # noqa: S607 -- the one of the PATH
    return time.perf_counter() - begun, done.stdout.strip()


def measured(path: Path) -> tuple[float, str, int]:
    """The best of the rounds in a process of its own: seconds, what was counted, and its peak memory in bytes."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.access_log", str(path)],
        cwd=HOUSE,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, counted, memory = json.loads(done.stdout)
    return seconds, counted, memory


def measure(path: Path) -> None:
    """Print what `measured` reads: as a process of its own, whose peak memory is the reading's."""
    rounds = [seconds_of_reading(path) for _ in range(ROUNDS)]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps([min(each[0] for each in rounds), rounds[0][1], memory]))


def main() -> int:
    """Measure, print, and say by the exit code whether the promises hold."""
    with tempfile.TemporaryDirectory() as folder:
        print(f"the last 5 minutes of an access log, {PER_MINUTE} requests a minute; minimum of {ROUNDS} rounds")
        counted: set[str] = set()
        peak = 0
        for size in SIZES:
            path = Path(folder) / "access.log"
            write(path, size)
            took, found, memory = measured(path)
            counted.add(found)
            peak = max(peak, memory)
            of_whole = f"{shown(path.stat().st_size, 'bytes'):>8}  {took * 1000:7.1f} ms"
            print(f"  {of_whole}  peak {shown(memory, 'bytes')}  counted {found}")
        of_awk = [seconds_of_awk(path) for _ in range(ROUNDS_OF_AWK)]
    awk = min(each[0] for each in of_awk)
    counted |= {each[1] for each in of_awk}
    ratio = awk / took
    print(f"  awk over the largest  {awk:.2f} s  counted {of_awk[0][1]}")
    print(
        f"ratio to awk: {ratio:.0f} (at least {LEAST_RATIO}); "
        f"peak memory {shown(peak, 'bytes')} (at most {shown(MOST_MEMORY, 'bytes')})"
    )
    if len(counted) != 1:
        print(f"they count differently: {counted}")
    return 0 if ratio >= LEAST_RATIO and peak <= MOST_MEMORY and len(counted) == 1 else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]))
    else:
        sys.exit(main())
