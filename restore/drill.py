"""A restore drill: a backup goes into a throwaway server, what it holds is counted, and nothing of it stays."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from hashlib import file_digest
from pathlib import Path

from fixtures import archive as archives
from fixtures.archive import Archive
from fixtures.archives.glance import major_of
from fixtures.drills import RestoreDeclared
from fixtures.measure.restore_messages import Complaint, Harm
from reports.requirement import Breach, Unverified
from restore.counting import Restored, count
from restore.drill_report import Disposal, DrillReport, Phase
from restore.examined import Examined
from restore.leftovers import Lease
from restore.loading import Load, hindrance, load, missing_extensions, put
from restore.sandbox import Sandbox
from restore.server import ThrowawayServer
from restore.throwaway import leased, room_for, throwaway

Examine = Callable[[Sandbox], Examined]
Watch = Callable[[str], None]


def run(
    path: Path,
    declared: RestoreDeclared,
    *,
    swept: tuple[str, ...] = (),
    examine: Examine | None = None,
    watch: Watch | None = None,
) -> DrillReport:
    """Restore a backup as declared, and say what came of it. The server is gone when this returns or raises.

    Args:
        path: the backup, on this machine.
        declared: what kind of server, which images, how far and how long.
        swept: what the sweep at the start of this run found.
        examine: what else is asked of the restored databases, while they are there.
        watch: is told of each phase as it begins.

    Raises:
        Unverified: when the backup cannot be read here, or no server is to be had.
    """
    drill = _Drill(path, declared, swept=swept, examine=examine, watch=watch)
    with leased(declared) as lease:
        report = drill.held(lease)
    return replace(report, disposal=_with_folder(report.disposal, lease, container=declared.server == "container"))


def not_held(reason: Breach, declared: RestoreDeclared, *, swept: tuple[str, ...] = ()) -> DrillReport:
    """What to say where there is no backup to restore: as of a damaged one, and so there is nothing to dispose of."""
    drill = _Drill(Path("no backup"), declared, swept=swept)
    return drill.report(sha256="none: there is no backup", damage=reason)


def _with_folder(disposal: Disposal, lease: Lease, *, container: bool) -> Disposal:
    """The same, with the folder that the lease stood for."""
    files, there = f"folder {lease.folder}", lease.folder.exists()
    if there:
        return replace(disposal, left=(*disposal.left, files))
    return disposal if container or not disposal.gone else replace(disposal, gone=(*disposal.gone, files))


class _Drill:
    """One drill under way."""

    def __init__(
        self,
        path: Path,
        declared: RestoreDeclared,
        *,
        swept: tuple[str, ...],
        examine: Examine | None = None,
        watch: Watch | None = None,
    ) -> None:
        self._path = path
        self._declared = declared
        self._swept = swept
        self._examine = examine
        self._watch = watch
        self._phases: list[Phase] = []
        self._begun = time.monotonic()
        self._disposal = Disposal((), ())

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a part of the drill."""
        if self._watch is not None:
            self._watch(name)
        begun = time.monotonic()
        try:
            yield
        finally:
            self._phases.append(Phase(name, time.monotonic() - begun))

    def report(self, *, sha256: str, damage: Breach | None = None) -> DrillReport:
        """What is known when nothing was restored."""
        return DrillReport(
            file=self._path.name,
            sha256=sha256,
            archive=None,
            damage=damage,
            hindrance=None,
            server="",
            isolation=(),
            roles_created=(),
            complaints=(),
            restored=Restored(),
            examined=None,
            depth=self._declared.depth,
            phases=tuple(self._phases),
            seconds=time.monotonic() - self._begun,
            disposal=self._disposal,
            swept=self._swept,
        )

    def held(self, lease: Lease) -> DrillReport:
        """Start the server while the backup is read; restore, count, look, and dispose of it."""
        guessed = major_of(self._path)
        with ExitStack() as stack:
            server = self._launched(stack, lease, guessed)
            try:
                with self.phase("read the backup"):
                    archive = archives.read(self._path, most=room_for(self._declared))
                    major = _one_major(archive, guessed)
                if server is None:
                    server = stack.enter_context(self._server(lease, major))
                with self.phase("wait for the server"):
                    server.await_ready()
            except Breach as damage:
                report = self.report(sha256=_digest(self._path), damage=damage)
            except Unverified as hindered:  # what became of a server that was launched is to be told all the same
                report = replace(self.report(sha256=_digest(self._path)), hindrance=hindered)
            else:
                report = self._through(replace(self.report(sha256=archive.sha256), archive=archive), archive, server)
        taken = time.monotonic() - self._begun
        return replace(report, phases=tuple(self._phases), seconds=taken, disposal=self._disposal)

    def _launched(self, stack: ExitStack, lease: Lease, major: int | None) -> ThrowawayServer | None:
        """The server, starting; None where that cannot be begun yet, or not at all: that is told once it is needed."""
        if major is not None:
            with suppress(Unverified):
                return stack.enter_context(self._server(lease, major))
        return None

    @contextmanager
    def _server(self, lease: Lease, major: int) -> Iterator[ThrowawayServer]:
        """A throwaway server that is starting."""
        with ExitStack() as stack:
            server = stack.enter_context(throwaway(self._declared, major, lease))
            try:
                with self.phase("launch the server"):
                    server.launch()
                yield server
            finally:
                with self.phase("dispose of the server"):
                    stack.close()
                self._disposal = Disposal(server.gone, server.left)

    def _through(self, report: DrillReport, archive: Archive, server: ThrowawayServer) -> DrillReport:
        try:
            report = replace(report, server=server.description, isolation=server.isolation)
            sandbox = Sandbox(server, archive)
            with self.phase("prepare roles and databases"):
                sandbox.prepare()
            report = replace(report, roles_created=sandbox.roles)
            missing = missing_extensions(sandbox, archive, embedded=self._declared.server == "embedded")
            if missing is not None:
                return replace(report, hindrance=missing)
            return self._restored(report, archive, sandbox)
        except Breach as damage:  # found when the backup was read again; what is left of the server is to be told too
            return replace(report, damage=damage)
        except Unverified as hindered:
            return replace(report, hindrance=hindered)

    def _restored(self, report: DrillReport, archive: Archive, sandbox: Sandbox) -> DrillReport:
        how = Load(self._declared.depth, seconds=self._declared.time_limit.total_seconds())
        with self.phase("copy the backup in"):
            inside = put(sandbox, archive, data_only=how.depth == "data")
        with self.phase("restore"):
            found = load(sandbox, archive, inside, how)
        with self.phase("count"):
            restored, uncounted = count(sandbox)
        found = (*found, *(Complaint(Harm.HARMFUL, each, 1) for each in uncounted))
        report = replace(report, complaints=found, restored=restored, hindrance=hindrance(found, sandbox, archive))
        if self._examine is None or report.hindrance is not None:
            return report
        with self.phase("examine"):
            try:
                return replace(report, examined=self._examine(sandbox))
            except (Breach, Unverified) as fault:  # which is no word on what was restored and counted
                return replace(report, unexamined=fault)


def _one_major(archive: Archive, guessed: int | None) -> int:
    """The major version of the pg_dump that wrote a backup, which its beginning must have told."""
    if guessed not in (None, archive.major):
        observed = f"{guessed} by its beginning, {archive.major} by the whole"
        raise Breach("version of pg_dump", observed=observed, limit="one", subject=archive.path.name)
    return archive.major


def _digest(path: Path) -> str:
    """SHA-256 of a damaged backup, so that the record names what was damaged."""
    with suppress(OSError), path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
    return "none: it cannot be read as a file"
