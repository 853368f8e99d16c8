"""Events as messages of the bus: one alone with CloudEvents attributes in its headers, or a batch of envelopes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from google.protobuf.message import DecodeError

from resapermis.events.v1 import events_pb2 as pb
from resapermis_kit.events.event import Event
from resapermis_kit.events.numbering import NumberedRow
from resapermis_kit.events.streams import subject_of

BATCH_SIZE = "resapermis-batch-size"
"""The header of a message with several events: how many."""
BATCH_SIZE_OF_0_1_0 = "resapermis-facts"
"""What release 0.1.0 called it: its batches wait in the records' streams for as long as streams keep."""
NUMBER = "resapermis-number"
"""The header with the event's number in its stream; of a batch the last one's."""
LARGEST_NUMBER = 2**63 - 1
LARGEST_BATCH = 64
LARGEST_BATCH_BYTES = 256 * 1024
Message = tuple[str, dict[str, str], bytes]
"""Subject, headers, payload."""


def in_batches(rows: Sequence[NumberedRow]) -> list[list[NumberedRow]]:
    """Rows that follow each other in a stream and have one type, as many and as large as one message may be.

    Each message costs the server a write to its disk, and every client a wake-up: at an opening hundreds wait.
    """
    batches: list[list[NumberedRow]] = []
    for row in sorted(rows, key=lambda row: (row.stream, row.number)):
        last = batches[-1] if batches else []
        fits = (
            len(last) < LARGEST_BATCH
            and sum(len(one.payload) for one in last) + len(row.payload) <= LARGEST_BATCH_BYTES
        )
        follows = bool(last) and (last[-1].stream, last[-1].type, last[-1].number + 1) == (
            row.stream,
            row.type,
            row.number,
        )
        if fits and follows:
            last.append(row)
        else:
            batches.append([row])
    return batches


def message_of(source: str, batch: Sequence[NumberedRow]) -> Message:
    """The message that carries these rows: one of `in_batches`."""
    headers, payload = _single(source, batch[0]) if len(batch) == 1 else _batched(source, batch)
    return subject_of(source, batch[0].type), headers, payload


def _single(source: str, row: NumberedRow) -> tuple[dict[str, str], bytes]:
    headers = {
        "Nats-Msg-Id": str(row.id),
        "ce-specversion": "1.0",
        "ce-id": str(row.id),
        "ce-source": source,
        "ce-type": row.type,
        "ce-time": row.occurred_at.isoformat(),
        NUMBER: str(row.number),
        "traceparent": row.traceparent,
    }
    return headers, row.payload


def _batched(source: str, rows: Sequence[NumberedRow]) -> tuple[dict[str, str], bytes]:
    """Several events. Known by the first and their number: sent again it may have another size."""
    batch = pb.EventBatch()
    for row in rows:
        fill_envelope(batch.envelopes.add(), source, row)
    headers = {
        "Nats-Msg-Id": f"{rows[0].id}+{len(rows)}",
        "ce-source": source,
        "ce-type": rows[0].type,
        NUMBER: str(rows[-1].number),
        BATCH_SIZE: str(len(rows)),
    }
    return headers, batch.SerializeToString()


def fill_envelope(envelope: pb.Envelope, source: str, row: NumberedRow) -> None:
    """Write a row into an envelope of a batch or of a replay."""
    envelope.id, envelope.source, envelope.stream, envelope.number = str(row.id), source, row.stream, row.number
    envelope.type, envelope.payload, envelope.traceparent = row.type, row.payload, row.traceparent
    envelope.occurred_at.FromDatetime(row.occurred_at)


def events_of(source: str, headers: Mapping[str, str], payload: bytes) -> list[Event]:
    """A message's events; KeyError or ValueError where it is none of our relay's, or is broken.

    `source` is whose stream brought it: what the message says of itself anybody could write.
    """
    if _is_batch(headers):
        return [event_of(source, envelope) for envelope in _envelopes(payload)]
    event = Event(
        id=headers["ce-id"],
        source=source,
        number=_number(int(headers[NUMBER])),
        type=headers["ce-type"],
        occurred_at=datetime.fromisoformat(headers["ce-time"]),
        payload=payload,
        traceparent=headers.get("traceparent", ""),
    )
    return [event]


def event_of(source: str, envelope: pb.Envelope) -> Event:
    """An envelope of a batch or a replay of `source` as an Event; ValueError for a number that is none."""
    return Event(
        id=envelope.id,
        source=source,
        number=_number(envelope.number),
        type=envelope.type,
        occurred_at=envelope.occurred_at.ToDatetime(UTC),
        payload=envelope.payload,
        traceparent=envelope.traceparent,
    )


def _number(number: int) -> int:
    if not 0 < number <= LARGEST_NUMBER:
        raise ValueError("not a number of a stream")
    return number


def payloads(headers: Mapping[str, str] | None, data: bytes) -> list[bytes]:
    """The payloads of a message's events, for plain subscriptions; ValueError where it is broken."""
    if not _is_batch(headers or {}):
        return [data]
    return [envelope.payload for envelope in _envelopes(data)]


def _is_batch(headers: Mapping[str, str]) -> bool:
    return BATCH_SIZE in headers or BATCH_SIZE_OF_0_1_0 in headers


def _envelopes(data: bytes) -> Sequence[pb.Envelope]:
    try:
        return pb.EventBatch.FromString(data).envelopes
    except DecodeError as error:
        raise ValueError("not a batch of events") from error
