"""Person keys: what is sealed opens in its place, for its holder, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resapermis_vault.errors import Unreadable
from resapermis_vault.keyset import Keyset, new_document, new_keyset, promoted, retired, rotated, staged
from resapermis_vault.person_key import new_person_key, rewrap, row_of, unwrap
from resapermis_vault.plaintext import Plaintext

ODD = st.text(st.characters(codec=None))
"""Any text, lone surrogates, controls and right-to-left marks included."""
KEYSET = new_keyset()
WRAPPED, KEY = new_person_key(KEYSET, "person-1")
ROW = row_of("candidate", "name", "1")


@given(ODD)
def test_any_text_comes_back_as_it_was(text):
    assert KEY.open(KEY.seal(text, ROW), ROW) == text


@given(st.binary(max_size=4096))
def test_any_bytes_come_back_as_they_were(content):
    assert KEY.open_bytes(KEY.seal(content, ROW), ROW) == content


@pytest.mark.req("D-03")
@given(st.text(min_size=4))
def test_what_is_sealed_shows_nothing_of_it_and_never_twice_the_same(text):
    first, second = KEY.seal(text, ROW), KEY.seal(text, ROW)
    assert first != second
    assert text.encode() not in first
    assert len(first) == 1 + 12 + len(text.encode()) + 16


@given(ODD, ODD.filter(bool))
def test_a_moved_row_does_not_open(text, other):
    sealed = KEY.seal(text, ROW)
    if other != ROW:
        with pytest.raises(Unreadable):
            KEY.open(sealed, other)


@given(st.text(max_size=30), st.data())
def test_a_flipped_bit_does_not_open(text, data):
    sealed = bytearray(KEY.seal(text, ROW))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Unreadable):
        KEY.open(bytes(sealed), ROW)


@given(st.data())
def test_a_wrapped_key_with_a_flipped_bit_does_not_unwrap(data):
    altered = bytearray(WRAPPED)
    bit = data.draw(st.integers(0, len(altered) * 8 - 1))
    altered[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Unreadable):
        unwrap(KEYSET, bytes(altered), "person-1")


@given(st.binary(max_size=64))
def test_foreign_bytes_do_not_open(content):
    with pytest.raises(Unreadable):
        KEY.open(content, ROW)
    with pytest.raises(Unreadable):
        unwrap(KEYSET, content, "person-1")


@given(st.integers(0, 40))
def test_a_cut_value_does_not_open(length):
    sealed = KEY.seal("a name that is forty bytes long, or more.", ROW)
    with pytest.raises(Unreadable):
        KEY.open(sealed[:length], ROW)


def test_with_the_wrapped_key_destroyed_no_other_key_opens_the_data():
    sealed = KEY.seal("Léa", ROW)
    _, other = new_person_key(KEYSET, "person-1")  # the same person, come back after an erasure
    with pytest.raises(Unreadable):
        other.open(sealed, ROW)


def test_a_wrapped_key_moved_to_another_person_does_not_unwrap():
    with pytest.raises(Unreadable):
        unwrap(KEYSET, WRAPPED, "person-2")


def test_another_services_keyset_does_not_unwrap():
    with pytest.raises(Unreadable):
        unwrap(new_keyset(), WRAPPED, "person-1")


def test_rotation_keeps_the_old_readable_and_rewrapping_touches_no_data():
    before = new_document()
    old = Keyset.parse(before)
    wrapped, key = new_person_key(old, "p")
    sealed = key.seal("Léa", ROW)

    after = rotated(before)
    new = Keyset.parse(after)
    assert unwrap(new, wrapped, "p").open(sealed, ROW) == "Léa"
    assert not new.is_current(wrapped)

    again = rewrap(new, wrapped, "p")
    assert new.is_current(again)
    assert rewrap(new, again, "p") == again

    last = Keyset.parse(retired(after))
    assert unwrap(last, again, "p").open(sealed, ROW) == "Léa"
    with pytest.raises(Unreadable):
        unwrap(last, wrapped, "p")


def test_with_staged_keys_old_and_new_replicas_read_each_other():
    first = new_document()
    second = staged(first)
    third = promoted(second)
    replicas = {name: Keyset.parse(document) for name, document in {"staged": second, "promoted": third}.items()}
    for writer in replicas.values():
        wrapped, _ = new_person_key(writer, "p")
        for reader in replicas.values():
            unwrap(reader, wrapped, "p")
    assert unwrap(Keyset.parse(first), new_person_key(replicas["staged"], "p")[0], "p")


def test_one_error_for_every_cause_without_data_or_context():
    _, other = new_person_key(KEYSET, "person-2")
    not_text = KEY.seal(b"\xff\xfeL\xc3\xa9a", ROW)
    moved = KEY.seal("Léa", row_of("candidate", "name", "2"))
    for sealed in (other.seal("Léa", ROW), moved, b"", b"Lea", not_text):
        with pytest.raises(Unreadable) as caught:
            KEY.open(sealed, ROW)
        assert str(caught.value) == "sealed data cannot be opened"
        assert caught.value.__context__ is None
        assert caught.value.__cause__ is None


def test_a_plaintext_is_sealed_and_opened_without_being_revealed():
    assert KEY.open_guarded(KEY.seal(Plaintext("Léa"), ROW), ROW) == Plaintext("Léa")


@pytest.mark.parametrize("place", [("Candidate", "name"), ("candidate", "na/me"), ("", "name"), ("candidate", "")])
def test_a_row_is_named_by_sql_names(place):
    with pytest.raises(ValueError, match="lower-case SQL names"):
        row_of(*place, 1)


def test_nothing_is_sealed_for_nowhere_or_nobody():
    with pytest.raises(ValueError, match="row"):
        KEY.seal("Léa", "")
    with pytest.raises(ValueError, match="person"):
        new_person_key(KEYSET, "")
