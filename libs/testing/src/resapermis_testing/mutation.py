"""Messages bent in every way a wire or an attacker bends them: for tests, never imported by services."""

from collections.abc import Iterator
from random import Random

from google.protobuf.message import Message

_TAGS = bytes((number << 3 | kind) for number in range(1, 8) for kind in range(6))
_ODD = (b"\xff" * 9 + b"\x01", b"\x80" * 11, b"\0", b"\xc3\x28", b"\xed\xa0\x80", b"\x0a\xff\xff\xff\xff\x0f")
"""Varints that are too large and too long, NUL, UTF-8 that is none, a surrogate, a length that lies."""


def mutants(seeds: list[Message], rng: Random, many: int) -> Iterator[bytes]:
    """`many` byte strings near these messages; most still parse, some as messages of another type."""
    texts = [seed.SerializeToString() for seed in seeds]
    for _ in range(many):
        data = bytearray(rng.choice(texts))
        for _ in range(rng.choice((1, 1, 2, 3, 8))):
            _bend(data, rng, texts)
        yield bytes(data)


def _bend(data: bytearray, rng: Random, texts: list[bytes]) -> None:
    at = rng.randrange(len(data) + 1)
    match rng.randrange(8):
        case 0 if data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        case 1:
            del data[at : at + rng.randrange(1, 9)]
        case 2:
            data[at:at] = rng.choice(_ODD)
        case 3:
            data[at:at] = rng.randbytes(rng.randrange(1, 6))
        case 4:
            data[at:at] = bytes([rng.choice(_TAGS)])
        case 5:
            other = rng.choice(texts)
            data[at:] = other[rng.randrange(len(other) + 1) :]
        case 6:
            data += data[at:] * rng.randrange(1, 4)
        case _ if data:
            data[at % len(data)] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))


def nested_groups(depth: int) -> bytes:
    """Groups in groups, none of them known: a parser that recurses without a limit dies of them (CVE-2025-4565)."""
    return b"\x9b\x06" * depth + b"\x9c\x06" * depth
