"""The Merkle tree of RFC 9162 as arithmetic: no storage, no clock.

A tree of n leaves is kept as its complete subtrees: node (level, index) is the hash of the 2^level leaves that
begin at index · 2^level. `needed_nodes` lists what a proof is made of, so that a caller reads it in one query.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

Node = tuple[int, int]
"""(level, index)."""
HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """Hash of a leaf: SHA-256(0x00 || data)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


def _split(count: int) -> int:
    """The largest power of two smaller than `count` (count ≥ 2)."""
    return 1 << (count - 1).bit_length() - 1


def subtrees(begin: int, end: int) -> list[Node]:
    """Complete subtrees, left to right, that make up the leaves begin..end-1 of a tree's own split."""
    found: list[Node] = []
    while begin < end:
        size = end - begin
        level = size.bit_length() - 1
        if begin:
            level = min(level, (begin & -begin).bit_length() - 1)
        found.append((level, begin >> level))
        begin += 1 << level
    return found


def range_hash(nodes: Mapping[Node, bytes], begin: int, end: int) -> bytes:
    """Hash of the leaves begin..end-1; KeyError when a node of `subtrees(begin, end)` is missing."""
    hashes = [nodes[node] for node in subtrees(begin, end)]
    if not hashes:
        return EMPTY_ROOT
    found = hashes.pop()
    while hashes:
        found = node_hash(hashes.pop(), found)
    return found


def root(nodes: Mapping[Node, bytes], size: int) -> bytes:
    """Root of the tree of the first `size` leaves."""
    return range_hash(nodes, 0, size)


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """Ranges of leaves whose hashes prove leaf `index` in the tree of `size`, from the leaf upwards.

    ValueError unless 0 ≤ index < size.
    """
    if not 0 <= index < size:
        msg = "index outside of the tree"
        raise ValueError(msg)
    ranges: list[tuple[int, int]] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((begin, middle))
            begin = middle
    return ranges[::-1]


def consistency_ranges(first: int, second: int) -> list[tuple[int, int]]:
    """Ranges whose hashes prove that the tree of `first` leaves begins that of `second` (RFC 9162, 2.1.4.1).

    ValueError unless 0 < first ≤ second.
    """
    if not 0 < first <= second:
        msg = "sizes out of order"
        raise ValueError(msg)
    ranges: list[tuple[int, int]] = []
    begin, end, whole = 0, second, True
    while first != end:
        middle = begin + _split(end - begin)
        if first <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((begin, middle))
            begin, whole = middle, False
    if not whole:
        ranges.append((begin, end))
    return ranges[::-1]


def needed_nodes(ranges: Iterable[tuple[int, int]]) -> list[Node]:
    """All nodes that the hashes of `ranges` are made of."""
    return [node for begin, end in ranges for node in subtrees(begin, end)]


def append(nodes: Mapping[Node, bytes], size: int, leaves: Sequence[bytes]) -> dict[Node, bytes]:
    """New nodes when `leaves` (leaf hashes) are put behind the first `size`; `nodes` holds `subtrees(0, size)`."""
    made: dict[Node, bytes] = {}
    for offset, leaf in enumerate(leaves):
        level, index, found = 0, size + offset, leaf
        made[level, index] = found
        while index & 1:
            left = (level, index - 1)
            found = node_hash(made[left] if left in made else nodes[left], found)
            level, index = level + 1, index >> 1
            made[level, index] = found
    return made


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes) -> bool:
    """Check an inclusion proof (RFC 9162, 2.1.3.2) of leaf hash `leaf`."""
    if not 0 <= index < size:
        return False
    position, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            found = node_hash(step, found)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            found = node_hash(found, step)
        position, last = position >> 1, last >> 1
    return last == 0 and found == expected_root


def verify_consistency(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> bool:
    """Check a consistency proof (RFC 9162, 2.1.4.2)."""
    if not 0 < first <= second:
        return False
    if first == second:
        return not proof and first_root == second_root
    if not proof:
        return False
    path = list(proof)
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    position, last = first - 1, second - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, step)
        position, last = position >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root
