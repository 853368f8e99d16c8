"""A process joins the bus: connected while people are served already, its streams found before the first number."""

import asyncio

import nats.errors
import structlog

from resapermis_kit.database import durability
from resapermis_kit.events import recovery, streams
from resapermis_kit.process.process import Process

LOOK_SECONDS = 0.25
log = structlog.get_logger()


async def prepare_numbers(process: Process) -> None:
    """Go on after the newest number in our streams; NotFoundError while bus-admin has not made them."""
    if await recovery.align(process.engine, process.bus, process.name):
        for work in process.after_restore:
            await work()


async def check_found(process: Process) -> None:
    """OSError where the bus is there and has not what this process needs of it; it is bus-admin that makes it."""
    if process.absent:
        raise OSError(f"bus-admin has not made {', '.join(process.absent)}")


async def join_bus(process: Process) -> None:
    """Connect, however long NATS is away: people's acts do not wait for it, their outbox does.

    Then wait until all that this process needs of it is there.
    """
    settings, bus, name = process.settings, process.bus, process.name
    connected = False  # from then on the client connects again by itself
    while True:
        try:
            await durability.require_synced(settings.nats_monitor, process.certificates)
            if not connected:
                await streams.connect(settings.nats_url, process.certificates, name, bus)
                connected = True
            process.absent = await streams.missing(bus, process.own_streams, process.durables)
        except (OSError, TimeoutError, nats.errors.Error) as error:
            log.warning("bus.waiting", error_type=type(error).__qualname__)
            await asyncio.sleep(1)
        except durability.NotDurable as reason:  # it came up after us: events stay in the outbox
            log.error("bus.not_durable", reason=str(reason))
            await asyncio.sleep(5)
        else:
            if not process.absent:
                process.joined = True
                log.info("bus.joined")
                return
            log.warning("bus.waits_for_bus_admin", missing=process.absent)
            await asyncio.sleep(LOOK_SECONDS)
