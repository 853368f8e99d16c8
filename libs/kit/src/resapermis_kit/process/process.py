"""What every process of a service has, made once and handed to the service's `build`."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import grpc
from google.protobuf.message import Message
from nats.aio.client import Client
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.events.v1 import events_pb2, events_pb2_grpc
from resapermis_kit.clock import Clock, utc_now
from resapermis_kit.denials.journal import DenialJournal
from resapermis_kit.events.consumer import Consumer
from resapermis_kit.events.event import BatchHandler, Handler
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.events.stream_handler import StreamHandler
from resapermis_kit.events.streams import EVENTS
from resapermis_kit.health import READY, WARM, cold_peers, connected
from resapermis_kit.process import invariants, leader
from resapermis_kit.process.leader import Worker
from resapermis_kit.process.settings import ServiceSettings
from resapermis_kit.process.telemetry import Health
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.server import Server
from resapermis_kit.tls.certificates import Certificates


@dataclass
class Process:
    """What a service's process runs: gRPC methods, workers, leader tasks, event handlers, and what is closed at its end."""

    name: str
    settings: ServiceSettings
    certificates: Certificates
    engine: AsyncEngine
    bus: Client
    outbox: Outbox
    server: Server
    health: Health
    denials: DenialJournal
    """Refusals of access, on their way to the outbox."""
    now: Clock = utc_now
    workers: list[Worker] = field(default_factory=list)
    """What each replica does."""
    leader_tasks: list[Worker] = field(default_factory=list)
    """What one replica does for all."""
    invariants: dict[str, str] = field(default_factory=lambda: dict(invariants.KIT))
    """Queries of what breaks an invariant of this service's database, by name; see `process.invariants`."""
    after_restore: list[Worker] = field(default_factory=list)
    """Done once when the database is found to have been restored to the past, before anything more is published."""
    own_streams: list[str] = field(default_factory=list)
    """Names of the streams of the bus that this process publishes to."""
    durables: list[tuple[str, str]] = field(default_factory=list)
    """Streams of the bus that this process handles, and its durable consumer of each."""
    absent: Sequence[str] = ()
    """Those of both that bus-admin had not made when they were last looked for, at the start."""
    joined: bool = False
    """The bus was found as this process needs it, once: from then on the client connects again by itself."""
    closers: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    channels: dict[str, grpc.aio.Channel] = field(default_factory=dict)

    def peer(self, name: str) -> grpc.aio.Channel:
        """One channel to each service we call."""
        if name not in self.channels:
            self.channels[name] = peers.channel(self.settings.peer(name), self.certificates, name)
        return self.channels[name]

    def warm_up(self) -> None:
        """Connect to each service that the settings name, and have the process say when it is connected: see `resapermis_kit.health`."""
        for field_name in type(self.settings).model_fields:
            if field_name.startswith("peer_") and getattr(self.settings, field_name):
                name = field_name.removeprefix("peer_").replace("_", "-")
                self.health.warm[f"connection to {name}"] = partial(connected, self.peer(name))
                connected(self.peer(name))
        self.health.platform = self._cold
        self.server.health = lambda: {READY: not self.health.known(), WARM: not self.health.cold()}

    async def _cold(self) -> list[str]:
        return self.health.cold() + await cold_peers(self.channels)

    async def repeat(self, source: str, request: events_pb2.ReplayRequest) -> events_pb2.ReplayResponse:
        """Ask a source to repeat events, as this service itself."""
        stub = events_pb2_grpc.EventsServiceStub(self.peer(source))
        answer: events_pb2.ReplayResponse = await peers.ask(stub.Replay, request, timeout=5, principal="", peer=source)
        return answer

    def consume(
        self,
        source: str,
        handlers: Mapping[type[Message], Handler | BatchHandler],
        stream: str = EVENTS,
    ) -> None:
        """Handle the events of a stream of `source`, each once, in one replica at a time."""
        handler = StreamHandler(self.engine, source, handlers, self.repeat, self.now, stream)
        consumer = Consumer(self.name, handler)
        self.durables.append((consumer.stream, consumer.durable))
        self.leader_tasks.append(lambda: consumer.run(self.bus))

    def every(self, seconds: float, name: str, work: Worker, *, most_seconds: float = leader.MOST_SECONDS) -> None:
        """Run `work` about every `seconds`, each time for at most `most_seconds`, in one replica at a time.

        A failure, as of one that takes longer, is logged and tried again.
        """
        self.leader_tasks.append(lambda: leader.every(seconds, name, work, most_seconds))
