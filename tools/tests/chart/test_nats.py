"""NATS as the chart configures it, in real servers: probes, a renewed certificate, and three servers of which one goes."""

import asyncio
import json
import os
import re
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from nats.errors import Error
from nats.js.errors import APIError

from chart.helm import Object
from chart.objects import Pods, named, pods
from devstack.components import NATS, OPERATOR
from devstack.settings import ROOT
from resapermis_kit.database import durability
from resapermis_kit.events import streams
from resapermis_kit.process.bus_keeper import ensure
from resapermis_kit.process.topology import Topology
from resapermis_kit.tls import hangup
from resapermis_kit.tls.certificates import Certificates
from resapermis_testing.certificates import Authority, spoken
from resapermis_testing.eventually import eventually
from resapermis_testing.memory import data_folder
from resapermis_testing.ports import free_port

pytestmark = pytest.mark.req("P-02")
HOST = re.compile(r"resapermis-nats-(\d)\.resapermis-nats\.resapermis\.svc")


@dataclass
class Node:
    """One server of the StatefulSet, here."""

    number: int
    folder: Path
    client: int
    monitor: int
    cluster: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def tls(self) -> Path:
        return self.folder / "tls"

    @property
    def pid_file(self) -> Path:
        return self.folder / "nats.pid"


@dataclass
class World:
    """Servers by the chart's own configuration, an authority, and the operator's certificate."""

    nodes: list[Node]
    authority: Authority
    operator: Path
    start: Callable[[Node], None]

    @property
    def url(self) -> str:
        return ",".join(f"tls://127.0.0.1:{node.client}" for node in self.nodes)


def statefulset(objects: list[Object]) -> Pods:
    return next(one for one in pods(objects) if one.kind == "StatefulSet" and one.component == NATS)


@pytest.fixture
def make(department: list[Object], tmp_path: Path) -> Iterator[Callable[[int], World]]:
    """A function: so many servers, not started. Ports and folders are this machine's, all else is as rendered."""
    text = named(department, "ConfigMap", "resapermis-nats")["data"]["nats.conf"]
    environment = statefulset(department).environment()
    worlds: list[World] = []

    def start(node: Node) -> None:
        given = {**os.environ, **environment, "SERVER_NAME": f"resapermis-nats-{node.number}"}
        words = [ROOT / ".venv" / "bin" / "nats-server", "--config", node.folder / "nats.conf"]
        node.process = subprocess.Popen(words, env=given, stderr=subprocess.DEVNULL)

    def made(many: int) -> World:
        authority, nodes = Authority(), []
        for number in range(many):
            folder = tmp_path / str(number)
            nodes.append(Node(number, folder, free_port(), free_port(), free_port()))
            authority.sign(folder / "tls", NATS)
        authority.sign(tmp_path / OPERATOR, OPERATOR)
        for node in nodes:
            here = {
                "0.0.0.0:4222": f"127.0.0.1:{node.client}",
                "0.0.0.0:8222": f"127.0.0.1:{node.monitor}",
                "0.0.0.0:6222": f"127.0.0.1:{node.cluster}",
                '"/data"': json.dumps(str(data_folder("resapermis-nats-"))),
                "/run/tls": str(node.tls),
                "/run/nats/nats.pid": str(node.pid_file),
            }
            own = text if many > 1 else re.sub(r"(?s)\ncluster \{.*\n\}\n?", "\n", text)
            for before, after in here.items():
                own = own.replace(before, after)
            own = re.sub(HOST.pattern + ":6222", lambda found: f"localhost:{nodes[int(found[1])].cluster}", own)
            (node.folder / "nats.conf").write_text(own, encoding="utf-8")
        worlds.append(World(nodes, authority, tmp_path / OPERATOR, start))
        return worlds[-1]

    yield made
    for node in (node for world in worlds for node in world.nodes if node.process is not None):
        node.process.kill()  # type: ignore[union-attr] # looked at above
        node.process.wait()  # type: ignore[union-attr]


async def until_served(node: Node, path: str = "/healthz") -> None:
    """As the kubelet asks: it shows no certificate and verifies none."""

    async def served() -> bool:
        assert node.process is not None
        assert node.process.poll() is None, "nats-server refuses the configuration"
        try:
            return (await web.get(path)).status_code == httpx2.codes.OK
        except httpx2.TransportError:
            return False

    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    async with httpx2.AsyncClient(base_url=f"https://127.0.0.1:{node.monitor}", verify=blind) as web:
        await eventually(served)


