"""The bus as it must be: who publishes and who handles what, from one file (`policies/bus.toml`), and what that makes of JetStream."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, DiscardPolicy, StorageType, StreamConfig

from resapermis_kit.events.streams import EVENTS, RECORD, RECORDS, durable_name, stream_name, subject_of, subjects_of

FILE = "bus.toml"
KEPT_SECONDS = 7 * 24 * 3600
ACK_WAIT_SECONDS = 30
UNACKNOWLEDGED = 500
"""Messages that a consumer may have taken and not acknowledged: ten fetches."""


@dataclass(frozen=True)
class Durable:
    """That a service handles a stream of a source to the last."""

    service: str
    stream: str
    source: str

    @property
    def name(self) -> str:
        """Of its durable consumer."""
        return durable_name(self.service, self.stream, self.source)

    @property
    def stream_name(self) -> str:
        """Of the stream that it is on."""
        return stream_name(self.stream, self.source)


@dataclass(frozen=True)
class Topology:
    """Services in the order of the file; what each publishes, listens to, and handles."""

    services: Sequence[str]
    publishes: Mapping[str, Sequence[str]]
    """Source → contexts; whoever publishes nothing is not in it."""
    listens: Mapping[str, Sequence[str]]
    durables: Sequence[Durable]

    @classmethod
    def load(cls, folder: Path) -> "Topology":
        """Read `folder`/bus.toml; OSError or ValueError where that cannot be, KeyError for a source that is none."""
        found = tomllib.loads((folder / FILE).read_text(encoding="utf-8"))
        publishes = {name: one["publishes"] for name, one in found.items() if "publishes" in one}
        durables = [
            Durable(name, stream, source)
            for name, one in found.items()
            for stream, sources in one.get("handles", {}).items()
            for source in sources
        ]
        if unknown := {one.source for one in durables} - publishes.keys():
            raise KeyError(f"{FILE}: {', '.join(sorted(unknown))} publishes nothing that could be handled")
        return cls(
            tuple(found), publishes, {name: one["listens"] for name, one in found.items() if "listens" in one}, durables
        )

    def owner(self, context: str) -> str:
        """Who publishes a context; KeyError when nobody does."""
        for source, contexts in self.publishes.items():
            if context in contexts:
                return source
        raise KeyError(context)

    def subjects(self, stream: str, source: str) -> list[str]:
        """The subjects that a stream of a source takes: nobody else may publish there."""
        if stream == RECORDS:
            return [subject_of(source, RECORD)]
        return [subjects_of(context) for context in self.publishes[source]]

    def streams(self, replicas: int) -> list[StreamConfig]:
        """Each source's two streams."""
        return [
            StreamConfig(
                name=stream_name(stream, source),
                subjects=self.subjects(stream, source),
                max_age=KEPT_SECONDS,
                storage=StorageType.FILE,
                discard=DiscardPolicy.NEW,  # a full stream makes the outbox wait instead of losing events
                num_replicas=replicas,
                duplicate_window=120,
                allow_direct=True,  # a source reads its own stream at its start
            )
            for source in self.publishes
            for stream in (EVENTS, RECORDS)
        ]

    def consumer(self, durable: Durable) -> ConsumerConfig:
        """A durable's configuration.

        It brings what was published on the stream's own subjects. Another's message that the server was made to deliver
        there lies in the stream under its first subject (nats-server #8274), and is not brought.
        """
        return ConsumerConfig(
            durable_name=durable.name,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT_SECONDS,
            max_ack_pending=UNACKNOWLEDGED,
            filter_subjects=self.subjects(durable.stream, durable.source),
        )
