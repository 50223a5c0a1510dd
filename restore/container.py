"""A throwaway server in a Docker container: no network, nothing mounted, no capabilities, and it ends with us.

Its first process reads from our attached connection and ends when that closes, so that even after a SIGKILL of ours the
container goes, and its files with it. What dies between creating and attaching is left to the sweep of leftovers.
"""

import math
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from reports.requirement import Unverified
from restore import engine
from restore.server import ADMINISTRATOR, LONGEST_OUTPUT, TUNED, Finished

if TYPE_CHECKING:
    from docker import DockerClient
    from testcontainers.core.container import DockerContainer

DEFAULT_IMAGE = "postgres:{major}-bookworm"  # Debian's: Alpine sorts texts differently
MEMORY = "4g"
SHARED_MEMORY = "1g"  # for parallel index builds; Docker's default of 64 MB fails them
PROCESSES = 512
START_SECONDS = 60.0
TIMED_OUT = (124, 137)  # exit codes of timeout: ended at the limit, killed after it
INSIDE = "/tmp"  # noqa: S108 -- of the container
SOCKET_DIR = f"{INSIDE}/constancia"
FIT = "The image must hold sh, timeout, initdb, pg_ctl, psql and pg_restore on its PATH, and a user postgres"
BEGIN = r"""
umask 077
cd /tmp && mkdir constancia && cd constancia || exit 1
end() { mv told state; exec cat >/dev/null; }
initdb -D data -U "$1" --no-sync --encoding=UTF8 --locale=C --auth=trust >told 2>&1 || end
shift
printf '%s\n' "$@" >>data/postgresql.conf
pg_ctl -D data -l server.log -w -s start >told 2>&1 || end
echo ready >told
end
"""
AWAIT = "until [ -e /tmp/constancia/state ]; do sleep 0.02; done; tail -n 1 /tmp/constancia/state"


class ContainerThrowaway:
    """A throwaway server in a container.

    Args:
        major: the dump's major version.
        images: images by major version; for what is not in it the official Debian-based one.
        lease: the id of the drill's lease, for the label.

    Raises:
        Unverified: on entering, when no engine answers, the image is not there, or no server starts in it.
    """

    holds_superuser = True
    socket_dir = SOCKET_DIR

    def __init__(self, major: int, images: Mapping[str, str], lease: str) -> None:
        self.major = major
        self.image = images.get(str(major), DEFAULT_IMAGE.format(major=major))
        self.description = f"container of {self.image}"
        self.isolation: tuple[str, ...] = ()
        self.gone: tuple[str, ...] = ()
        self.left: tuple[str, ...] = ("the container",)
        self._lease = lease
        self._volumes: list[str] = []
        self._container: DockerContainer | None = None
        self._attached: Any = None

    def __enter__(self) -> Self:
        try:
            with engine.answering(f"starting a container of {self.image}"):
                self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._container is None:  # no engine, so none was made
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
        with engine.answering(f"copying {size} bytes into the container"):
            self._client.api.put_archive(self._id, INSIDE, _tar(name, blocks, size))
        return f"{INSIDE}/{name}"

    def run(self, *argv: str, seconds: float) -> Finished:
        """As the interface says.

        Raises:
            Unverified: when the engine stops answering.
        """
        deadline = time.monotonic() + seconds
        limited = ["timeout", "-k", "5", str(math.ceil(seconds)), *argv]
        with engine.answering(f"running {argv[0]} in the container"):
            api = self._client.api
            started = api.exec_create(self._id, limited, environment={"LC_ALL": "C"})["Id"]
            told, cut = (bytearray(), bytearray()), False
            for pieces in api.exec_start(started, stream=True, demux=True):
                for kept, piece in zip(told, (each or b"" for each in pieces), strict=True):
                    room = LONGEST_OUTPUT - len(kept)
                    cut = cut or len(piece) > room
                    kept.extend(piece[:room])
            code = api.exec_inspect(started)["ExitCode"]
        if code is None:
            raise Unverified(
                f"running {argv[0]} in the container",
                came_back="the container ended meanwhile",
                remedy=f"See whether {MEMORY} of memory and the disk of the Docker engine are enough",
            )
        timed_out = code in TIMED_OUT and time.monotonic() >= deadline
        return Finished.of(code, bytes(told[0]), bytes(told[1]), timed_out=timed_out, cut=cut)

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

    def _start(self) -> None:
        from docker.errors import ImageNotFound
        from testcontainers.core.config import testcontainers_config
        from testcontainers.core.container import DockerContainer

        # Its reaper needs an image of its own and the engine's socket; our leases do what it does.
        testcontainers_config.ryuk_disabled = True
        container = DockerContainer(self.image).with_kwargs(
            entrypoint=["sh", "-c", BEGIN, "sh", ADMINISTRATOR, *_settings()],
            user="postgres",
            network="none",
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            mem_limit=MEMORY,
            memswap_limit=MEMORY,
            shm_size=SHARED_MEMORY,
            pids_limit=PROCESSES,
            labels={engine.LABEL: self._lease},
            stdin_open=True,
            auto_remove=True,
            use_config_proxy=False,
        )
        self._container = container
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
        with engine.answering(f"starting a container of {self.image}", FIT):
            container.start()
        # What binds its life to ours.
        self._attached = self._client.api.attach_socket(self._id, {"stdin": 1, "stream": 1})
        self._await_ready()
        version = self.run("postgres", "--version", seconds=30).out.strip().rpartition(") ")[2].split(" ")[0]
        digest = next(iter(image.attrs.get("RepoDigests") or ()), image.id).rpartition("@")[2]
        self.description = f"PostgreSQL {version} in a container of {self.image} ({digest})"
        self.isolation = self._facts()

    def _await_ready(self) -> None:
        state = self.run("sh", "-c", AWAIT, seconds=START_SECONDS)
        if state.out != "ready\n":
            told = (state.out or state.err).strip() or f"no answer within {START_SECONDS:.0f} s"
            raise Unverified(f"starting PostgreSQL in a container of {self.image}", came_back=told[:200], remedy=FIT)

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
        return (
            f"network {host['NetworkMode']}",
            f"mounted from the host: {', '.join(mounted) or 'nothing'}",
            f"user {about['Config']['User']}",
            f"capabilities dropped: {', '.join(host['CapDrop'] or ['none'])}",
            *host["SecurityOpt"],
            *limits,
            "no variables of this run",
            "ends with this run",
            "restoring role is a superuser of the database in the container",
            "psql restricted",
        )


def _settings() -> list[str]:
    places = {"listen_addresses": "", "unix_socket_directories": SOCKET_DIR}
    return [f"{name} = '{value}'" for name, value in {**TUNED, **places}.items()]


def _tar(name: str, blocks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """A tar with one file in it, as a stream."""
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o444
    yield member.tobuf(tarfile.GNU_FORMAT)
    written = 0
    for block in blocks:
        written += len(block)
        yield block
    yield bytes(-written % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)
