"""Where the time goes: the services' own metrics, PostgreSQL's and the kernel's account, before and after."""

import os
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from prometheus_client.parser import text_string_to_metric_families

from devstack.components import FOUNDATION, NATS, POSTGRES, replica_named
from devstack.probes import http_body
from devstack.stack import Stack

SERVICES = ("basket", "mandate", "scheduling-rules", "egress")
Sums = dict[tuple[str, str, str], tuple[float, float]]
"""(service, histogram, its labels joined by "/") → (seconds, count)."""
_HISTOGRAMS: Mapping[str, tuple[str, ...]] = {
    "resapermis_rpc_seconds": ("method",),
    "resapermis_basket_peer_seconds": ("peer", "method"),
    "resapermis_rdvpermis_seconds": ("operation",),
}
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class StackReading:
    """All accounts at one moment."""

    sums: Sums
    cpu: dict[str, float]
    """CPU seconds by component; the callers' own is "callers", all that the machine did is "machine"."""
    database_ms: float
    """Time that PostgreSQL spent executing statements in basket's database."""
    at: float
    """time.monotonic()."""


async def read(stack: Stack, responder: int, admin: "asyncpg.Connection[Any]") -> StackReading:
    """Read every account; `responder` is the process that answers for RdvPermis."""
    sums: Sums = {}
    components = [component for component in stack.components if component not in FOUNDATION]
    for component in components:
        service, replica = replica_named(component)
        text = (await http_body(stack.ports.metrics(service, replica), "/metrics")).decode()
        for key, (seconds, count) in _histograms(text).items():
            before = sums.get((service.name, *key), (0.0, 0.0))
            sums[service.name, *key] = (before[0] + seconds, before[1] + count)
    pids = {name: stack.process(name).pid for name in (*components, NATS, POSTGRES)}
    cpu = {name: cpu_seconds(pid, children=name == POSTGRES) for name, pid in pids.items() if pid is not None}
    cpu |= {"rdvpermis": cpu_seconds(responder), "callers": cpu_seconds(os.getpid())}
    spent = await admin.fetchval(
        "SELECT coalesce(sum(total_exec_time), 0) FROM pg_stat_statements "
        "JOIN pg_database ON pg_database.oid = dbid WHERE datname = 'basket'"
    )
    return StackReading(sums, cpu | {"machine": _machine()}, float(spent), time.monotonic())


def database_cpu(stack: Stack) -> float:
    """CPU seconds of PostgreSQL and of programs that we ran and that ended, such as pgbench."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    pid = stack.process(POSTGRES).pid
    return (0.0 if pid is None else cpu_seconds(pid, children=True)) + ended.ru_utime + ended.ru_stime


def _histograms(text: str) -> dict[tuple[str, str], tuple[float, float]]:
    found: dict[tuple[str, str], tuple[float, float]] = {}
    for family in text_string_to_metric_families(text):
        labels = _HISTOGRAMS.get(family.name)
        for sample in family.samples if labels is not None else ():
            words = [sample.labels[label].rpartition("/")[2] for label in labels or ()]  # "BasketService/HoldSlots"
            key = (family.name, "/".join(words))
            seconds, count = found.get(key, (0.0, 0.0))
            if sample.name.endswith("_sum"):
                found[key] = (seconds + sample.value, count)
            elif sample.name.endswith("_count"):
                found[key] = (seconds, count + sample.value)
    return found


def cpu_seconds(pid: int, *, children: bool = False) -> float:
    """CPU seconds of a process since it began; with its children where each connection has one."""
    ticks = 0
    pids = [pid]
    if children:
        pids += [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    for one in pids:
        try:
            fields = Path(f"/proc/{one}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:
            continue  # a backend that ended meanwhile
        ticks += int(fields[11]) + int(fields[12])
        if one == pid and children:
            ticks += int(fields[13]) + int(fields[14])
    return ticks / _TICKS


def _machine() -> float:
    """CPU seconds that all processes of the machine together used."""
    fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    user, nice, system, _, _, irq, softirq, *_ = map(int, fields)
    return (user + nice + system + irq + softirq) / _TICKS


def shares(spans: Sequence[tuple[StackReading, StackReading]], client_ms: float) -> dict[str, Any]:
    """Mean milliseconds of one action at each hop, and CPU milliseconds by component, over spans of (before, after).

    `client_ms`: mean at the callers.
    """

    def spent(service: str, histogram: str, labels: str) -> tuple[float, float]:
        key, nothing = (service, histogram, labels), (0.0, 0.0)
        pairs = [(before.sums.get(key, nothing), after.sums.get(key, nothing)) for before, after in spans]
        return sum(now[0] - then[0] for then, now in pairs) * 1000, sum(now[1] - then[1] for then, now in pairs)

    total, actions = spent("basket", "resapermis_rpc_seconds", "HoldSlots")
    actions = max(actions, 1.0)

    def waited(peer: str, method: str) -> float:
        return spent("basket", "resapermis_basket_peer_seconds", f"{peer}/{method}")[0] / actions

    def answered(service: str, method: str) -> float:
        return spent(service, "resapermis_rpc_seconds", method)[0] / actions

    waits = {
        "mandate.CheckMandates": waited("mandate", "CheckMandates"),
        "scheduling.Evaluate": waited("scheduling-rules", "Evaluate"),
        "egress.HoldSlots": waited("egress", "HoldSlots"),
    }
    calls = {
        labels: spent(service, name, labels)
        for service, name, labels in spans[-1][1].sums
        if name == "resapermis_rdvpermis_seconds"
    }
    hops: dict[str, Any] = {
        "client": client_ms,
        "on_the_way_to_basket": client_ms - total / actions,
        "basket.HoldSlots": total / actions,
        "basket_waits_for": waits,
        "basket_transactions_and_own_work": total / actions - sum(waits.values()),
        "answered_by": {
            "mandate.CheckMandates": answered("mandate", "CheckMandates"),
            "scheduling.Evaluate": answered("scheduling-rules", "Evaluate"),
            "egress.HoldSlots": answered("egress", "HoldSlots"),
        },
        "rdvpermis_ms_a_call": {name: ms / count for name, (ms, count) in calls.items() if count},
        "postgres_executes_for_basket": sum(after.database_ms - before.database_ms for before, after in spans)
        / actions,
    }
    cpu = {name: sum(after.cpu[name] - before.cpu[name] for before, after in spans) for name in spans[-1][1].cpu}
    whole, ours = cpu.pop("machine"), sum(cpu.values())
    could = sum(after.at - before.at for before, after in spans) * (os.cpu_count() or 1)
    return {
        "hops_ms": rounded(hops),
        "cpu_ms_per_action": rounded(
            {name: seconds * 1000 / actions for name, seconds in (cpu | {"all": ours}).items()}
        ),
        "machine_percent": rounded({"ours": 100 * ours / could, "others": 100 * max(0.0, whole - ours) / could}),
    }


def rounded(figures: Mapping[str, Any]) -> dict[str, Any]:
    """To a hundredth, at any depth."""
    return {
        name: rounded(value) if isinstance(value, Mapping) else round(float(value), 2)
        for name, value in figures.items()
    }
