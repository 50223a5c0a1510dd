"""A throwaway server in a Docker container: no network, nothing mounted, no capabilities, and it ends with us.

Its first process reads from our attached connection and ends when that closes, so that even after a SIGKILL of ours the
container goes, and its files with it. What dies between creating and attaching is left to the sweep of leftovers.
"""

import math
import os
import tarfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from reports.requirement import Unverified
from restore import engine
from restore.server import (
    ADMINISTRATOR,
    DISK,
    LONGEST_OUTPUT,
    STOCK,
    TUNED,
    WATCHED_EVERY,
    Finished,
    parts_of,
    version_told,
)

if TYPE_CHECKING:
    from docker import DockerClient
    from testcontainers.core.container import DockerContainer

DEFAULT_IMAGE = "postgres:{major}-bookworm"  # Debian's: Alpine sorts texts differently
MEMORY = "4g"
SHARED_MEMORY = "1g"  # for parallel index builds; Docker's default of 64 MB fails them
PROCESSES = 512
START_SECONDS = 60.0
GRACE = 30.0  # seconds beyond a program's limit until the engine is taken for dead
KILLED = 137  # the exit code of what was killed: with its container, or for want of memory
TIMED_OUT = (124, KILLED)  # of timeout: ended at the limit, killed after it
INSIDE = "/tmp"  # noqa: S108 -- of the container
SOCKET_DIR = f"{INSIDE}/constancia"
ENOUGH = f"See whether {MEMORY} of memory and the disk of the Docker engine are enough, and the engine is up"
FIT = "The image must hold sh, timeout, initdb, postgres, psql and pg_restore on its PATH, and a user postgres"
# The time zone is said, lest initdb looks for the machine's among all that there are; pg_ctl would look for the server
# ten times a second only.
BEGIN = r"""
umask 077
cd /tmp && mkdir constancia && cd constancia || exit 1
end() { mv told state; exec cat >/dev/null; }
TZ=UTC initdb -D data -U "$1" --no-sync --encoding=UTF8 --locale=C --auth=trust --no-instructions >told 2>&1 || end
shift
printf '%s\n' "$@" >>data/postgresql.conf
postgres -D data >server.log 2>&1 </dev/null &
until grep -qs '^ready' data/postmaster.pid; do
    kill -0 $! 2>/dev/null || { tail -n 1 server.log >told; end; }
    sleep 0.02
done
{ postgres --version; echo ready; } >told
end
"""
AWAIT = "until [ -e /tmp/constancia/state ]; do sleep 0.02; done; cat /tmp/constancia/state"


