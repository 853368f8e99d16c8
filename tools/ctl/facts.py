"""What must hold of facts and records on their way: numbered without gaps, published, handled to the last, none set aside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from ctl.findings import Finding, of
from devstack.parts import service_named

FACTS, RECORDS = "facts", "records"
SPEAKERS = ("auth-gateway", "mandate", "scheduling-rules", "basket", "notification", "audit")
"""Services with an outbox; egress writes into auth-gateway's."""
HEARS: Mapping[str, Sequence[tuple[str, str]]] = {
    "basket": [("scheduling-rules", FACTS), ("mandate", FACTS)],
    "notification": [("basket", FACTS), ("mandate", FACTS), ("scheduling-rules", FACTS)],
    "scheduling-rules": [("basket", FACTS)],
    "audit": [(source, RECORDS) for source in SPEAKERS],
}
"""Who handles whose facts; a test compares it with what the services say in their `__main__`."""

_LANES = """
    SELECT lane, count(number) AS numbered, coalesce(min(number), 0) AS first, coalesce(max(number), 0) AS last,
           count(*) FILTER (WHERE published_at IS NULL) AS waiting
    FROM outbox GROUP BY lane"""


@dataclass(frozen=True)
class Lane:
    """What an outbox has of a lane. `head`: the newest number given; rows older than seven days are gone."""

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
    lanes: Mapping[str, Lane]
    positions: Mapping[tuple[str, str], int]
    dead: Sequence[str]
    records: frozenset[str]
    """Ids of the journal's records that this outbox still has."""


async def read(connection: "asyncpg.Connection[Any]", service: str) -> Traffic:
    """Ask one service's database, in one snapshot."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        heads = {row["lane"]: row["last_number"] for row in await connection.fetch("SELECT * FROM outbox_head")}
        lanes = {
            row["lane"]: Lane(row["numbered"], row["first"], row["last"], row["waiting"], heads.get(row["lane"], 0))
            for row in await connection.fetch(_LANES)
        }
        for lane, head in heads.items():
            lanes.setdefault(lane, Lane(0, 0, 0, 0, head))
        inbox = await connection.fetch("SELECT source, lane, position FROM inbox")
        dead = await connection.fetch("SELECT concat_ws(' ', source, type, id, error) FROM dead_letter")
        records = await connection.fetch("SELECT id::text FROM outbox WHERE lane = $1", RECORDS)
    return Traffic(
        service,
        lanes,
        {(row["source"], row["lane"]): row["position"] for row in inbox},
        [row[0] for row in dead],
        frozenset(row[0] for row in records),
    )


def judge(traffic: Mapping[str, Traffic]) -> list[Finding]:
    """`traffic` by database name."""
    own = {service: traffic[service_named(service).database] for service in SPEAKERS}
    gaps = [
        f"{service} {name}: {lane.numbered} numbers in {lane.first}..{lane.last}, head {lane.head}"
        for service, one in own.items()
        for name, lane in one.lanes.items()
        if not lane.gapless
    ]
    waiting = [f"{service} {name}: {n}" for service, one in own.items() for name, n in _waiting(one)]
    behind = [
        f"{consumer} of {source} {lane}: at {at}, head {head}"
        for consumer, heard in HEARS.items()
        for source, lane in heard
        if (at := own[consumer].positions.get((source, lane), 0)) != (head := _head(own[source], lane))
    ]
    dead = [f"{service}: {letter}" for service, one in own.items() for letter in one.dead]
    return [
        of("outbox_numbers_have_no_gap", gaps, at_once=True),
        of("everything_is_published", waiting),
        of("every_consumer_is_at_the_head", behind),
        of("no_dead_letter", dead, at_once=True),
    ]


def _waiting(one: Traffic) -> list[tuple[str, int]]:
    return [(name, lane.waiting) for name, lane in one.lanes.items() if lane.waiting]


def _head(one: Traffic, lane: str) -> int:
    return one.lanes[lane].head if lane in one.lanes else 0
