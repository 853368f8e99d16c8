"""A durable consumer of NATS JetStream for each stream that a service handles; acknowledged after the commit."""

import asyncio
from collections.abc import Mapping

import nats.errors
import nats.js.errors
import sqlalchemy as sa
import structlog
from nats.aio.client import Client

from resapermis_kit.errors import Failure
from resapermis_kit.events import inbox
from resapermis_kit.events.event import Event
from resapermis_kit.events.stream_handler import StreamHandler
from resapermis_kit.events.streams import durable_name, jetstream, stream_name
from resapermis_kit.events.wire import events_of

BATCH = 200
"""Events handled in one transaction."""
PULLED = 50
"""Messages a consumer takes at once, of up to 64 events each."""
FETCH_SECONDS = 5.0
"""How long a fetch waits for a first message; also how soon one is made again whose bus went away meanwhile."""
CATCH_UP_AFTER_SILENT_FETCHES = 12
"""About a minute without a message: the source is asked whether it published any."""
log = structlog.get_logger()


class Consumer:
    """Brings the messages of one stream of the bus to its handler."""

    def __init__(self, service: str, handler: StreamHandler) -> None:
        """`service` is who consumes: its durable consumer is e.g. "basket-events-mandate"."""
        self._handler = handler
        self.stream = stream_name(handler.stream, handler.source)
        self.durable = durable_name(service, handler.stream, handler.source)

    async def run(self, bus: Client) -> None:
        """Consume for ever; one replica of the service at a time. Survives both the bus and the database."""
        while True:
            while not bus.is_connected:  # noqa: ASYNC110 - nats-py has no event for it
                await asyncio.sleep(0.5)
            try:
                await self._pull(bus)
            except nats.js.errors.NotFoundError:
                log.warning("consumer.waits_for_bus_admin", durable=self.durable)
                await asyncio.sleep(0.5)
            except (Failure, sa.exc.SQLAlchemyError, nats.errors.Error, OSError, TimeoutError) as error:
                log.warning(
                    "consumer.paused",
                    source=self._handler.source,
                    stream=self._handler.stream,
                    error_type=type(error).__qualname__,
                )
                await asyncio.sleep(0.5)

    async def _pull(self, bus: Client) -> None:
        js = jetstream(bus)
        await js.consumer_info(self.stream, self.durable)  # NotFoundError until bus-admin made it
        subscription = await js.pull_subscribe_bind(self.durable, self.stream)
        silent = 0
        try:
            caught_up = await self._handler.catch_up()
            while True:
                try:
                    messages = await subscription.fetch(PULLED, timeout=FETCH_SECONDS)
                except (TimeoutError, nats.errors.TimeoutError):
                    silent += 1
                    if not caught_up or silent % CATCH_UP_AFTER_SILENT_FETCHES == 0:
                        caught_up = await self._handler.catch_up()
                    continue
                events = [event for message in messages for event in self._read(message.headers or {}, message.data)]
                events.sort(key=lambda event: event.number)
                for first in range(0, len(events), BATCH):
                    await self._handler.handle(events[first : first + BATCH])
                for message in messages:
                    await message.ack()
        finally:
            await subscription.unsubscribe()

    def _read(self, headers: Mapping[str, str], payload: bytes) -> list[Event]:
        """A message's events. One that has none is not of our relay, or did not keep: the source repeats its numbers."""
        try:
            return events_of(self._handler.source, headers, payload)
        except (KeyError, ValueError):
            inbox.DEAD.labels(self._handler.source, "unreadable").inc()
            log.error("consumer.unreadable", source=self._handler.source, stream=self._handler.stream)
            return []
