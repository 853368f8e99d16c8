"""What a size asks of nodes, and of PostgreSQL: summed over rendered objects. Pure."""

import math
import re
from collections.abc import Mapping, Sequence

from chart.objects import Object, kinds, pods

UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
RESERVED = 20
"""Connections for migrations, checks and CloudNativePG itself, as the chart keeps them free."""


def cores(amount: str | float) -> float:
    """Cores of "250m" or "2"."""
    text = str(amount)
    return int(text[:-1]) / 1000 if text.endswith("m") else float(text)


def octets(amount: str) -> int:
    """Bytes of "256Mi"."""
    found = re.fullmatch(r"(\d+)(Ki|Mi|Gi|Ti)", amount)
    if found is None:
        raise ValueError(amount)
    return int(found[1]) * UNITS[found[2]]


def most(objects: Sequence[Object]) -> Mapping[str, int]:
    """How often each Deployment may run at once, by its name."""
    scaled = {
        one["spec"]["scaleTargetRef"]["name"]: int(one["spec"]["maxReplicas"])
        for one in kinds(objects, "HorizontalPodAutoscaler")
    }
    return {
        one.name: scaled.get(one.name, one.replicas)
        for one in pods(objects)
        if one.kind in {"Deployment", "StatefulSet"}
    }


def least(objects: Sequence[Object]) -> Mapping[str, int]:
    """How often each runs at least."""
    scaled = {
        one["spec"]["scaleTargetRef"]["name"]: int(one["spec"]["minReplicas"])
        for one in kinds(objects, "HorizontalPodAutoscaler")
    }
    return {
        one.name: scaled.get(one.name, one.replicas)
        for one in pods(objects)
        if one.kind in {"Deployment", "StatefulSet"}
    }


def asked(objects: Sequence[Object], often: Mapping[str, int], amount: str) -> tuple[float, int]:
    """Cores and bytes that `amount` ("requests" or "limits") comes to, of what runs all the time."""
    rows = [
        (container["resources"][amount], often[one.name])
        for one in pods(objects)
        if one.name in often
        for container in one.containers
    ]
    rows += [(one["spec"]["resources"][amount], one["spec"]["instances"]) for one in kinds(objects, "Cluster")]
    return (
        sum(cores(row["cpu"]) * times for row, times in rows),
        sum(octets(row["memory"]) * times for row, times in rows),
    )


def connections(objects: Sequence[Object]) -> tuple[int, int]:
    """The most connections to PostgreSQL that processes may hold, a replica more of each among them, and how many it takes.

    A replica holds its pool, its leader's lock, and (auth-gateway, egress) its beat among replicas: two beside the pool.
    """
    often = most(objects)
    held = sum(
        (often[one.name] + 1) * (int(pool) + 2)
        for one in pods(objects)
        if one.kind == "Deployment" and (pool := one.environment().get("RESAPERMIS_DATABASE_POOL"))
    )
    clusters = kinds(objects, "Cluster")
    taken = int(clusters[0]["spec"]["postgresql"]["parameters"]["max_connections"]) if clusters else 0
    return held, taken


def row(objects: Sequence[Object]) -> dict[str, str]:
    """What the page says of a size, by its columns."""
    few, many = least(objects), most(objects)
    low, high = (asked(objects, often, "requests") for often in (few, many))
    limit = asked(objects, many, "limits")
    held, taken = connections(objects)
    disks = sum(
        octets(claim["spec"]["resources"]["requests"]["storage"]) * int(one["spec"]["replicas"])
        for one in kinds(objects, "StatefulSet")
        for claim in one["spec"]["volumeClaimTemplates"]
    ) + sum(
        (octets(one["spec"]["storage"]["size"]) + octets(one["spec"]["walStorage"]["size"])) * one["spec"]["instances"]
        for one in kinds(objects, "Cluster")
    )
    return {
        "cores, as it starts": f"{low[0]:.1f}",
        "cores, at its largest": f"{high[0]:.1f} ({limit[0]:.0f})",
        "memory, as it starts": _gibibytes(low[1]),
        "memory, at its largest": f"{_gibibytes(high[1])} ({_gibibytes(limit[1])})",
        "disks": _gibibytes(disks),
        "connections, of": f"{held}, {taken}",
    }


def _gibibytes(amount: float) -> str:
    return f"{math.ceil(amount / 2**30 * 10) / 10:.1f} GiB"
