"""The tree is RFC 9162's."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resapermis_audit import tree

LEAVES = [tree.leaf_hash(f"leaf {n}".encode()) for n in range(130)]


def _plain_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1, to the letter."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    return tree.node_hash(_plain_root(leaves[:middle]), _plain_root(leaves[middle:]))


def _grown(*steps: int) -> tuple[dict[tree.Node, bytes], int]:
    nodes: dict[tree.Node, bytes] = {}
    size = 0
    for step in steps:
        edge = {node: nodes[node] for node in tree.subtrees(0, size)}
        nodes |= tree.append(edge, size, LEAVES[size : size + step])
        size += step
    return nodes, size


@pytest.mark.req("T-03")
def test_the_empty_root_is_the_hash_of_nothing() -> None:
    assert tree.root({}, 0).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.req("T-03")
def test_a_leaf_shaped_like_a_node_is_another_hash() -> None:
    left, right = LEAVES[:2]
    assert tree.leaf_hash(b"\x01" + left + right) != tree.node_hash(left, right)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5).filter(lambda steps: sum(steps) <= len(LEAVES)))
def test_growing_in_any_steps_gives_the_same_root(steps: list[int]) -> None:
    nodes, size = _grown(*steps)
    assert tree.root(nodes, size) == _plain_root(LEAVES[:size])


@given(st.data())
def test_every_leaf_is_proved_and_nothing_else_is(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(LEAVES)))
    index = data.draw(st.integers(0, size - 1))
    nodes, _ = _grown(size)
    proof = [tree.range_hash(nodes, a, b) for a, b in tree.inclusion_ranges(index, size)]
    root = tree.root(nodes, size)
    assert tree.verify_inclusion(LEAVES[index], index, size, proof, root)
    for wrong_index, wrong_size in ((index + 1, size), (index - 1, size), (index, size * 2), (index ^ 2, size)):
        if (wrong_index, wrong_size) != (index, size) and tree.verify_inclusion(
            LEAVES[index], wrong_index, wrong_size, proof, root
        ):
            # The same path may prove the same index in a larger tree only if the root were also the same.
            assert wrong_index == index
    assert not tree.verify_inclusion(LEAVES[index], index, size, [*proof, root], root)
    assert not tree.verify_inclusion(tree.leaf_hash(b"other"), index, size, proof, root)
    if proof:
        assert not tree.verify_inclusion(LEAVES[index], index, size, proof[:-1], root)
        flipped = bytes([proof[0][0] ^ 1]) + proof[0][1:]
        assert not tree.verify_inclusion(LEAVES[index], index, size, [flipped, *proof[1:]], root)


@given(st.data())
def test_every_tree_is_the_beginning_of_the_next(data: st.DataObject) -> None:
    second = data.draw(st.integers(1, len(LEAVES)))
    first = data.draw(st.integers(1, second))
    nodes, _ = _grown(second)
    proof = [tree.range_hash(nodes, a, b) for a, b in tree.consistency_ranges(first, second)]
    old, new = tree.root(nodes, first), tree.root(nodes, second)
    assert tree.verify_consistency(first, second, old, new, proof)
    assert not tree.verify_consistency(first, second, tree.leaf_hash(b"forged"), new, proof)
    if first != second:
        assert not tree.verify_consistency(first, second, new, old, proof)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_an_index_outside_of_the_tree_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        tree.inclusion_ranges(index, size)
