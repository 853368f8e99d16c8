"""`gateway`: what the web face adds to a call, and what open pages cost it.

The inbox of a school is read through it and directly at notification, by the same callers at the same pace and then as fast
as they can. Then pages of one school open their live feeds and are told of changes; memory is counted for each feed. The exit
status is 1 when something is not answered, a median is more than 3 ms longer, a feed costs more than 60 KiB, or a change is
more than 500 ms on its way to the slowest hundredth.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import uvloop
from measure.hops import cpu_seconds
from measure.terminal import say
from rush.web import Connection
from system import components
from system.components import WEB, Visitor

from devstack.components import service_named
from devstack.stack import CannotStart, Stack
from resapermis.basket.v1.basket_pb2 import LineState
from resapermis.basket.v1.events_pb2 import LineChanged
from resapermis.notification.v1.notification_pb2 import ListNoticesRequest
from resapermis.notification.v1.notification_pb2_grpc import NotificationServiceStub
from resapermis_kit.clock import new_id
from resapermis_kit.database.engine import make_engine
from resapermis_kit.events import streams, wire
from resapermis_kit.events.numbering import NumberedRow
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.auth import Signer
from resapermis_kit.tls.certificates import Certificates

NOTIFICATION = "notification"
SCHOOL = "ecole-1"
EVERY_SECONDS = 0.1
"""The pace of each caller: at it the machine is not full, and what is counted is the way."""
WARM_UP_SECONDS = 2.0
MOST_ADDED_MS, MOST_KIB_A_FEED, MOST_FAN_OUT_MS = 3.0, 60.0, 500.0
SETTINGS = {
    NOTIFICATION: {},
    # One client stands for thousands: what bounds one address or account would bound the measure.
    WEB: {
        "RESAPERMIS_READ_RATE": "600000/minute",
        "RESAPERMIS_ADDRESS_CONNECTIONS": "5000",
        "RESAPERMIS_ADDRESS_FEEDS": "5000",
    },
}
Ask = Callable[[], Awaitable[None]]


async def paced(asks: Sequence[Ask], seconds: float) -> list[float]:
    """Each asks every EVERY_SECONDS, evenly apart from the others; milliseconds until answers came."""
    times: list[float] = []
    began = time.monotonic()

    async def caller(number: int, ask: Ask) -> None:
        due = began + EVERY_SECONDS * number / len(asks)
        while due < began + seconds:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            since = time.monotonic()
            await ask()
            times.append((time.monotonic() - since) * 1000)
            due += EVERY_SECONDS

    await asyncio.gather(*(caller(number, ask) for number, ask in enumerate(asks)))
    return times


async def at_once(asks: Sequence[Ask], seconds: float) -> float:
    """Answers a second when each asks again as soon as it is answered."""
    until = time.monotonic() + seconds

    async def caller(ask: Ask) -> int:
        answers = 0
        while time.monotonic() < until:
            await ask()
            answers += 1
        return answers

    return sum(await asyncio.gather(*map(caller, asks))) / seconds


def figures(times: Sequence[float]) -> dict[str, float]:
    """Answers, median and slowest hundredth, in milliseconds."""
    ordered = sorted(times)
    return {
        "answers": len(ordered),
        "p50_ms": round(median(ordered), 2),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)], 2),
    }


async def reads(stack: Stack, visitors: Sequence[Visitor], seconds: float) -> dict[str, Any]:
    """The same inbox through the web face and directly, in turn."""
    signer = Signer(stack.settings.secrets / "principal.jwk.json")
    address = f"127.0.0.1:{stack.ports.grpc(service_named(NOTIFICATION))}"
    channel = peers.channel(address, Certificates(stack.settings.tls / WEB), NOTIFICATION)
    stub: Any = NotificationServiceStub(channel)  # type: ignore[no-untyped-call]

    async def over_http(visitor: Visitor) -> Ask:
        loop, request = asyncio.get_running_loop(), visitor.get(stack, "/api/v1/notifications")
        _, connection = await loop.create_connection(Connection, "127.0.0.1", stack.ports.pages())

        async def ask() -> None:
            status, body = await connection.ask(request)
            if status != 200:
                msg = f"answered {status}: {body[:200]!r}"
                raise RuntimeError(msg)

        return ask

    def directly(visitor: Visitor) -> Ask:
        async def ask() -> None:
            token = signer.sign(visitor.principal, NOTIFICATION)
            await peers.call(stub.ListNotices, ListNoticesRequest(limit=50), principal=token)

        return ask

    ways = {"gateway": [await over_http(one) for one in visitors], "directly": [directly(one) for one in visitors]}
    try:
        for asks in ways.values():
            await paced(asks, WARM_UP_SECONDS)
        found: dict[str, Any] = {}
        for way, asks in ways.items():
            found[way] = figures(await paced(asks, seconds))
            found[way]["answers_a_second_at_most"] = round(await at_once(asks, seconds))
            say(f"{way}: {found[way]}")
    finally:
        await channel.close()
    found["added_p50_ms"] = round(found["gateway"]["p50_ms"] - found["directly"]["p50_ms"], 2)
    return found


@dataclass
class Page(asyncio.Protocol):
    """One open live feed, read to its end; `seen` is called at each change that it is told of."""

    seen: Callable[[], None]
    open: asyncio.Event = field(default_factory=asyncio.Event)
    lost: bool = False
    _head: bytes = b""

    def connection_lost(self, error: Exception | None) -> None:
        """Nobody ends a feed during the measure."""
        del error
        self.lost = True
        self.open.set()

    def data_received(self, data: bytes) -> None:
        """The first tick says that the feed is open."""
        if not self.open.is_set():
            self._head += data
            if b"event: tick" in self._head:
                self.open.set()
        if b"event: change" in data:
            self.seen()


def resident_kib(pid: int) -> int:
    """Memory of a process that is in RAM."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


