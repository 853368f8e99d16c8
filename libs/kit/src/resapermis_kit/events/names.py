"""What things are called on the bus: streams, durable consumers, subjects."""

EVENTS, RECORDS = "events", "records"
"""The two streams of a source: what happened, and the journal of who did it."""
RECORD = "resapermis.audit.v1.Record"
API = "bus.API"
"""Where a service finds that part of JetStream's API which it was given: an account of its own has no other (ADR 31)."""


def stream_name(stream: str, source: str) -> str:
    """One stream of the bus for each stream of a source, e.g. "events-basket"."""
    return f"{stream}-{source}"


def durable_name(service: str, stream: str, source: str) -> str:
    """The durable consumer of a service on a stream of a source, e.g. "basket-events-mandate"."""
    return f"{service}-{stream}-{source}"


def subject_of(source: str, row_type: str) -> str:
    """The bus subject: the type's full name; records carry their source, so that the server can tell publishers apart."""
    return f"{row_type}.{source}" if row_type == RECORD else row_type


def subjects_of(context: str) -> str:
    """All events of a context. One `*` is one word: those of audit leave out its records."""
    return f"resapermis.{context}.v1.*"
