"""The cache of unwrapped keys: bounded, short-lived, and silent about the erased."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resapermis_vault.errors import Unreadable
from resapermis_vault.keyset import new_keyset
from resapermis_vault.person_key import new_person_key
from resapermis_vault.person_keys import PersonKeys


class Counting:
    """A key service that counts what it is asked, and may be interrupted in the middle of an answer."""

    def __init__(self):
        self.keyset, self.unwrapped, self.meanwhile = new_keyset(), 0, lambda: None

    def wrap(self, plain: bytes, row: str) -> bytes:
        return self.keyset.wrap(plain, row)

    def unwrap(self, sealed: bytes, row: str) -> bytes:
        self.unwrapped += 1
        plain = self.keyset.unwrap(sealed, row)
        self.meanwhile()
        return plain

    def is_current(self, sealed: bytes) -> bool:
        return self.keyset.is_current(sealed)


class Clock:
    def __init__(self):
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def kek():
    return Counting()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keys(kek, clock):
    return PersonKeys(kek, clock, size=2, seconds=60)


def test_a_key_is_unwrapped_once_while_fresh(kek, clock, keys):
    wrapped, key = new_person_key(kek, "p")
    sealed = key.seal("Léa", "c/n/1")
    assert keys.get("p", wrapped) is keys.get("p", wrapped)
    assert keys.get("p", wrapped).open(sealed, "c/n/1") == "Léa"
    assert kek.unwrapped == 1
    clock.seconds += 59.9
    keys.get("p", wrapped)
    assert kek.unwrapped == 1
    clock.seconds += 0.1
    keys.get("p", wrapped)
    assert kek.unwrapped == 2


def test_the_least_recently_used_goes_first(kek, keys):
    wrapped = {person: new_person_key(kek, person)[0] for person in "abc"}
    for person in "abac":
        keys.get(person, wrapped[person])
    assert (len(keys), kek.unwrapped) == (2, 3)
    keys.get("a", wrapped["a"])
    assert kek.unwrapped == 3
    keys.get("b", wrapped["b"])
    assert kek.unwrapped == 4


@given(st.lists(st.sampled_from("abcdef"), max_size=40))
def test_it_never_keeps_more_than_its_size(people):
    kek = new_keyset()
    keys = PersonKeys(kek, Clock(), size=3)
    for person in people:
        keys.get(person, new_person_key(kek, person)[0])
        assert len(keys) <= 3


def test_a_forgotten_key_is_gone_at_once(kek, keys):
    wrapped, _ = new_person_key(kek, "p")
    keys.get("p", wrapped)
    keys.forget("p")
    assert len(keys) == 0
    keys.forget("never met")


def test_an_erasure_during_an_unwrapping_is_not_undone_by_it(kek, clock, keys):
    wrapped, _ = new_person_key(kek, "p")
    kek.meanwhile = lambda: keys.forget("p")
    keys.get("p", wrapped)
    assert len(keys) == 0
    kek.meanwhile = lambda: None
    keys.get("p", wrapped)
    assert len(keys) == 0
    clock.seconds += 60
    keys.get("p", wrapped)
    assert len(keys) == 1


def test_another_wrapped_key_is_unwrapped_anew(kek, keys):
    wrapped, _ = new_person_key(kek, "p")
    keys.get("p", wrapped)
    with pytest.raises(Unreadable):
        keys.get("p", b"destroyed")
    other, key = new_person_key(kek, "p")
    assert keys.get("p", other).open(key.seal("Léa", "c/n/1"), "c/n/1") == "Léa"


@pytest.mark.parametrize("bounds", [{"size": 0}, {"seconds": 0}])
def test_it_has_bounds(kek, clock, bounds):
    with pytest.raises(ValueError, match="at least one key"):
        PersonKeys(kek, clock, **bounds)
