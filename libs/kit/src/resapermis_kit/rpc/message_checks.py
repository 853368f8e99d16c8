"""Bytes from outside as the message of a method, or as what is wrong with them: once, before any service sees them.

What no database of ours can keep and no clock of ours can count is refused here by its field: a NUL in a text, a
moment outside of the years 1 to 9999.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

EARLIEST, LATEST = -62_135_596_800, 253_402_300_799
"""0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z in seconds of the epoch."""
NANOS = 1_000_000_000
LARGEST_MESSAGE = 4 * 1024 * 1024
"""Bytes of one gRPC message; a server takes no larger one."""
TIMESTAMP = Timestamp.DESCRIPTOR.full_name


@dataclass(frozen=True)
class Unreadable:
    """What a request is refused for: the path of a field, and what is wrong with it. The value is never repeated."""

    field: str
    wrong: str


Read = Callable[[bytes], Message | Unreadable]


def checked(deserialize: Callable[[bytes], Message]) -> Read:
    """The same deserialiser, but for what it and the services after it cannot take."""

    def read(data: bytes) -> Message | Unreadable:
        try:
            message = deserialize(data)
        except (DecodeError, RecursionError):
            return Unreadable("request", "not the message of this method")
        if b"\0" in data or has_timestamps(message.DESCRIPTOR):  # else there is nothing to find, and nothing is walked
            return next(_wrong(message, ""), message)
        return message

    return read


@cache
def has_timestamps(descriptor: Descriptor, above: tuple[str, ...] = ()) -> bool:
    """Whether a message or one inside it has a Timestamp."""
    if descriptor.full_name == TIMESTAMP:
        return True
    if descriptor.full_name in above:
        return False
    inside = (field.message_type for field in descriptor.fields if field.message_type is not None)
    return any(has_timestamps(one, (*above, descriptor.full_name)) for one in inside)


def _wrong(message: Message, path: str) -> Iterator[Unreadable]:
    for field, value in message.ListFields():
        here = f"{path}{field.name}"
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            yield from _of_map(value, here)
        elif field.is_repeated:
            for index, one in enumerate(value):
                yield from _of_value(one, f"{here}[{index}]")
        else:
            yield from _of_value(value, here)


def _of_map(entries: dict[object, object], path: str) -> Iterator[Unreadable]:
    for key, value in entries.items():
        if "\0" in str(key) or (isinstance(value, str) and "\0" in value):
            yield Unreadable(path, "U+0000 in a text")


def _of_value(value: object, path: str) -> Iterator[Unreadable]:
    if isinstance(value, str) and "\0" in value:
        yield Unreadable(path, "U+0000 in a text")
    elif isinstance(value, Timestamp):
        if not (EARLIEST <= value.seconds <= LATEST and 0 <= value.nanos < NANOS):
            yield Unreadable(path, "not a moment of the years 1 to 9999")
    elif isinstance(value, Message):
        yield from _wrong(value, f"{path}.")
