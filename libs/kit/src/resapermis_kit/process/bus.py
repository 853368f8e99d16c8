"""A process joins the bus: connected while people are served already, its streams made before the first number."""

import asyncio
from collections.abc import Sequence

import nats.errors
import structlog
from google.protobuf.descriptor import Descriptor
from nats.aio.client import Client

from resapermis_kit.database import durability
from resapermis_kit.events import recovery, streams
from resapermis_kit.process.process import Process
from resapermis_kit.process.settings import ServiceSettings

log = structlog.get_logger()


async def prepare_streams(process: Process, events: Sequence[Descriptor]) -> None:
    """Go on after the newest number in our streams, and make them where they are missing."""
    if await recovery.align(process.engine, process.bus, process.name):
        for work in process.after_restore:
            await work()
    names = [event.full_name for event in events]
    await streams.ensure_streams(process.bus, process.name, names, process.settings.nats_replicas)


async def connect_bus(bus: Client, settings: ServiceSettings, name: str) -> None:
    """Connect, however long NATS is away: people's acts do not wait for it, their outbox does."""
    while True:
        try:
            await durability.require_synced(settings.nats_monitor)
            if not bus.is_connected:
                await streams.connect(settings.nats_url, settings.tls_dir, name, bus)
        except (OSError, TimeoutError, nats.errors.Error) as error:
            log.warning("bus.waiting", error_type=type(error).__qualname__)
            await asyncio.sleep(1)
        except durability.NotDurable as reason:  # it came up after us: events stay in the outbox
            log.error("bus.not_durable", reason=str(reason))
            await asyncio.sleep(5)
        else:
            log.info("bus.joined")
            return
