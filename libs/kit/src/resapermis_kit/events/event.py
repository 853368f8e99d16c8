"""An event as a consumer receives it, and the two kinds of handlers."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from resapermis_kit.database.transaction import Tx


@dataclass(frozen=True)
class Event:
    """What happened at a source, with its number there."""

    id: str
    """UUID; the same however often it is delivered."""
    source: str
    """The service that published it, e.g. "basket"."""
    number: int
    """From 1, without gaps per source and stream."""
    type: str
    """Full name of the payload's message, e.g. "resapermis.basket.v1.SlotsHeld"."""
    occurred_at: datetime
    """UTC, by the source's clock."""
    payload: bytes
    traceparent: str
    """W3C trace context of the act that caused it; "" where there was none."""


Handler = Callable[[Tx, Any, Event], Awaitable[None]]
"""Handles one event: the transaction, the payload as the message it is, and the event around it."""


@dataclass(frozen=True)
class BatchHandler:
    """A handler that takes several events of its type at a time, in order: a few statements however many events.

    A batch that fails is tried again, at last event by event, so that a poisoned one is set aside alone.
    """

    handle_batch: Callable[[Tx, Sequence[tuple[Any, Event]]], Awaitable[None]]
