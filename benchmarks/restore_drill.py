"""What a whole restore drill costs, beside what one would do instead: python -m benchmarks.restore_drill [embedded].

A database of at least 1 GB with indexes and foreign keys, dumped in pg_dump's custom format. In turn, in one run:

- the drill, from the file to its verdict, its server's disposal included;
- (a) the runbook's way: a stock server of the same image, createdb, pg_restore, two counts, dropdb;
- (b) the best bare pg_restore with a job for each core, on a server tuned as the drill's;
- beside them, for containers and where it is installed, the closest peer: firedrill, with as many jobs.

Of each the minimum of the rounds counts: a shared machine only slows down. The drill's restore may take 1.1 x (b), the
whole drill, with all that it proves beyond, 1.0 x (a). The drill runs in a process of its own: its peak memory is told.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from fixtures.embedded import EmbeddedServer
from fixtures.short_folder import short_folder

ROUNDS = 3
MOST_OF_BARE, MOST_OF_RUNBOOK, MOST_MEMORY = 1.1, 1.0, 200 << 20
LEAST_BYTES = 10**9
CUSTOMERS = 200_000
IMAGE = os.environ.get("CONSTANCIA_BENCH_IMAGE", "constancia-standin-postgres:16")
PEER = "constancia-bench-peer"
AS_OFFICIAL = (
    "initdb -D /var/lib/postgresql/data -U ${POSTGRES_USER:-postgres} --auth=trust >/dev/null"
    " && exec postgres -D /var/lib/postgresql/data -c unix_socket_directories=/tmp -c 'listen_addresses=*'"
)
HOUSE = Path(__file__).parent.parent
FILL = """
CREATE TABLE customer (id bigserial PRIMARY KEY, code text NOT NULL UNIQUE, name text NOT NULL, since date NOT NULL);
INSERT INTO customer (code, name, since)
SELECT 'C-' || n, 'Cliente ' || md5(n::text), date '2015-01-01' + n % 4000 FROM generate_series(1, 200000) n;
CREATE TABLE meter (id bigserial PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customer, serial text NOT NULL);
INSERT INTO meter (customer_id, serial) SELECT n % 200000 + 1, md5((n * 7)::text) FROM generate_series(1, 400000) n;
CREATE TABLE reading (id bigserial PRIMARY KEY, meter_id bigint NOT NULL REFERENCES meter, taken timestamptz NOT NULL,
    kwh numeric(12, 3) NOT NULL, note text);
INSERT INTO reading (meter_id, taken, kwh, note)
SELECT n % 400000 + 1, timestamptz '2024-01-01' + n * interval '7 s', n % 100000 / 7.0,
    'lectura ' || n || ' ' || md5(n::text)
