"""A running stack is tried: who reaches whom, how every port speaks TLS, who sent traces, what Prometheus reads."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx

from containers.engine import Project, addresses
from containers.prepared import DOOR, RDVPERMIS
from containers.scan import Port, complaints
from containers.walls import CALLS, FRONT, LEAD_OUT, OTEL, THE_WORLD, may_meet, pair
from devstack.components import BUS_ADMIN, OPERATOR, SANDBOX, SERVICES

AT_ONCE = 4
NAMED: Mapping[str, str] = {FRONT: DOOR, SANDBOX: RDVPERMIS}
"""Whom a container's certificate names, where not itself."""
ELSEWHERE = "elsewhere"
Containers = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Reached:
    """One container tried to connect to another's port, at each of its addresses."""

    source: str
    target: str
    port: int
    reached: bool


def running(containers: Containers) -> dict[str, Mapping[str, Any]]:
    """Those that run; migrations have ended."""
    return {name: one for name, one in containers.items() if one["State"]["Status"] == "running"}


def listening(project: Project, containers: Containers) -> dict[str, list[int]]:
    """Container → ports, from the kernel of each; nothing is left out for not being in a list of ours."""
    return dict(_each(containers, lambda name: project.probe(containers[name], {"do": "listening"})))


def reached(project: Project, containers: Containers, ports: Mapping[str, list[int]]) -> list[Reached]:
    """Every running container towards every port of every other."""

    def from_one(source: str) -> list[Reached]:
        tries = [
            (target, port, address)
            for target in sorted(ports)
            if target != source
            for port in ports[target]
            for address in addresses(containers[target])
        ]
        taken = project.probe(
            containers[source], {"do": "reach", "targets": [(address, port) for _, port, address in tries]}
        )
        found: dict[tuple[str, int], bool] = {}
        for (target, port, _), one in zip(tries, taken, strict=True):
            found[target, port] = found.get((target, port), False) or one
        return [Reached(source, target, port, one) for (target, port), one in found.items()]

    sources = {name: one for name, one in containers.items() if name != ELSEWHERE}
    return [one for _, all_of in _each(sources, from_one) for one in all_of]


def breaches(seen: Iterable[Reached]) -> list[str]:
    """What differs from the tables: a target in vain, or somebody reached who may not be."""
    wrong, allowed = [], may_meet()
    for one in seen:
        where = f"{one.source} → {one.target}:{one.port}"
        if one.target in CALLS.get(one.source, ()):
            wrong += [] if one.reached else [f"{where} should be reached, and is not"]
        elif one.target == ELSEWHERE:
            wrong += [f"{where} is reached"] if one.reached and one.source not in LEAD_OUT | THE_WORLD else []
        elif one.reached and pair(one.source, one.target) not in allowed:
            wrong.append(f"{where} is reached, and may not be")
    return wrong


def scanned(project: Project, containers: Containers, ports: Mapping[str, list[int]], place: Path) -> list[Port]:
    """How every port of every container speaks TLS, seen from beside the process that listens."""
    ours = place / "tls" / OPERATOR
    client = {name: (ours / f"tls.{kind}").read_text() for name, kind in (("certificate", "pem"), ("key", "key"))}

    def of_one(name: str) -> list[Port]:
        authority = "public" if name in {FRONT, *THE_WORLD} else "tls"
        order = {
            "do": "scan",
            "host": addresses(containers[name])[0],
            "name": NAMED.get(name, name),
            "ports": ports[name],
            "ca": (place / authority / "ca.pem").read_text(),
            **client,
        }
        return [Port(name, seen) for seen in project.probe(containers[name], order, seconds=300)]

    inside = {name: one for name, one in containers.items() if name != ELSEWHERE and ports[name]}
    return [port for _, all_of in _each(inside, of_one) for port in all_of]


def faults(scan: Iterable[Port]) -> list[str]:
    """What is wrong with the ports, in words."""
    return [line for port in scan for line in complaints(port)]


def spans(logs: str) -> Counter[str]:
    """What the receiver said that it took: service → spans."""
    found: Counter[str] = Counter()
    for line in logs.splitlines():
        if line.startswith("{"):
            found.update(json.loads(line))
    return found


def silent(found: Mapping[str, int]) -> list[str]:
    """Services that sent no span."""
    return [f"{service.name} sent no trace to {OTEL}" for service in SERVICES if not found.get(service.name)]


def unread(client: httpx.Client, prometheus: str) -> list[str]:
    """Processes whose metrics Prometheus does not read, by its own word."""
    answer = client.get(f"{prometheus}/api/v1/targets", params={"state": "active"})
    answer.raise_for_status()
    health = {one["labels"]["service"]: one["health"] for one in answer.json()["data"]["activeTargets"]}
    wanted = [BUS_ADMIN, *(service.name for service in SERVICES)]
    return [f"prometheus: {name} is {health.get(name, 'not asked')}" for name in wanted if health.get(name) != "up"]


def shown(seen: Iterable[Reached], scan: Iterable[Port]) -> dict[str, Any]:
    """Everything as JSON takes it."""
    return {
        "reached": [asdict(one) for one in seen],
        "ports": [{"container": port.container, **port.seen} for port in scan],
    }


def _each(containers: Containers, ask: Any) -> list[tuple[str, Any]]:
    """What `ask` answers of each container, a few at once."""
    names = sorted(containers)
    with ThreadPoolExecutor(AT_ONCE) as several:
        return list(zip(names, several.map(ask, names), strict=True))
