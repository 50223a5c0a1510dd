"""What several tests need: real servers on loopback, a real PostgreSQL, and the suite run as an operator runs it."""

import os
import shutil
import socket
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.embedded import EmbeddedServer
from fixtures.short_folder import short_folder
from tests.proofs.forking import Forking

pytest_plugins = ["pytester"]

HOUSE = Path(__file__).parents[1]
Handler = Callable[[socket.socket], None]
Serve = Callable[[Handler], str]
# Nothing of the machine that runs the tests may decide them, such as a PGPASSWORD or somebody's PYTEST_ADDOPTS.
KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "VIRTUAL_ENV", "PYTHONPATH", "COVERAGE_PROCESS_START")

# They cost each run more than the suite itself does.
PLUGINS_OF_THE_TESTS = ("hypothesispytest", "anyio", "timeout", "time_machine")
# Those that the suite depends on, by name: what merely happens to be installed would take longer to load than a run.
PLUGINS = ("-p", "xdist", "-p", "allure_pytest.plugin")


# A program of Debian's that a real part is made of; tests/debian-parts.sh installs them all.
REQUIRED = "CONSTANCIA_REQUIRE_PARTS"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or where the parts are required fail, a test marked `needs("mariadbd")` where there is no such program."""
    for marker in item.iter_markers("needs"):
        missing = [name for name in marker.args if which(name) is None]
        if missing and os.environ.get(REQUIRED):
            pytest.fail(f"{REQUIRED} is set, but there is no {', '.join(missing)}: run tests/debian-parts.sh")
        if missing:
            pytest.skip(f"no {', '.join(missing)} here: tests/debian-parts.sh installs what the tests need")


def which(program: str) -> str | None:
    """Where a program of Debian's lies; servers lie beside the PATH of ordinary users."""
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin:/usr/local/sbin")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests that need a container engine, so that a run can say how many had it."""
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    if "containers" in getattr(item, "fixturenames", ()) or parameters.get("server") == "container":
        item.add_marker("in_container")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many proofs were held, and how many tests ran in real containers."""
    for keyword, what in (("proves", "proofs held"), ("in_container", "tests held in real containers")):
        counts = {
            outcome: sum(keyword in each.keywords for each in terminalreporter.getreports(outcome) if each.when == when)
            for outcome, when in (("passed", "call"), ("skipped", "setup"), ("failed", "call"), ("error", "setup"))
        }
        if any(counts.values()):
            missed = ", ".join(
                f"{count} {outcome}" for outcome, count in counts.items() if count and outcome != "passed"
            )
            terminalreporter.write_line(f"{counts['passed']} {what}" + (f" ({missed})" if missed else ""))


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server on loopback that hands each connection to a function, and gives its "http://..." address."""
    opened: list[socket.socket] = []
    handlers: list[threading.Thread] = []

    def handle(handler: Handler, connection: socket.socket) -> None:
        # A client that has seen enough hangs up; that is what most of these tests are about.
        with closing(connection), suppress(OSError):
            handler(connection)

    def accept(listener: socket.socket, handler: Handler) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.settimeout(10)
                opened.append(connection)
                started = threading.Thread(target=handle, args=(handler, connection), daemon=True)
                started.start()
                handlers.append(started)

    def start(handler: Handler) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        opened.append(listener)
        threading.Thread(target=accept, args=(listener, handler), daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for each in opened:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for it
        each.close()
    for thread in handlers:
        thread.join(10)


@pytest.fixture
def refused() -> Iterator[str]:
    """An "http://..." address on loopback that refuses connections, and that nobody else can take meanwhile."""
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))  # bound, never listening
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@contextmanager
def _postgresql() -> Iterator[EmbeddedServer]:
    settings = {"fsync": "off", "max_connections": "20", "shared_buffers": "16MB"}
    with short_folder("tests") as folder, EmbeddedServer(folder, tcp=True, settings=settings) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[EmbeddedServer]:
    """A PostgreSQL of its own for this process; its superuser "postgres" has the password "s3cret-super"."""
    with _postgresql() as server:
        sql(server, "ALTER ROLE postgres PASSWORD 's3cret-super'")
        yield server


def sql(server: EmbeddedServer, *statements: str, database: str = "postgres") -> None:
    """Execute statements as the superuser, over the Unix socket."""
    import psycopg

    address = {"host": str(server.socket_dir), "port": str(server.port), "user": "postgres", "dbname": database}
    with psycopg.connect(psycopg.conninfo.make_conninfo(**address), autocommit=True) as opened:
        for statement in statements:
            opened.execute(statement.encode())


@pytest.fixture(scope="session")
def execute(postgresql: EmbeddedServer) -> Callable[..., None]:
    """Executes statements as the superuser of `postgresql`."""

    def run(*statements: str) -> None:
        sql(postgresql, *statements)

    return run


@dataclass(frozen=True)
class Run:
    """How a run of the suite ended."""

    code: int
    output: str


class OperatorsFolder:
    """System files and checks of somebody's own, outside the repository, and the suite run over them."""

    def __init__(self, folder: Path, forking: Forking) -> None:
        self.folder = folder
        self._forking = forking
        self.systems = folder / "systems"
        self.checks = folder / "my_checks"
        self.history = f"sqlite:///{folder / 'history.db'}"
        self.systems.mkdir()
        self.checks.mkdir()
        self.system("shop")

    def system(self, name: str, text: str = "") -> None:
        """Write a system file; `text` follows its title."""
        header = f'[system]\nname = "{name}"\ntitle = "The {name}"\n'
        (self.systems / f"{name}.toml").write_text(header + textwrap.dedent(text))

    def check(self, name: str, text: str) -> None:
        """Write a file of checks, `test_{name}.py`, below the imports that all of them need."""
        imports = """\
            import os
            import pytest
            from reports.requirement import Breach, Evidence, Unverified, requirement
            """
        (self.checks / f"test_{name}.py").write_text(textwrap.dedent(imports) + textwrap.dedent(text))

    def run(
        self,
        *arguments: str,
        system: str | None = "shop",
        workers: int = 0,
        environment: Mapping[str, str] | None = None,
    ) -> Run:
        """Run the checks of the folder; `environment` is added to what little of ours is kept."""
        given = [*PLUGINS, "-p", "no:cacheprovider", "conftest.py", str(self.checks)]
        given += ["--systems", str(self.systems), *(["--system", system] if system else []), *arguments]
        given += [f"-n{workers}"] if workers else []
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        fixed = {"COLUMNS": "200", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "CONSTANCIA_HISTORY": self.history}
        printed = self.folder / "printed.txt"
        code = self._forking.run(given, {**kept, **fixed, **(environment or {})}, output=printed, longest=120)
        return Run(code, printed.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def forking() -> Iterator[Forking]:
    """The process that runs of the suite are forked from."""
    with Forking() as started:
        yield started


@pytest.fixture
def operator(tmp_path: Path, forking: Forking) -> OperatorsFolder:
    """An operator's folder."""
    return OperatorsFolder(tmp_path, forking)