FROM generate_series(1, 5500000) n;
CREATE INDEX ON meter (customer_id);
CREATE INDEX ON reading (meter_id);
CREATE INDEX ON reading (taken);
CREATE TABLE event (id bigserial PRIMARY KEY, customer_id bigint REFERENCES customer, body jsonb NOT NULL);
INSERT INTO event (customer_id, body)
SELECT n % 200000 + 1, jsonb_build_object('kind', n % 9, 'text', md5(n::text)) FROM generate_series(1, 400000) n;
"""
COUNTS = ("SELECT count(*) FROM customer", "SELECT count(*) FROM reading")


def made(folder: Path) -> Path:
    """A dump of a database of that size."""
    dump = folder / "bench.dump"
    settings = {"fsync": "off", "max_wal_size": "16GB", "synchronous_commit": "off"}
    with short_folder("bench") as server_folder, EmbeddedServer(server_folder, tcp=False, settings=settings) as server:
        entry = ("-h", str(server.socket_dir), "-U", "postgres", "-d", "postgres")
        _do(server.command("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *entry, "-c", FILL))
        size = _do(server.command("psql", "-X", "-A", "-t", *entry, "-c", "SELECT pg_database_size('postgres')"))
        dump.write_bytes(b"")
        with dump.open("wb") as file:
            subprocess.run(server.command("pg_dump", "-Fc", *entry), stdout=file, check=True)
    print(f"database {int(size) / 1e9:.2f} GB, dump {dump.stat().st_size / 1e6:.0f} MB")
    if int(size) < LEAST_BYTES:
        sys.exit(f"a database of {LEAST_BYTES} bytes was wanted")
    return dump


def drill(dump: Path, server: str) -> Mapping[str, float]:
    """Hold the drill in a process of its own: its phases in seconds, "whole", and "memory" in bytes."""
    argv = [sys.executable, "-m", "benchmarks.restore_drill", "--drill", str(dump), server]
    return dict(json.loads(_do(argv)))


def _drill_alone(dump: Path, server: str) -> None:
    import resource

    starting = time.perf_counter()
    from fixtures.drills import Drill, RestoreDeclared
    from restore import drill as drills
    from restore.examined import examination

    begun = time.perf_counter()
    declared = {
        "backups": "bench",
        "server": server,
        "images": {"16": IMAGE},
        "counts": {"customer": {"exact": CUSTOMERS}},
    }
    drill = Drill(RestoreDeclared.model_validate(declared), None)  # type: ignore[arg-type]  # its backup is at hand
    report = drills.run(dump, drill.declared, examine=examination(drill, dump))
    wrong = [each for each in report.tables() if each[1] != each[2]]
    unsound = [finding for _, each in report.structures() for finding in each.findings()]
    if report.harmful() or wrong or unsound or report.rows_of("customer") != CUSTOMERS:
        sys.exit(f"the drill did not hold: {report.harmful()}, {wrong}")
    told = {each.name: each.seconds for each in report.phases}
    told["whole"] = time.perf_counter() - begun
    told["imports, before it"] = begun - starting
    told["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    print(json.dumps(told))


def by_hand(dump: Path, server: str, *, tuned: bool) -> Mapping[str, float]:
    """The same by hand: "restore" alone, and "whole" with the server, createdb, two counts and dropdb."""
    from restore.container import ContainerThrowaway
    from restore.leftovers import Lease
    from restore.server import ADMINISTRATOR, EmbeddedThrowaway, ThrowawayServer

    begun = time.perf_counter()
    with Lease(container=server == "container") as lease:
        made: ThrowawayServer = (
            ContainerThrowaway(16, {"16": IMAGE}, lease.id, tuned=tuned)
            if server == "container"
            else EmbeddedThrowaway(16, lease.folder, tuned=tuned)
        )
        with made as there, dump.open("rb") as file:
            inside = there.put("by-hand.dump", iter(lambda: file.read(1 << 20), b""), dump.stat().st_size)
            entry = ("-h", there.socket_dir, "-U", ADMINISTRATOR)
            there.run("createdb", *entry, "by_hand", seconds=60)
            jobs = ("-j", str(os.cpu_count() or 1)) if tuned else ()
            restoring = time.perf_counter()
            ended = there.run("pg_restore", *entry, "-d", "by_hand", "--no-owner", *jobs, inside, seconds=3600)
            restored = time.perf_counter() - restoring
            if ended.code:
                sys.exit(f"pg_restore by hand ended with {ended.code}: {ended.err[:500]}")
            for each in COUNTS:
                there.run("psql", "-X", "-A", "-t", *entry, "-d", "by_hand", "-c", each, seconds=600)
            there.run("dropdb", *entry, "by_hand", seconds=60)
    return {"restore": restored, "whole": time.perf_counter() - begun}


def by_peer(dump: Path) -> float | None:
    """Seconds that firedrill takes for the same dump in the same image; None where it is not installed."""
    program = shutil.which("firedrill", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if program is None:
        return None
    import docker

    client = docker.from_env()
    container = client.containers.create(IMAGE, "true")
    container.commit(PEER, "16", changes=["USER postgres", f"ENTRYPOINT {json.dumps(['sh', '-c', AS_OFFICIAL])}"])
    container.remove()
    image = f"{PEER}:{{major}}"
    begun = time.perf_counter()
    _do([program, "run", str(dump), "--no-config", "--quiet", "--image", image, "--jobs", str(os.cpu_count() or 1)])
    took = time.perf_counter() - begun
    client.images.remove(f"{PEER}:16")
    return took


def measure(dump: Path, server: str) -> bool:
    """Measure, print each part, and tell whether it kept within its bounds."""
    drills, runbook, bare = [], [], []
    for _ in range(ROUNDS):
        drills.append(drill(dump, server))
        runbook.append(by_hand(dump, server, tuned=False))
        bare.append(by_hand(dump, server, tuned=True))
    best = {name: min(each[name] for each in drills) for name in drills[0]}
    for name, seconds in best.items():
        if name != "memory":
            print(f"  {name:32} {seconds:7.2f} s")
    a, b = min(each["whole"] for each in runbook), min(each["restore"] for each in bare)
    restore, whole = best["restore"] / b, best["whole"] / a
    print(
        f"(a) the runbook's way, whole         {a:7.2f} s    the drill takes {whole:.2f} x (at most {MOST_OF_RUNBOOK})"
    )
    print(
        f"(b) the best bare pg_restore         {b:7.2f} s    its restore takes {restore:.2f} x (at most {MOST_OF_BARE})"
    )
    peer = by_peer(dump) if server == "container" else None
    told = f"{peer:7.2f} s" if peer else "not timed: it is not installed, or needs containers"
    print(f"firedrill, whole, once               {told}")
    memory = max(each["memory"] for each in drills)
    print(f"peak memory of the drill's process   {memory / 1e6:7.0f} MB (at most {MOST_MEMORY / 1e6:.0f})")
    return restore <= MOST_OF_BARE and whole <= MOST_OF_RUNBOOK and memory <= MOST_MEMORY


def main() -> int:
    """Measure what the command line asks for."""
    if sys.argv[1:2] == ["--drill"]:
        _drill_alone(Path(sys.argv[2]), sys.argv[3])
        return 0
    server = sys.argv[1] if len(sys.argv) > 1 else "container"
    with short_folder("bench") as folder:
        return 0 if measure(made(folder), server) else 1


def _do(argv: list[str]) -> str:
    done = subprocess.run(argv, cwd=HOUSE, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(argv[:3])} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
