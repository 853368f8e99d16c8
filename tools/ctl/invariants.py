"""One check of all invariants, and checks repeated until what is under way has arrived."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import httpx2

from ctl import booking, bus, events, journal, state
from ctl.addresses import DATABASES, Addresses
from ctl.findings import Finding, Report
from devstack.components import service_named
from resapermis_scheduling_rules import invariants as of_rules

BETWEEN_CHECKS_SECONDS = 1.0
CONNECT_SECONDS = 10.0


class Unreadable(Exception):
    """A database or RdvPermis' truth could not be read."""


async def check(addresses: Addresses) -> Report:
    """Read every database once, RdvPermis' truth last; Unreadable when one does not answer."""
    try:
        return await _check(addresses)
    except (
        OSError,
        TimeoutError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        httpx2.HTTPError,
        ValueError,
    ) as error:
        msg = f"cannot be read: {type(error).__name__}"
        raise Unreadable(msg) from error


async def until_settled(addresses: Addresses, seconds: float) -> Report:
    """Check until all holds, at most `seconds`. What must hold in every snapshot and once did not stays broken."""
    end = time.monotonic() + seconds
    broken: dict[str, Finding] = {}
    while True:
        report = await check(addresses)
        broken |= {one.name: one for one in report.findings if one.at_once and not one.holds}
        if broken or report.holds or time.monotonic() >= end:
            return with_broken(report, broken)
        await asyncio.sleep(BETWEEN_CHECKS_SECONDS)


def with_broken(report: Report, broken: dict[str, Finding]) -> Report:
    """The report, with findings of earlier checks that no later check mends."""
    return Report(tuple(broken.get(one.name, one) for one in report.findings), report.seen)


async def _check(addresses: Addresses) -> Report:
    async with AsyncExitStack() as stack:

        async def connect(database: str) -> "asyncpg.Connection[Any]":
            connection = await asyncpg.connect(addresses.databases[database], timeout=CONNECT_SECONDS)
            stack.push_async_callback(connection.close)
            return connection

        connections = dict(zip(DATABASES, await asyncio.gather(*map(connect, DATABASES)), strict=True))
        # Consumers before sources' heads would do as well: a check that meets events on their way is repeated.
        booked = await booking.read(connections["basket"])
        names = {service: connections[_database(service)] for service in events.SOURCES}
        traffic = {_database(name): await events.read(connection, name) for name, connection in names.items()}
        kept = await journal.read(connections["audit"])
        rules = connections["scheduling_rules"]
        ruled = [await booking.ask(rules, name, asked, at_once=True) for name, asked in of_rules.ALWAYS.items()]
    truth = await state.read(addresses.control) if addresses.control else None
    settings = await bus.read(addresses.nats_monitors, addresses.authorities)
    recorded = frozenset[str]().union(*(one.records for one in traffic.values()))
    findings: Sequence[Finding] = [
        *booked.findings,
        *ruled,
        *events.judge(traffic),
        *journal.judge(kept, booked.booked(), recorded),
        *(state.judge(truth, booked.lines) if truth is not None else []),
        *bus.judge(settings),
    ]
    seen = {
        "lines": len(booked.lines),
        "booked": len(booked.booked()),
        "held": sum(line.state == "held" for line in booked.lines),
        "events_and_records": sum(stream.head for one in traffic.values() for stream in one.streams.values()),
        "journal_records": len(kept.kept),
        "checkpoints": len(kept.checkpoints),
    }
    if truth is not None:
        seen |= {"rdvpermis_exams": len(truth.exams), "made_elsewhere": state.made_elsewhere(truth, booked.lines)}
    return Report(tuple(findings), seen)


def _database(service: str) -> str:
    return service_named(service).database
