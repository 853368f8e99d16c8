"""Tokens and seeds, sealed directly under the key-encryption key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resapermis_vault.errors import Unreadable
from resapermis_vault.keyset import Keyset, new_document, new_keyset, retired, rotated
from resapermis_vault.person_key import new_person_key, unwrap
from resapermis_vault.secret import open_secret, reseal_secret, seal_secret

KEYSET = new_keyset()
ROW = "session/refresh_token/1"


@given(st.text(st.characters(codec=None)))
def test_a_secret_opens_in_its_row_only(text):
    sealed = seal_secret(KEYSET, text, row=ROW)
    assert open_secret(KEYSET, sealed, row=ROW).reveal() == text
    with pytest.raises(Unreadable):
        open_secret(KEYSET, sealed, row="session/refresh_token/2")


@given(st.binary(max_size=32), st.data())
def test_a_flipped_bit_does_not_open(content, data):
    sealed = bytearray(seal_secret(KEYSET, content, row=ROW))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Unreadable):
        open_secret(KEYSET, bytes(sealed), row=ROW)


def test_a_secret_and_a_person_key_cannot_stand_for_each_other():
    wrapped, _ = new_person_key(KEYSET, "p")
    with pytest.raises(Unreadable):
        open_secret(KEYSET, wrapped, row="person/p")
    with pytest.raises(Unreadable):
        unwrap(KEYSET, seal_secret(KEYSET, bytes(32), row="person/p"), "p")


def test_a_resealed_secret_outlives_the_old_key():
    document = new_document()
    sealed = seal_secret(Keyset.parse(document), "token", row=ROW)
    document = rotated(document)
    moved = reseal_secret(Keyset.parse(document), sealed, row=ROW)
    last = Keyset.parse(retired(document))
    assert open_secret(last, moved, row=ROW).reveal() == "token"
    assert reseal_secret(last, moved, row=ROW) == moved
    with pytest.raises(Unreadable):
        open_secret(last, sealed, row=ROW)