async def feeds(stack: Stack, visitors: Sequence[Visitor], changes: int) -> dict[str, Any]:
    """Open the live feed of each, count what one costs at rest, then send changes of their school to all."""
    loop, pid = asyncio.get_running_loop(), stack.process(WEB).pid or 0
    arrived: list[float] = []
    published, left, everybody = 0.0, 0, asyncio.Event()

    def seen() -> None:
        nonlocal left
        arrived.append((time.monotonic() - published) * 1000)
        left -= 1
        if not left:
            everybody.set()

    before, opened = resident_kib(pid), list[tuple[asyncio.Transport, Page]]()
    for visitor in visitors:
        transport, page = await loop.create_connection(lambda: Page(seen), "127.0.0.1", stack.ports.pages())
        transport.write(visitor.get(stack, "/api/v1/notifications/stream"))
        opened.append((transport, page))
        if len(opened) % 50 == 0:
            await asyncio.gather(*(page.open.wait() for _, page in opened))
    await asyncio.gather(*(page.open.wait() for _, page in opened))
    cpu, rested = cpu_seconds(pid), time.monotonic()
    await asyncio.sleep(10)  # one tick of each
    idle = 100 * (cpu_seconds(pid) - cpu) / (time.monotonic() - rested)
    each = (resident_kib(pid) - before) / len(opened)
    say(f"{len(opened)} feeds: {each:.1f} KiB each")
    bus = await streams.connect(
        f"tls://127.0.0.1:{stack.ports.nats}", Certificates(stack.settings.tls / "basket"), "basket"
    )
    try:
        for _ in range(changes):
            left, published = len(opened), time.monotonic()
            everybody.clear()
            await bus.publish(*change())
            async with asyncio.timeout(30):
                await everybody.wait()
    finally:
        await bus.close()
        for transport, _ in opened:
            transport.abort()
    return {
        "feeds": len(opened),
        "lost": sum(page.lost for _, page in opened),
        "kib_each": round(each, 1),
        "idle_cpu_percent": round(idle),
        "fan_out": figures(arrived),
    }


def change() -> tuple[str, bytes, str, dict[str, str]]:
    """What basket publishes when RdvPermis is asked about a line, as arguments of `publish`.

    Nobody gets a notice of it: each feed would read its inbox then, and what comes after would wait for 2,000 of them.
    """
    kind = LineChanged.DESCRIPTOR.full_name
    event = LineChanged(school_id=SCHOOL, to=LineState.LINE_STATE_ASKING)
    row = NumberedRow(new_id(), "events", kind, event.SerializeToString(), "", datetime.now(UTC), 1)
    subject, headers, payload = wire.message_of("basket", [row])
    return subject, payload, "", headers


async def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Both measures on one stack."""
    async with components.started("gateway", 25_500, SETTINGS) as stack:
        engine = make_engine(stack.database_url("auth_gateway"), pool=1, name="bench")
        try:
            profiles = components.profiles_of(stack)
            people = max(arguments.callers, arguments.feeds)
            visitors = [await components.visitor(engine, profiles, SCHOOL) for _ in range(people)]
        finally:
            await engine.dispose()
        say(f"{len(visitors)} people are signed in")
        read = await reads(stack, visitors[: arguments.callers], arguments.seconds)
        return {"reads": read, "feeds": await feeds(stack, visitors[: arguments.feeds], arguments.changes)}


def main(words: Sequence[str]) -> int:
    """Parse `words` and measure; returns the exit status."""
    parser = argparse.ArgumentParser(prog="bench.py gateway", description=__doc__)
    parser.add_argument("--callers", type=int, default=16, help="who read their inbox")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each slice")
    parser.add_argument("--feeds", type=int, default=2000, help="pages open at once")
    parser.add_argument("--changes", type=int, default=10, help="that each of them is told of")
    arguments = parser.parse_args(words)
    try:
        found = uvloop.run(measure(arguments))
    except CannotStart as reason:
        say(f"the stack cannot start: {reason}")
        return 1
    print(json.dumps(found, indent=2))  # noqa: T201 - the figures
    open_pages = found["feeds"]
    fine = (
        found["reads"]["added_p50_ms"] <= MOST_ADDED_MS
        and not open_pages["lost"]
        and open_pages["kib_each"] <= MOST_KIB_A_FEED
        and open_pages["fan_out"]["p99_ms"] <= MOST_FAN_OUT_MS
    )
    return int(not fine)
