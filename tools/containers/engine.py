"""The container engine of this machine, and a compose project on it: podman with podman-compose, or docker."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from containers import probe
from devstack.settings import ROOT

LABEL = "com.docker.compose"
TRIED_FROM = "resapermis/audit"
"""An image with Python, to look around from in another's network where nobody may enter that otherwise."""
SETTING = "RESAPERMIS_CONTAINER_ENGINE"
"""Names the engine where several are here: podman or docker (tools/images.sh: buildah too)."""


class Missing(Exception):
    """What this machine lacks; the message says what to do."""


class Failed(Exception):
    """A command of the engine failed; the message holds its words."""


@dataclass(frozen=True)
class Engine:
    """`command` is podman or docker, `compose` the words before a compose command."""

    command: str
    compose: tuple[str, ...]

    @property
    def podman(self) -> bool:
        """Whether it is podman."""
        return Path(self.command).name == "podman"

    def run(self, *words: str, seconds: float = 120) -> str:
        """What a command prints; Failed with its words when it fails or lasts too long."""
        return run([self.command, *words], seconds)

    def has(self, image: str) -> bool:
        """Whether the image is here."""
        done = subprocess.run([self.command, "image", "inspect", image], capture_output=True, check=False)
        return done.returncode == 0


def run(command: Sequence[str], seconds: float, environment: Mapping[str, str] | None = None, given: str = "") -> str:
    """Standard output of a command; Failed with its words when it fails or lasts longer."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
            cwd=ROOT,
            env=environment,
            input=given,
        )
    except subprocess.TimeoutExpired:
        msg = f"{' '.join(command[:6])} …: not done within {seconds:.0f} s"
        raise Failed(msg) from None
    except OSError as reason:
        msg = f"{command[0]} cannot be started: {reason.strerror}"
        raise Failed(msg) from None
    if done.returncode != 0:
        msg = f"{' '.join(command[:6])} … ended with {done.returncode}:\n{(done.stderr or done.stdout).strip()[-3000:]}"
        raise Failed(msg)
    return done.stdout


def find() -> Engine:
    """The engine that is here and answers, by its setting where that is set; Missing says what to install, or as whom to come."""
    asked = os.environ.get(SETTING) or ""
    if asked and shutil.which(asked) is None:
        msg = f"{SETTING} is {asked}, which is not here"
        raise Missing(msg)
    if asked not in {"", "podman", "docker"}:
        msg = f"{SETTING} is {asked}: compose is run by podman or docker"
        raise Missing(msg)
    beside = Path(sys.executable).with_name("podman-compose")
    podman_compose = str(beside) if beside.exists() else shutil.which("podman-compose")
    if asked != "docker" and (podman := shutil.which("podman")):
        if podman_compose is None:
            msg = "podman is here, podman-compose is not: make setup installs it"
            raise Missing(msg)
        return _answering(
            Engine(podman, (podman_compose,)), "podman info fails: does this account have subordinate ids?"
        )
    if docker := shutil.which("docker"):
        engine = _answering(
            Engine(docker, (docker, "compose")), "docker does not answer: is it running, are you in its group?"
        )
        try:
            engine.run("compose", "version")
        except Failed:
            msg = "docker is here, its compose plugin is not: apt install docker-compose-v2"
            raise Missing(msg) from None
        return engine
    msg = "no container engine is here: apt install podman (as root, runc or crun with it), or docker"
    raise Missing(msg)


def _answering(engine: Engine, otherwise: str) -> Engine:
    try:
        engine.run("info", seconds=30)
    except Failed as failure:
        msg = f"{otherwise}\n{failure}"
        raise Missing(msg) from None
    return engine


class Project:
    """docker-compose.yml with the settings of one `.env`, as one project."""

    def __init__(self, engine: Engine, name: str, settings: Path, profiles: Sequence[str] = ()) -> None:
        """`settings` is the file that `prepared.prepare` wrote."""
        self.engine, self.name, self.settings, self.profiles = engine, name, settings, profiles

    def compose(self, *words: str, seconds: float = 600) -> str:
        """A compose command; Failed with its words."""
        return run(self.words(*words), seconds, self._environment())

    def words(self, *words: str) -> list[str]:
        """A compose command as a shell takes it."""
        pods = ("--in-pod=false",) if self.engine.podman else ()
        profiles = (word for profile in self.profiles for word in ("--profile", profile))
        where = ("-f", str(ROOT / "docker-compose.yml"), "-p", self.name, "--env-file", str(self.settings))
        return [*self.engine.compose, *pods, *where, *profiles, *words]

    def _environment(self) -> dict[str, str]:
        """Ours without settings: those of the file hold, not those that a shell happens to have."""
        return {name: value for name, value in os.environ.items() if not name.startswith(("RESAPERMIS_", "COMPOSE_"))}

    def containers(self) -> dict[str, dict[str, Any]]:
        """Service → what the engine says of its container."""
        listed = self.engine.run("ps", "-aq", "--filter", f"label={LABEL}.project={self.name}").split()
        if not listed:
            return {}
        inspected = json.loads(self.engine.run("inspect", "--type", "container", *listed))
        return {one["Config"]["Labels"][f"{LABEL}.service"]: one for one in inspected}

    def logs(self, container: Mapping[str, Any]) -> str:
        """What a container said."""
        done = subprocess.run(
            [self.engine.command, "logs", str(container["Id"])],
            capture_output=True,
            text=True,
            check=False,
            errors="replace",
        )
        return done.stdout + done.stderr

    def healthy(self, container: Mapping[str, Any]) -> bool:
        """Whether it runs, and its health check, where it has one, passes now."""
        state = container["State"]
        if state["Status"] != "running":
            return False
        if not container["Config"].get("Healthcheck"):
            return True
        if self.engine.podman:  # without systemd nobody makes its checks, so this does
            words = [self.engine.command, "healthcheck", "run", str(container["Id"])]
            return subprocess.run(words, capture_output=True, check=False, timeout=60).returncode == 0
        return bool(state.get("Health", {}).get("Status") == "healthy")

    def probe(self, container: Mapping[str, Any], order: Mapping[str, Any], seconds: float = 120) -> Any:
        """What `probe` answers from within the container's network, and its network alone."""
        return json.loads(run([*self._into(container), *_script()], seconds, given=json.dumps(order)))

    def _into(self, container: Mapping[str, Any]) -> list[str]:
        if os.geteuid() == 0 and shutil.which("nsenter"):
            return ["nsenter", "--net", "--target", str(container["State"]["Pid"]), sys.executable]
        shared = ["--rm", "-i", "--network", f"container:{container['Id']}", "--read-only", "--tmpfs", "/tmp"]  # noqa: S108 - in the container
        return [self.engine.command, "run", *shared, "--cap-drop", "ALL", "--entrypoint", "/app/bin/python", TRIED_FROM]


def _script() -> Iterator[str]:
    yield from ("-I", "-c", Path(probe.__file__).read_text(encoding="utf-8"))


def addresses(container: Mapping[str, Any]) -> list[str]:
    """Its addresses, one a network."""
    networks: Mapping[str, Any] = container["NetworkSettings"]["Networks"] or {}
    return sorted({str(one["IPAddress"]) for one in networks.values() if one.get("IPAddress")})
