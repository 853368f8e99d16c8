"""`make test CONTAINERS=1`: the container engine of this machine, and the images that PostgreSQL and NATS come from.

The engine is that of DOCKER_HOST, or whoever listens at Docker's own socket, or podman, whose service is started for the run. An
image is that of its setting; else what `make images BASE=debian` made here; else the Docker Official Image, pulled if need be.
What conftest.py and its plugins are told goes through the environment, so that one of them can be set by hand as well:
    RESAPERMIS_TEST_POSTGRES_IMAGE=localhost/resapermis/postgres15 RESAPERMIS_TEST_NATS_IMAGE=… pytest libs/kit
"""

import shutil
import socket
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WANTED = "CONTAINERS"
"""Set to anything but 0: servers are to come from containers."""
POSTGRES_IMAGE, NATS_IMAGE, RUN = "RESAPERMIS_TEST_POSTGRES_IMAGE", "RESAPERMIS_TEST_NATS_IMAGE", "RESAPERMIS_TEST_RUN"
LABEL = "resapermis.tests"
"""Of every container of tests; its value is RUN's."""
DOCKER_HOST, RYUK = "DOCKER_HOST", "TESTCONTAINERS_RYUK_DISABLED"
DOCKER_SOCKET = Path("/var/run/docker.sock")
START_SECONDS = 20


@dataclass(frozen=True)
class Image:
    """Where an image comes from: a setting, what is built here, what is pulled."""

    setting: str
    ours: str
    official: str


POSTGRES: Mapping[str, Image] = {
    "18": Image("RESAPERMIS_POSTGRES18_IMAGE", "resapermis/postgres18", "docker.io/library/postgres:18"),
    "15": Image("RESAPERMIS_POSTGRES15_IMAGE", "resapermis/postgres15", "docker.io/library/postgres:15"),
}
"""By version: the newest, and the oldest that we promise (docs/deploy.md)."""
NATS = Image("RESAPERMIS_NATS_IMAGE", "resapermis/nats", "docker.io/library/nats:2.12-alpine")


class NoContainers(Exception):
    """Containers cannot be had here; the message says why, and what to do."""


@dataclass(frozen=True)
class Containers:
    """What a run with containers is told: the images, and its environment."""

    postgres: Mapping[str, str]
    nats: str
    environment: Mapping[str, str]

    def with_postgres(self, version: str) -> dict[str, str]:
        """The environment of a run on this version of PostgreSQL."""
        return {**self.environment, POSTGRES_IMAGE: self.postgres[version], NATS_IMAGE: self.nats}


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether the run was asked to take servers from containers."""
    return environment.get(WANTED, "0") not in {"", "0"}


@contextmanager
def containers(environment: Mapping[str, str]) -> Iterator[Containers]:
    """Containers for a run, of which none is left after it. NoContainers where they cannot be had."""
    # The client of an engine is loaded by who asks for one: every test process imports this module.
    import docker  # noqa: PLC0415 - as said

    run = uuid.uuid4().hex
    with _host(environment) as host:
        try:
            _knock(host)
            client = docker.DockerClient(base_url=host, timeout=120)
            client.ping()
        except (docker.errors.DockerException, OSError) as error:
            raise NoContainers(f"the container engine at {host} does not answer ({type(error).__name__})") from None
        try:
            postgres = {version: _image(client, image, environment) for version, image in POSTGRES.items()}
            nats = _image(client, NATS, environment)
            # What is killed leaves its containers; they are removed here, not by a container of testcontainers' own.
            yield Containers(postgres, nats, {**environment, DOCKER_HOST: host, RYUK: "true", RUN: run})
        finally:
            with suppress(docker.errors.DockerException, OSError):
                for left in client.containers.list(all=True, filters={"label": f"{LABEL}={run}"}):
                    left.remove(force=True, v=True)
            client.close()


def _knock(host: str) -> None:
    """OSError where nobody listens: the client of an engine would leave its socket open."""
    kind, _, path = host.partition("://")
    if kind == "unix":
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(path)


@contextmanager
def _host(environment: Mapping[str, str]) -> Iterator[str]:
    """The address of an engine; podman's service is started where nothing else is there."""
    if host := environment.get(DOCKER_HOST):
        yield host
    elif DOCKER_SOCKET.is_socket():
        yield f"unix://{DOCKER_SOCKET}"
    elif (podman := shutil.which("podman", path=environment.get("PATH"))) is None:
        raise NoContainers("there is no container engine: DOCKER_HOST is not set, and podman is not installed")
    else:
        with tempfile.TemporaryDirectory(prefix="resapermis-podman-") as folder:
            address = Path(folder) / "podman.sock"
            log = Path(folder) / "log"
            with log.open("wb") as output:
                service = subprocess.Popen(
                    [podman, "system", "service", "--time=0", f"unix://{address}"],
                    env=environment,
                    stdout=output,
                    stderr=output,
                )
            try:
                _wait_for(service, address, log)
                yield f"unix://{address}"
            finally:
                service.terminate()
                service.wait()


def _wait_for(service: "subprocess.Popen[bytes]", address: Path, log: Path) -> None:
    end, pause = time.monotonic() + START_SECONDS, threading.Event()
    while not address.is_socket():
        if service.poll() is not None or time.monotonic() > end:
            said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise NoContainers(f"podman's service does not start: {said[-1] if said else 'it says nothing'}")
        pause.wait(0.05)


def _image(client: Any, image: Image, environment: Mapping[str, str]) -> str:
    import docker  # noqa: PLC0415 - loaded already

    asked = environment.get(image.setting)
    # podman's own name of what is built here stands first: to Docker's interface the other one is docker.io's.
    for name in (asked,) if asked else (f"localhost/{image.ours}", image.ours, image.official):
        with suppress(docker.errors.ImageNotFound):
            client.images.get(name)
            return name
    name = asked or image.official
    try:
        client.images.pull(name)
    except (docker.errors.DockerException, OSError):
        raise NoContainers(
            f"the image {name} is not here and cannot be pulled; `make images BASE=debian` makes {image.ours}, or set {image.setting}"
        ) from None
    return name
