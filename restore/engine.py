"""The Docker engine: reaching it, and removing what drills have labelled as theirs."""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.requirement import Unverified

if TYPE_CHECKING:
    from docker import APIClient, DockerClient

LABEL = "constancia.drill"  # of a drill's container; its value is the id of the drill's lease
PATIENCE = 20.0  # seconds until what was removed must be gone
VARIABLES = ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
OF_THIS_MACHINE = "default"  # the context that is one of these variables or none
REMEDY = 'Start Docker and let this account use it, or declare server = "embedded"'


@contextmanager
def answering(what: str, remedy: str = REMEDY) -> Iterator[None]:
    """Tell what the libraries that talk to the engine raise as what it means to us.

    Args:
        what: what is tried.
        remedy: what to do when it fails.

    Raises:
        Unverified: when no engine answers, it refuses, or a library is missing.
    """
    try:
        from docker.errors import DockerException
        from requests.exceptions import RequestException
    except ImportError as error:
        install = 'Install it (pip install testcontainers), or declare server = "embedded"'
        raise Unverified(what, came_back=f"no module {error.name}", remedy=install) from None
    try:
        yield
    except (DockerException, RequestException, OSError) as error:
        raise Unverified(what, came_back=_shortened(error), remedy=remedy) from None


def address() -> dict[str, str]:
    """Which engine this run's containers are to be made by, as the variables that say so to a client.

    It is what the environment says, else the Docker context that is chosen, else this machine's own engine. It can be
    kept, and leads to the same engine later, whatever is chosen by then.

    Raises:
        Unverified: when a context is chosen that is not there, or cannot be read.
    """
    at = {name: value for name in VARIABLES if (value := os.environ.get(name))}
    chosen = _chosen_context()
    if "DOCKER_HOST" not in at and chosen != OF_THIS_MACHINE:
        at = _of_context(chosen)
    return {"DOCKER_CONTEXT": OF_THIS_MACHINE, **at}


def arguments(at: Mapping[str, str]) -> dict[str, Any]:
    """What docker.from_env is called with for a client of just this engine (see `address`)."""
    # With paramiko instead, it would want to read from our standard input.
    return {"environment": dict(at), "use_ssh_client": at.get("DOCKER_HOST", "").startswith("ssh://")}


@contextmanager
def connected(at: Mapping[str, str]) -> Iterator["DockerClient"]:
    """A client of an engine (see `address`).

    Raises:
        Unverified: as `answering`.
    """
    with answering("reaching the Docker engine"):
        import docker

        client = docker.from_env(**arguments(at))
        try:
            client.ping()
            yield client
        finally:
            client.close()


def _chosen_context() -> str:
    """The name of the Docker context that is chosen, as Docker's own programs find it."""
    if chosen := os.environ.get("DOCKER_CONTEXT"):
        return chosen
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    with suppress(OSError, ValueError, AttributeError):
        return str(json.loads((folder / "config.json").read_bytes()).get("currentContext") or OF_THIS_MACHINE)
    return OF_THIS_MACHINE


def _of_context(chosen: str) -> dict[str, str]:
    """The address that a Docker context stands for."""
    what = "finding the Docker engine"
    with answering(what):
        from docker.context import ContextAPI

        context = ContextAPI.get_context(chosen)
        if context is None or not context.Host:
            remedy = f"See docker context ls, or set DOCKER_HOST; {REMEDY}"
            raise Unverified(what, came_back=f"no address for the Docker context {chosen}", remedy=remedy)
        at = {"DOCKER_HOST": context.Host}
        tls = context.TLSConfig
        held = next(filter(None, [tls.ca_cert, *(tls.cert or ())]), None) if tls else None  # side by side in a folder
        if held is not None:
            at["DOCKER_CERT_PATH"] = str(Path(held).parent)
            at["DOCKER_TLS_VERIFY"] = "1" if tls.verify else ""
    return at


def output_of(api: "APIClient", started: str, most: int, seconds: float) -> tuple[tuple[bytes, bytes], bool]:
    """Start what was made to run in a container, and read what it writes until it ends.

    Args:
        api: the engine's.
        started: the id of what is to run.
        most: bytes that are kept of each stream.
        seconds: after which an engine that is still silent is taken for dead, and the connection is cut. The library
            would wait for ever.

    Returns:
        Its standard output and its standard error, and whether there was more of either.
    """
    from docker.utils.socket import frames_iter

    connection = api.exec_start(started, socket=True)
    told, cut = (bytearray(), bytearray()), False
    silence = threading.Timer(seconds, _hang_up, args=(connection,))
    silence.daemon = True
    silence.start()
    try:
        for stream, piece in frames_iter(connection, tty=False):
            kept = told[stream - 1]
            room = most - len(kept)
            cut = cut or len(piece) > room
            kept.extend(piece[:room])
    finally:
        silence.cancel()
        with suppress(OSError):
            getattr(connection, "_response", connection).close()
    return (bytes(told[0]), bytes(told[1])), cut


def _hang_up(connection: Any) -> None:  # noqa: ANN401 -- of the library: a socket, or the file of one
    with suppress(OSError):
        getattr(connection, "_sock", connection).shutdown(socket.SHUT_RDWR)


def labelled(client: "DockerClient", lease: str) -> list[str]:
    """Containers of a drill that are there, running or not, and their volumes, as "container 0123456789ab"."""
    found = client.api.containers(all=True, filters={"label": f"{LABEL}={lease}"})
    containers = [f"container {each['Id'][:12]}" for each in found]
    mounts = (mount for each in found for mount in each.get("Mounts", ()))
    return containers + [f"volume {mount['Name'][:12]}" for mount in mounts if mount.get("Type") == "volume"]


def remove_labelled(client: "DockerClient", lease: str) -> list[str]:
    """Remove a drill's containers with their volumes, and wait until they are gone.

    Returns:
        What was there, as `labelled` names it.
    """
    from docker.errors import APIError

    found = labelled(client, lease)
    deadline = time.monotonic() + PATIENCE
    while remaining := labelled(client, lease):
        if time.monotonic() > deadline:
            break
        for each in remaining:
            kind, _, name = each.partition(" ")
            # It may be going by itself at this moment: then Docker says "not found" or "already in progress".
            with suppress(APIError):
                if kind == "container":
                    client.api.remove_container(name, force=True, v=True)
        time.sleep(0.02)
    return found


def volumes_there(client: "DockerClient", names: list[str]) -> list[str]:
    """Which of these volumes are still there."""
    from docker.errors import NotFound

    there = []
    for name in names:
        with suppress(NotFound):
            client.api.inspect_volume(name)
            there.append(name)
    return there


def _shortened(error: Exception) -> str:
    """The first line of a library's error, of a bearable length."""
    told = str(getattr(error, "explanation", None) or error).strip() or type(error).__name__
    return told.splitlines()[0][:200]
