"""What must hold of events and records on their way: numbered without gaps, published, handled to the last, none set aside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from ctl.findings import Finding, of
from devstack.components import service_named
from devstack.settings import ROOT
from resapermis_kit.events.streams import RECORDS
from resapermis_kit.process.topology import Topology

SOURCES = ("auth-gateway", "mandate", "scheduling-rules", "basket", "notification", "audit")
"""Services with an outbox; egress writes into auth-gateway's."""
_TOPOLOGY = Topology.load(ROOT / "policies")
CONSUMES: Mapping[str, Sequence[tuple[str, str]]] = {
    name: [(one.source, one.stream) for one in _TOPOLOGY.durables if one.service == name]
    for name in dict.fromkeys(one.service for one in _TOPOLOGY.durables)
}
"""Who consumes whose events; a test compares it with what the services do in their `process.py`."""

_STREAMS = """
    SELECT stream, count(number) AS numbered, coalesce(min(number), 0) AS first, coalesce(max(number), 0) AS last,
           count(*) FILTER (WHERE published_at IS NULL) AS waiting
    FROM outbox GROUP BY stream"""


@dataclass(frozen=True)
class Stream:
    """What an outbox has of a stream. `head`: the newest number given; rows older than seven days are gone."""

    numbered: int
    first: int
    last: int
    waiting: int
    head: int

    @property
    def gapless(self) -> bool:
        """No number is missing from the first kept to the newest given."""
        return self.numbered == 0 or (self.numbered == self.last - self.first + 1 and self.last == self.head)


@dataclass(frozen=True)
class Traffic:
    """One service's outbox, inbox and dead letters."""

    service: str
    streams: Mapping[str, Stream]
    positions: Mapping[tuple[str, str], int]
    dead: Sequence[str]
    records: frozenset[str]
    """Ids of the journal's records that this outbox still has."""


async def read(connection: "asyncpg.Connection[Any]", service: str) -> Traffic:
    """Ask one service's database, in one snapshot."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        heads = {row["stream"]: row["last_number"] for row in await connection.fetch("SELECT * FROM outbox_head")}
        streams = {
            row["stream"]: Stream(
                row["numbered"], row["first"], row["last"], row["waiting"], heads.get(row["stream"], 0)
            )
            for row in await connection.fetch(_STREAMS)
        }
        for stream, head in heads.items():
            streams.setdefault(stream, Stream(0, 0, 0, 0, head))
        inbox = await connection.fetch("SELECT source, stream, position FROM inbox")
        dead = await connection.fetch("SELECT concat_ws(' ', source, type, id, error) FROM dead_letter")
        records = await connection.fetch("SELECT id::text FROM outbox WHERE stream = $1", RECORDS)
    return Traffic(
        service,
        streams,
        {(row["source"], row["stream"]): row["position"] for row in inbox},
        [row[0] for row in dead],
        frozenset(row[0] for row in records),
    )


def judge(traffic: Mapping[str, Traffic]) -> list[Finding]:
    """Findings of gaps, unpublished rows, consumers behind and dead letters; `traffic` by database name."""
    own = {service: traffic[service_named(service).database] for service in SOURCES}
    gaps = [
        f"{service} {name}: {stream.numbered} numbers in {stream.first}..{stream.last}, head {stream.head}"
        for service, one in own.items()
        for name, stream in one.streams.items()
        if not stream.gapless
    ]
    waiting = [f"{service} {name}: {n}" for service, one in own.items() for name, n in _waiting(one)]
    behind = [
        f"{consumer} of {source} {stream}: at {at}, head {head}"
        for consumer, streams in CONSUMES.items()
        for source, stream in streams
        if (at := own[consumer].positions.get((source, stream), 0)) != (head := _head(own[source], stream))
    ]
    dead = [f"{service}: {letter}" for service, one in own.items() for letter in one.dead]
    return [
        of("outbox_numbers_have_no_gap", gaps, at_once=True),
        of("everything_is_published", waiting),
        of("every_consumer_is_at_the_head", behind),
        of("no_dead_letter", dead, at_once=True),
    ]


def _waiting(one: Traffic) -> list[tuple[str, int]]:
    return [(name, stream.waiting) for name, stream in one.streams.items() if stream.waiting]


def _head(one: Traffic, stream: str) -> int:
    return one.streams[stream].head if stream in one.streams else 0
