"""A basket process and the world around it."""

import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from basket_state import RdvPermis, TheirBasket
from basket_world import MONTH, START, Mandates, Rules, World, candidate
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1.events_pb2 import Record
from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.basket.v1 import basket_pb2_grpc
from resapermis.basket.v1.events_pb2 import LineChanged
from resapermis.booking.v1 import booking_pb2, booking_pb2_grpc
from resapermis.mandate.v1 import mandate_pb2_grpc
from resapermis.rdvpermis.v1 import rdvpermis_pb2_grpc
from resapermis.scheduling.v1 import scheduling_pb2_grpc
from resapermis_basket.booking_servicer import BookingServicer
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.hold.command import HoldCommand
from resapermis_basket.peers import Peers
from resapermis_basket.servicer import BasketServicer
from resapermis_basket.settings import Settings
from resapermis_kit.clock import new_id
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import from_rpc_error
from resapermis_kit.events import outbox as kit_outbox
from resapermis_kit.events.outbox import Outbox
from resapermis_testing.grpc_server import RunningServer


@dataclass
class Basket:
    """A basket process and the world around it."""

    engine: AsyncEngine
    dependencies: Dependencies
    holds: HoldCommand
    world: World
    rdvpermis: RdvPermis
    running: RunningServer
    egress: RunningServer
    channel: grpc.aio.Channel
    peer_channels: dict[str, grpc.aio.Channel] = field(default_factory=dict)
    peer_servers: dict[str, RunningServer] = field(default_factory=dict)
    keys: Any = field(default_factory=lambda: itertools.count(1))

    async def call(self, stub: Any, method: str, request: Any, school: str = "school-1", **who: Any) -> Any:
        token = self.running.principal(school_id=school, account_id=who.pop("account", f"account-{school}"), **who)
        try:
            return await getattr(stub(self.channel), method)(
                request, metadata=(("x-resapermis-principal", token),), timeout=15
            )
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None

    async def ask(self, method: str, request: Any, school: str = "school-1", **who: Any) -> Any:
        return await self.call(basket_pb2_grpc.BasketServiceStub, method, request, school, **who)

    async def book(self, method: str, request: Any, school: str = "school-1", **who: Any) -> Any:
        return await self.call(booking_pb2_grpc.BookingServiceStub, method, request, school, **who)

    def key(self) -> str:
        return f"key-{next(self.keys)}"

    async def hold(
        self, *slots: str | tuple[str, int], school: str = "school-1", key: str = "", all_or_nothing: bool = False
    ) -> pb.Group:
        """Hold slots; ("slot", 3) names candidate 3."""
        request = pb.HoldSlotsRequest(request_id=key or self.key(), all_or_nothing=all_or_nothing)
        for slot in slots:
            if isinstance(slot, str):
                request.lines.add(slot_id=slot)
            else:
                request.lines.add(slot_id=slot[0], candidate_id=candidate(slot[1]))
        return (await self.ask("HoldSlots", request, school)).group

    async def validate(self, group_id: str, key: str = "", school: str = "school-1") -> pb.Group:
        request = pb.ValidateGroupRequest(request_id=key or self.key(), group_id=group_id)
        return (await self.ask("ValidateGroup", request, school)).group

    async def bookings(self, school: str = "school-1") -> list[pb.Line]:
        """The first page of coming bookings."""
        return list((await self.book("ListBookings", booking_pb2.ListBookingsRequest(), school)).bookings)

    async def rows(self, statement: str, **parameters: Any) -> list[Any]:
        async with transaction(self.engine) as tx:
            return list(await tx.execute(sa.text(statement), parameters))

    async def states(self) -> dict[str, str]:
        """Newest state by slot."""
        return {
            row.slot_id: row.state
            for row in await self.rows("SELECT slot_id, state FROM basket_line ORDER BY since, version")
        }

    async def counters(self) -> dict[tuple[str, str], int]:
        """Taken by (school, month); month "" is the basket."""
        found = await self.rows("SELECT school_id, month, taken FROM quota")
        return {(row.school_id, row.month): row.taken for row in found}

    async def published(self, kind: type) -> list[Any]:
        """Events or records in the outbox, oldest first."""
        async with transaction(self.engine) as tx:
            name = kind.DESCRIPTOR.full_name
            box = kit_outbox.outbox
            rows = await tx.execute(sa.select(box.c.payload).where(box.c.type == name).order_by(box.c.id))
            return [kind.FromString(row.payload) for row in rows]

    async def check(self) -> None:
        """Counters equal rows; nothing is oversold."""
        rows = await self.rows(
            "SELECT school_id, month, count(*) FILTER (WHERE state IN ('asking','held','confirming')) AS basket, "
            "count(*) FILTER (WHERE state IN ('asking','held','confirming','booked','done')) AS taken "
            "FROM basket_line GROUP BY school_id, month"
        )
        counters = await self.counters()
        for row in rows:
            in_basket = sum(other.basket for other in rows if other.school_id == row.school_id)
            assert counters.get((row.school_id, ""), 0) == in_basket
            assert counters.get((row.school_id, row.month), 0) == row.taken
        sold = await self.rows("SELECT slot_id FROM basket_line WHERE ended_at IS NULL GROUP BY 1 HAVING count(*) > 1")
        assert not sold


@pytest.fixture
async def basket(serve: Any, make_engine: Any, settings_for: Callable[..., Settings]) -> AsyncIterator[Basket]:
    """Basket on a fresh database, its peers answering as tests say."""
    world = World()
    state = RdvPermis(world)
    mandate = await serve(
        "mandate",
        (
            mandate_pb2_grpc.add_MandateServiceServicer_to_server,
            Mandates(world),
            "resapermis.mandate.v1.MandateService",
        ),
    )
    rules = await serve(
        "scheduling-rules",
        (
            scheduling_pb2_grpc.add_SchedulingServiceServicer_to_server,
            Rules(world),
            "resapermis.scheduling.v1.SchedulingService",
        ),
    )
    egress = await serve(
        "egress",
        (rdvpermis_pb2_grpc.add_RdvPermisServiceServicer_to_server, state, "resapermis.rdvpermis.v1.RdvPermisService"),
    )
    channels = [
        mandate.channel("mandate", "basket"),
        rules.channel("scheduling-rules", "basket"),
        egress.channel("egress", "basket"),
    ]
    engine = await make_engine("resapermis_basket")
    settings = settings_for(Settings, "basket", grace_seconds=0.05, give_back_seconds=0.05, egress_seconds=5.0)
    dependencies = Dependencies(engine, Outbox("basket"), Peers(*channels, settings.egress_seconds), settings, new_id)
    holds = HoldCommand(dependencies)
    running = await serve(
        "basket",
        (
            basket_pb2_grpc.add_BasketServiceServicer_to_server,
            BasketServicer(dependencies, holds),
            "resapermis.basket.v1.BasketService",
        ),
        (
            booking_pb2_grpc.add_BookingServiceServicer_to_server,
            BookingServicer(dependencies),
            "resapermis.booking.v1.BookingService",
        ),
    )
    channels.append(running.channel("basket"))
    names = ("mandate", "scheduling-rules", "egress")
    yield Basket(
        engine,
        dependencies,
        holds,
        world,
        state,
        running,
        egress,
        channels[-1],
        dict(zip(names, channels, strict=False)),
        {"mandate": mandate, "scheduling-rules": rules},
    )
    for channel in channels:
        await channel.close()


__all__ = [
    "MONTH",
    "START",
    "Basket",
    "LineChanged",
    "RdvPermis",
    "Record",
    "TheirBasket",
    "World",
    "basket",
    "candidate",
]