async def test_the_server_takes_its_configuration_and_answers_its_probes(
    make: Callable[[int], World], department: list[Object]
) -> None:
    world = make(1)
    (node,) = world.nodes
    world.start(node)
    container = statefulset(department).spec["containers"][0]
    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[kind]["httpGet"]["scheme"] == "HTTPS"
        await until_served(node, container[kind]["httpGet"]["path"])
    context = Certificates(world.operator).client_context("test")
    told = await asyncio.to_thread(durability.jetstream, f"https://127.0.0.1:{node.monitor}", context)
    assert durability.writes_first(told)
    assert told["config"]["max_storage"] == 8 * 2**30


async def test_a_renewed_certificate_is_shown_without_a_restart(make: Callable[[int], World]) -> None:
    world = make(1)
    (node,) = world.nodes
    world.start(node)
    await until_served(node)

    async def shown() -> int:
        return (await spoken(node.client, certificate=world.operator)).serial

    before = await shown()
    files = [node.tls / name for name in ("ca.pem", "tls.pem", "tls.key")]
    looks = iter([True, True, False])

    def wait() -> bool:
        """The certificate is renewed before the second look."""
        goes_on = next(looks)
        if renewed:
            return goes_on
        renewed.append(world.authority.sign(node.tls, NATS))
        return goes_on

    renewed: list[int] = []
    hangup.watch(node.pid_file, files, wait)

    async def changed() -> bool:
        return await shown() == renewed[0]

    assert before != renewed[0]
    await eventually(changed)
    assert node.process is not None
    assert node.process.poll() is None


def test_a_change_that_nobody_was_told_of_is_told_at_the_next_look(tmp_path: Path) -> None:
    file, pid_file, told = tmp_path / "tls.pem", tmp_path / "pid", tmp_path / "told"
    script = f"trap 'echo . >> {told}' HUP; echo ready; while :; do read -r _ || exit; done"
    with subprocess.Popen(["bash", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as sleeper:
        assert sleeper.stdout is not None
        assert sleeper.stdin is not None
        sleeper.stdout.readline()
        steps = iter([lambda: file.write_text("1"), lambda: pid_file.write_text(str(sleeper.pid)), lambda: None])

        def wait() -> bool:
            step = next(steps, None)
            if step is not None:
                step()
            return step is not None

        hangup.watch(pid_file, [file], wait)
        sleeper.stdin.write(b"\n")
        sleeper.stdin.close()
        sleeper.wait(10)
    assert told.read_text(encoding="utf-8") == ".\n"


async def routed(node: Node, folder: Path) -> str:
    """What the server answers to who would be another server of its cluster, with the folder's certificate."""
    context = Certificates(folder).client_context("test")
    reader, writer = await asyncio.open_connection("localhost", node.cluster, ssl=context)
    try:
        told = json.loads((await reader.readline()).partition(b" ")[2])
        said = json.dumps({"name": "another", "cluster": told["cluster"], "tls_required": True})
        writer.write(f"CONNECT {said}\r\nPING\r\n".encode())
        async with asyncio.timeout(10):
            while line := (await reader.readline()).decode().strip():
                if line.startswith(("-ERR", "PONG")):
                    return line
        return ""
    finally:
        writer.close()


async def test_a_route_is_for_who_has_a_servers_name_in_its_certificate(make: Callable[[int], World]) -> None:
    """Each process has a certificate of the same authority, and a route sees every account's messages."""
    world = make(3)
    node, other, _ = world.nodes
    world.start(node)
    await until_served(node, "/healthz?js-enabled-only=true")
    for name in ("basket", OPERATOR, NATS):
        own = node.folder / name
        world.authority.sign(own, name, names=(name,))
        assert await routed(node, own) == "-ERR 'Authorization Violation'", name
    assert await routed(node, other.tls) == "PONG"


@pytest.mark.long_only
async def test_three_servers_are_one_bus_that_goes_on_without_one_of_them(make: Callable[[int], World]) -> None:
    world = make(3)
    for node in world.nodes:
        world.start(node)
    for node in world.nodes:
        await until_served(node)
    bus = await streams.connect(world.url, Certificates(world.operator), "bus-admin", reconnect_seconds=0.1)
    try:
        js, topology = bus.jetstream(), Topology.load(ROOT / "policies")

        async def made() -> bool:
            try:
                return await ensure(js, topology, 3) == []
            except (Error, APIError, OSError, TimeoutError):
                return False

        await eventually(made, 60)
        name = topology.streams(3)[0].name
        info = await js.stream_info(str(name))
        assert info.config.num_replicas == 3
        assert info.cluster is not None
        assert len(info.cluster.replicas or []) == 2
        gone = next(node for node in world.nodes if info.cluster.leader == f"resapermis-nats-{node.number}")
        assert gone.process is not None
        gone.process.kill()

        async def kept() -> bool:
            try:
                again = await js.stream_info(str(name))
            except (Error, APIError, OSError, TimeoutError):
                return False
            return again.cluster is not None and again.cluster.leader not in {None, info.cluster.leader}

        await eventually(kept, 60)
    finally:
        await bus.close()