class ContainerThrowaway:
    """A throwaway server in a container.

    What it writes goes into the container's own layer, which the engine can measure or limit, and which goes with it: a
    root file system that is read-only would need a volume beside it, which the engine can do neither with. Where an
    image declares volumes, a small file system in memory lies over each.

    Args:
        major: the dump's major version.
        images: images by major version; for what is not in it the official Debian-based one.
        lease: the id of the drill's lease, for the label.
        disk: bytes that it may write.
        tuned: whether it may lose everything, which is faster.

    Raises:
        Unverified: on entering, when no engine answers, the image is not there or of another major version, or no
            server starts in it.
    """

    holds_superuser = True
    socket_dir = SOCKET_DIR

    def __init__(
        self, major: int, images: Mapping[str, str], lease: str, *, disk: int = DISK, tuned: bool = True
    ) -> None:
        self.major = major
        self.image = images.get(str(major), DEFAULT_IMAGE.format(major=major))
        self.description = f"container of {self.image}"
        self.isolation: tuple[str, ...] = ()
        self.gone: tuple[str, ...] = ()
        self.left: tuple[str, ...] = ("the container",)
        self._lease = lease
        self._engine: Mapping[str, str] = {}
        self._disk = disk
        self._settings = TUNED if tuned else STOCK
        self._volumes: list[str] = []
        self._container: DockerContainer | None = None
        self._asked_for = False
        self._attached: Any = None
        self._launch: Future[str] | None = None
        self._watch: _DiskWatch | None = None

    def launch(self) -> None:
        """As the interface says. It is the engine's child, not this thread's, so that a thread can ask for it.

        Raises:
            Unverified: when it cannot be told which engine is to be asked.
        """
        self._engine = engine.address()
        self._launch = Future()
        threading.Thread(target=self._launched, args=(self._launch,), name="starting a container", daemon=True).start()

    def await_ready(self) -> None:
        """As the interface says.

        Raises:
            Unverified: when it does not start, or is of another major version than the dump.
        """
        if self._launch is None:
            raise RuntimeError("not launched")
        digest = self._launch.result()
        state = self.run("sh", "-c", AWAIT, seconds=START_SECONDS)
        if not state.out.endswith("\nready\n"):
            told = (state.out or state.err).strip() or f"no answer within {START_SECONDS:.0f} s"
            came_back = told.splitlines()[-1][:200]
            raise Unverified(f"starting PostgreSQL in a container of {self.image}", came_back=came_back, remedy=FIT)
        needed = self.major
        version, self.major = version_told(state.out)
        self.description = f"PostgreSQL {version} in a container of {self.image} ({digest})"
        if self.major != needed:
            raise Unverified(
                f"restoring a dump of pg_dump {needed}",
                came_back=f"it needs PostgreSQL {needed}, and the image {self.image} holds {version}",
                remedy=f'Name an image of that version: images = {{ {needed} = "postgres:{needed}-bookworm" }}',
            )
        with engine.answering("looking at the container"):
            self.isolation = self._facts()
        if self._watch is not None:
            self._watch.start()

    def __enter__(self) -> Self:
        try:
            self.launch()
            self.await_ready()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._launch is not None:
            self._launch.exception()  # once it is not being made any more, what there is can be removed
        if self._watch is not None:
            self._watch.stop()
        if not self._asked_for:
            self.left = ()
            return
        if self._attached is not None:
            with suppress(OSError):
                # The response it came with, where it knows that; closed alone, it would be flushed once more later.
                getattr(self._attached, "_response", self._attached).close()
        try:
            with engine.answering("removing the container"):
                removed = engine.remove_labelled(self._client, self._lease)
                self.left = (
                    *engine.labelled(self._client, self._lease),
                    *(f"volume {each[:12]}" for each in engine.volumes_there(self._client, self._volumes)),
                )
                self.gone = tuple(each for each in removed if each not in self.left)
                self._client.close()
        except Unverified as unverified:
            self.left = (f"perhaps the container: {unverified.came_back}",)

    def put(self, name: str, blocks: Iterator[bytes], size: int) -> str:
        """As the interface says.

        Raises:
            Unverified: when the engine does not take it (no room).
        """
        parts = parts_of(name)
        with self._within_room(f"copying {size} bytes into the container"):
            self._client.api.put_archive(self._id, INSIDE, _tar(parts, blocks, size))
        return "/".join((INSIDE, *parts))

    def run(self, *argv: str, seconds: float) -> Finished:
        """As the interface says.

        Raises:
            Unverified: when the engine stops answering, or the container has no room left or is gone.
        """
        deadline = time.monotonic() + seconds
        limited = ["timeout", "-k", "5", str(math.ceil(seconds)), *argv]
        with self._within_room(f"running {argv[0]} in the container"):
            api = self._client.api
            started = api.exec_create(self._id, limited, environment={"LC_ALL": "C"})["Id"]
            told, cut = engine.output_of(api, started, LONGEST_OUTPUT, seconds + GRACE)
            ended = api.exec_inspect(started)
            code = ended["ExitCode"]
            timed_out = code in TIMED_OUT and time.monotonic() >= deadline
            if code is None or (code == KILLED and not timed_out):
                lost = "the connection to it was lost" if ended["Running"] else "it was killed, or the container ended"
                raise Unverified(f"running {argv[0]} in the container", came_back=lost, remedy=ENOUGH)
        return Finished.of(code, *told, timed_out=timed_out, cut=cut)

    @contextmanager
    def _within_room(self, what: str) -> Iterator[None]:
        """As `engine.answering`; where it failed because we ended a container that wrote too much, that is said."""
        try:
            with engine.answering(what):
                yield
        except Unverified:
            if self._watch is not None and self._watch.exceeded:
                raise Unverified(
                    what,
                    came_back=f"no room: it wrote more than {self._disk / (1 << 30):.1f} GiB, and was ended",
                    remedy="See what the dump grows into; its sandbox is not to fill the disk of the Docker engine",
                ) from None
            raise

    @property
    def _client(self) -> "DockerClient":
        if self._container is None:
            raise RuntimeError("used outside of its context")
        return self._container.get_docker_client().client

    @property
    def _id(self) -> str:
        if self._container is None:
            raise RuntimeError("used outside of its context")
        return self._container.get_container_id()

    def _launched(self, launch: "Future[str]") -> None:
        try:
            with engine.answering(f"starting a container of {self.image}"):
                launch.set_result(self._start())
        except BaseException as error:  # noqa: BLE001 -- raised again where it is awaited
            launch.set_exception(error)

    def _start(self) -> str:
        """Start it without waiting; the digest of its image."""
        from docker.errors import ImageNotFound
        from testcontainers.core.config import testcontainers_config

        # Its reaper needs an image of its own and the engine's socket; our leases do what it does.
        testcontainers_config.ryuk_disabled = True
        self._container = _made_for(self.image, self._engine)
        self._client.ping()
        try:
            image = self._client.images.get(self.image)
        except ImageNotFound:
            raise Unverified(
                f"starting a PostgreSQL {self.major} in a container",
                came_back=f"the image {self.image} is not on this machine",
                remedy=f"docker pull {self.image}, or name another: "
                f'images = {{ {self.major} = "..." }}, or declare server = "embedded"',
            ) from None
        self._create(image.attrs["Config"].get("Volumes") or {})
        # What binds its life to ours.
        self._attached = self._client.api.attach_socket(self._id, {"stdin": 1, "stream": 1})
        return str(next(iter(image.attrs.get("RepoDigests") or ()), image.id).rpartition("@")[2])

    def _create(self, volumes: Iterable[str]) -> None:
        from docker.errors import APIError

        if self._container is None:
            raise RuntimeError("not launched")
        options: dict[str, Any] = {
            "entrypoint": ["sh", "-c", BEGIN, "sh", ADMINISTRATOR, *_lines(self._settings)],
            "user": "postgres",
            "network": "none",
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
            "mem_limit": MEMORY,
            "memswap_limit": MEMORY,
            "shm_size": SHARED_MEMORY,
            "pids_limit": PROCESSES,
            "labels": {engine.LABEL: self._lease},
            "stdin_open": True,
            "auto_remove": True,
            "use_config_proxy": False,
        }
        for each in volumes:
            self._container.with_tmpfs_mount(each, "size=1m")
        self._asked_for = True
        with engine.answering(f"starting a container of {self.image}", FIT):
            try:
                self._container.with_kwargs(**options, storage_opt={"size": str(self._disk)}).start()
            except APIError as error:
                # Few of its ways to store layers can limit one: on ext4, for one, there is none.
                if "storage-opt" not in str(error.explanation):
                    raise
                self._container.with_kwargs(**options).start()
                self._watch = _DiskWatch(self._client, self._id, self._disk)

    def _facts(self) -> tuple[str, ...]:
        """How it is kept apart, as the engine itself reports it."""
        about = self._client.api.inspect_container(self._id)
        host = about["HostConfig"]
        self._volumes = [each["Name"] for each in about["Mounts"] if each["Type"] == "volume"]
        mounted = [each["Source"] for each in about["Mounts"] if each["Type"] != "volume"]
        able = self._client.info()
        limits = [
            f"{name} limit {value}" if able.get(key) else f"{name} limit not enforced by this engine"
            for name, key, value in (
                ("memory", "MemoryLimit", host["Memory"]),
                ("processes", "PidsLimit", host["PidsLimit"]),
            )
        ]
        size = f"{self._disk / (1 << 30):.1f} GiB"
        watched = f"{size}, watched by this run every {WATCHED_EVERY:.0f} s, since this engine sets none"
        return (
            f"network {host['NetworkMode']}",
            f"mounted from the host: {', '.join(mounted) or 'nothing'}",
            f"user {about['Config']['User']}",
            f"capabilities dropped: {', '.join(host['CapDrop'] or ['none'])}",
            *host["SecurityOpt"],
            *limits,
            f"disk limit {watched if self._watch else size}",
            "no variables of this run",
            "ends with this run",
            "restoring role is a superuser of the database in the container",
            "psql restricted",
        )


