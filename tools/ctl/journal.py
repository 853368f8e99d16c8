"""What must hold of the journal: every act has its record, and the tree is what its checkpoints say.

The hashing of RFC 9162 stands here a second time on purpose: a checker that shares audit's code shares its mistakes.
"""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import asyncpg

from ctl.booking import Line
from ctl.findings import Finding, of

BOOKING_WORDS = ("booking.confirm", "booking.replace", "booking.swap", "booking.find")
_ENTRIES = "SELECT id::text, leaf_index, leaf_data FROM entry ORDER BY leaf_index NULLS LAST, id"
_BOOKED = "SELECT DISTINCT object_id FROM entry WHERE source = 'basket' AND action = ANY($1::text[])"


@dataclass(frozen=True)
class Journal:
    """Records, leaves, checkpoints and recorded bookings, of one snapshot of audit's database."""

    kept: frozenset[str]
    waiting: Sequence[str]
    """Records without a leaf yet."""
    leaves: Sequence[tuple[int, bytes]]
    checkpoints: Sequence[tuple[int, bytes, str]]
    """(size, root, signed note)."""
    booked: frozenset[str]
    """Lines whose booking was recorded."""


async def read(connection: "asyncpg.Connection[Any]") -> Journal:
    """Read entries, checkpoints and booked lines from one snapshot of audit's database."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        entries = await connection.fetch(_ENTRIES)
        checkpoints = await connection.fetch("SELECT size, root, note FROM checkpoint ORDER BY size")
        booked = await connection.fetch(_BOOKED, list(BOOKING_WORDS))
    return Journal(
        frozenset(row[0] for row in entries),
        [row[0] for row in entries if row[1] is None],
        [(row[1], row[2]) for row in entries if row[1] is not None],
        [(row[0], row[1], row[2]) for row in checkpoints],
        frozenset(row[0] for row in booked),
    )


def judge(journal: Journal, booked: Iterable[Line], recorded: frozenset[str]) -> list[Finding]:
    """`booked`: lines as basket has them; `recorded`: ids of the records in every outbox."""
    return [
        of("booking_has_its_record", (line.id for line in booked if line.id not in journal.booked)),
        of("every_record_is_in_the_journal", sorted(recorded - journal.kept)),
        of("every_record_is_in_the_tree", journal.waiting),
        of("tree_is_what_its_checkpoints_say", tree_breaches(journal.leaves, journal.checkpoints), at_once=True),
    ]


def tree_breaches(leaves: Sequence[tuple[int, bytes]], checkpoints: Sequence[tuple[int, bytes, str]]) -> list[str]:
    """Grow the tree leaf by leaf from the entries; say each checkpoint whose root or signed text differs."""
    found = [f"leaf {index} stands at {place}" for place, (index, _) in enumerate(leaves) if index != place]
    if found:
        return found
    roots = {size: (root, note) for size, root, note in checkpoints}
    peaks: list[tuple[int, bytes]] = []
    for index, data in leaves:
        level, top = 0, sha256(b"\x00" + data).digest()
        while peaks and peaks[-1][0] == level:
            level, top = level + 1, sha256(b"\x01" + peaks.pop()[1] + top).digest()
        peaks.append((level, top))
        if index + 1 in roots:
            found += _differences(index + 1, _root(peaks), *roots.pop(index + 1))
    found += [f"checkpoint of {size} leaves, {len(leaves)} are there" for size in sorted(roots)]
    newest = checkpoints[-1][0] if checkpoints else 0
    if newest < len(leaves):
        found.append(f"{len(leaves)} leaves, the newest checkpoint signs {newest}")
    return found


def _root(peaks: Sequence[tuple[int, bytes]]) -> bytes:
    top = peaks[-1][1]
    for _, left in reversed(peaks[:-1]):
        top = sha256(b"\x01" + left + top).digest()
    return top


def _differences(size: int, recomputed: bytes, root: bytes, note: str) -> list[str]:
    found = []
    if recomputed != root:
        found.append(f"root of {size} leaves differs from its checkpoint")
    lines = note.split("\n")
    if lines[1:2] != [str(size)] or lines[2:3] != [b64encode(root).decode()]:
        found.append(f"signed note of {size} leaves has another size or root")
    return found
