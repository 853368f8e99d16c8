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
from devstack.components import BUS_ADMIN, NATS, OPERATOR, POSTGRES, SANDBOX, SERVICES

AT_ONCE = 4
NAMED: Mapping[str, str] = {FRONT: DOOR, SANDBOX: RDVPERMIS}
"""Whom a container's certificate names, where not itself."""
ELSEWHERE = "elsewhere"
AT_A_SIGNAL = (POSTGRES, NATS, FRONT)
"""Who reads its certificate again at SIGHUP; the others do by themselves, but for what stands for the world."""
DURABLE = ("fsync", "full_page_writes", "synchronous_commit", "ssl")
ADMINISTRATOR = "resapermis"
DOORS_END = 'resapermis_certificate_expires_seconds{certificate="reverse_proxy"}'
"""When the door's certificate ends, as the web face was shown it."""
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

    def of_one(name: str) -> list[Port]:
        order = {"do": "scan", "ports": ports[name], **_seen_by_a_client(containers, name, place)}
        return [Port(name, seen) for seen in project.probe(containers[name], order, seconds=300)]

    inside = {name: one for name, one in containers.items() if name != ELSEWHERE and ports[name]}
    return [port for _, all_of in _each(inside, of_one) for port in all_of]


def not_renewed(project: Project, containers: Containers, scan: Iterable[Port], place: Path) -> list[str]:
    """Ports whose certificate is not another believed one than at the scan; those of the world are left out."""
    before: dict[str, dict[int, Mapping[str, Any]]] = {}
    for port in scan:
        if port.seen["begins"] and port.container not in THE_WORLD:
            before.setdefault(port.container, {})[port.number] = port.seen

    def of_one(name: str) -> list[str]:
        old = before[name]
        begins = {str(number): seen["begins"] for number, seen in old.items()}
        order = {"do": "certificates", "ports": list(old), "begins": begins}
        answer = project.probe(containers[name], {**order, **_seen_by_a_client(containers, name, place)})
        return [
            f"{name}:{number} shows {'the certificate of before' if new['verified'] else new['why']}"
            for (number, seen), new in zip(old.items(), answer, strict=True)
            if new.get("serial") in {None, seen["certificate"]["serial"]}
        ]

    return [line for _, all_of in _each({name: containers[name] for name in before}, of_one) for line in all_of]


def started_again(before: Containers, after: Containers) -> list[str]:
    """Containers whose process is not the one of before."""
    gone = [name for name, one in before.items() if after[name]["State"]["Pid"] != one["State"]["Pid"]]
    return [f"{name} was started again" for name in gone]


def _seen_by_a_client(containers: Containers, name: str, place: Path) -> dict[str, Any]:
    """Part of an order: where the container answers, whom its certificate names, who signs it, and what a client of ours shows."""
    ours = place / "tls" / OPERATOR
    authority = "public" if name in {FRONT, *THE_WORLD} else "tls"
    return {
        "host": addresses(containers[name])[0],
        "name": NAMED.get(name, name),
        "ca": (place / authority / "ca.pem").read_text(),
        "certificate": (ours / "tls.pem").read_text(),
        "key": (ours / "tls.key").read_text(),
    }


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


def careless(project: Project, containers: Containers) -> list[str]:
    """What PostgreSQL is set to that could lose what it has acknowledged, or speak without TLS."""
    names = "', '".join(DURABLE)
    question = f"SELECT name || ' is ' || setting FROM pg_settings WHERE name IN ('{names}') AND setting <> 'on'"  # noqa: S608 - names of ours
    asked = ("psql", "-U", ADMINISTRATOR, "-d", "postgres", "-Atc", question)
    said = project.engine.run("exec", str(containers[POSTGRES]["Id"]), *asked)
    return [f"{POSTGRES}: {line}" for line in said.splitlines()]


def measured(client: httpx.Client, prometheus: str, expression: str) -> list[float]:
    """What Prometheus answers to an expression: a value for each series, none where there is none."""
    answer = client.get(f"{prometheus}/api/v1/query", params={"query": expression})
    answer.raise_for_status()
    return [float(one["value"][1]) for one in answer.json()["data"]["result"]]


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