def _made_for(image: str, at: Mapping[str, str]) -> "DockerContainer":
    """A container of an image that is to be made by just this engine (see `engine.address`).

    The library looks for an engine in files of its own too, and writes what it finds into our environment, where the
    next drill would take it for what is declared.
    """
    from testcontainers.core.container import DockerContainer

    declared = os.environ.get("DOCKER_HOST")
    try:
        return DockerContainer(image, docker_client_kw=engine.arguments(at))
    finally:
        if declared is None:
            os.environ.pop("DOCKER_HOST", None)
        else:
            os.environ["DOCKER_HOST"] = declared


def _lines(settings: Mapping[str, str]) -> list[str]:
    """Of the server's configuration."""
    places = {"listen_addresses": "", "unix_socket_directories": SOCKET_DIR}
    return [f"{name} = '{value}'" for name, value in {**settings, **places}.items()]


class _DiskWatch(threading.Thread):
    """Ends a container that has written more than it may, as the engine measures it."""

    def __init__(self, client: "DockerClient", container: str, limit: int) -> None:
        super().__init__(name="watching a container's disk", daemon=True)
        self.exceeded = False
        self._client = client
        self._container = container
        self._limit = limit
        self._over = threading.Event()

    def run(self) -> None:
        """Look again and again, until it is over."""
        while not self._over.wait(WATCHED_EVERY):
            # An engine that does not answer is told where it is needed for more than this.
            with suppress(Unverified), engine.answering("measuring the container"):
                listed = self._client.api.containers(size=True, filters={"id": self._container})
                if any(each.get("SizeRw", 0) > self._limit for each in listed):
                    self.exceeded = True
                    self._client.api.kill(self._container)

    def stop(self) -> None:
        """Look no more."""
        self._over.set()


def _tar(parts: tuple[str, ...], blocks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """A tar with one file in it, and its folder, as a stream."""
    for folder in parts[:-1]:
        about = tarfile.TarInfo(folder)
        about.type, about.mode = tarfile.DIRTYPE, 0o755
        yield about.tobuf(tarfile.GNU_FORMAT)
    member = tarfile.TarInfo("/".join(parts))
    member.size = size
    member.mode = 0o444
    yield member.tobuf(tarfile.GNU_FORMAT)
    written = 0
    for block in blocks:
        written += len(block)
        yield block
    yield bytes(-written % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)
