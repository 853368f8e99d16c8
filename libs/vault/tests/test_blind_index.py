"""Blind indexes: the same person is found however typed, and no two fields or keys look alike."""

import hmac
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resapermis_vault.blind_index import BlindIndex
from resapermis_vault.keyset import Keyset, new_document, new_keyset, promoted, retired, rotated, staged
from resapermis_vault.normalisation import name_words, normalise_name, normalise_neph
from resapermis_vault.plaintext import Plaintext

KEYSET = new_keyset()
NEPH = KEYSET.field_index("candidate.neph", normalise_neph)
NAME = KEYSET.name_index("candidate.name")
GAPS = ["", " ", "\u00a0", "\u202f", "\u2009", "\u200a", "\t", "\u200b", "\ufeff", "\u2060"]
nephs = st.one_of(st.from_regex(r"[0-9]{12}", fullmatch=True), st.from_regex(r"[0-9]{14}", fullmatch=True))


@pytest.mark.req("D-03")
@given(nephs, st.lists(st.sampled_from(GAPS), min_size=15, max_size=15))
def test_a_neph_of_12_or_14_digits_is_found_whatever_the_spaces(neph, gaps):
    typed = "".join(gap + char for gap, char in zip(gaps, neph, strict=False)) + gaps[-1]
    assert NEPH.index(typed) == NEPH.index(neph)
    assert normalise_neph(typed) == neph


@given(nephs)
def test_leading_zeros_count(neph):
    assert NEPH.index("0" + neph) != NEPH.index(neph)


@given(nephs, nephs)
def test_two_nephs_have_two_entries(one, other):
    assert (NEPH.index(one) == NEPH.index(other)) == (one == other)


@pytest.mark.parametrize("nothing", ["", " ", "\u00a0\u202f", "\ufeff"])
def test_an_empty_neph_or_name_is_refused(nothing):
    with pytest.raises(ValueError, match="empty"):
        NEPH.index(nothing)
    with pytest.raises(ValueError, match="empty"):
        NAME.entries(nothing)


@pytest.mark.parametrize(
    "spelling",
    ["D’ALÈS-MARTIN", "d'ales martin", "D' Alès\u2011Martin", "D\u02bcAle\u0300s\u00a0Martin", " d`alès–martin "],
)
def test_a_name_is_found_whatever_case_accents_hyphens_and_apostrophes(spelling):
    assert normalise_name(spelling) == "d ales martin"
    assert NAME.entries(spelling) == NAME.entries("d'Alès-Martin")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Œuvrard", "OEUVRARD"),
        ("Lætitia", "LAETITIA"),
        ("Groß", "GROSS"),
        ("Łukasz", "lukasz"),
        ("İpek", "ipek"),
        ("ﬁona", "FIONA"),
        ("Ýmir Þór", "ymir thor"),
    ],
)
def test_letters_that_registers_write_in_two_ways_are_one(one, other):
    assert normalise_name(one) == normalise_name(other)


@given(st.text(st.characters(codec=None)))
def test_normalising_a_name_twice_changes_nothing_more(text):
    if name_words(text):
        assert normalise_name(normalise_name(text)) == normalise_name(text)
        assert " ".join(name_words(text)) == normalise_name(text)


@given(st.text("abcdéèçœ' -ÀÉ", min_size=1))
def test_case_never_matters_to_a_french_name(text):
    assert name_words(text) == name_words(text.upper()) == name_words(text.lower())


@given(st.text(st.characters(codec=None)))
def test_no_text_breaks_an_index(text):
    assert all(len(entry) == 16 for entry in KEYSET.blind_index().candidates("candidate.note", text))


def test_the_entry_is_hmac_sha_256_of_field_and_value():
    key = bytes(range(32))
    assert BlindIndex([key]).of("neph", "0123") == hmac.digest(key, b"neph\x000123", sha256)[:16]


@given(st.text(min_size=1))
def test_fields_and_keysets_have_nothing_in_common(value):
    blind = KEYSET.blind_index()
    assert len({blind.of("a", value), blind.of("b", value), new_keyset().blind_index().of("a", value)}) == 3


def test_a_field_cannot_run_into_its_value():
    with pytest.raises(ValueError, match="field"):
        KEYSET.blind_index().of("a\0b", "c")
    with pytest.raises(ValueError, match="field"):
        KEYSET.blind_index().of("", "c")


@pytest.mark.req("D-03")
@given(nephs)
def test_through_a_rotation_old_entries_are_found_by_new_candidates_and_the_reverse(neph):
    steps = [new_document()]
    for step in (staged, promoted, retired):
        steps.append(step(steps[-1], index=True))
    one, two, three, four = (Keyset.parse(step).field_index("neph", normalise_neph) for step in steps)
    assert one.index(neph) == two.index(neph) != three.index(neph) == four.index(neph)
    assert {*two.candidates(neph)} == {*three.candidates(neph)} == {one.index(neph), three.index(neph)}
    assert three.candidates(neph)[0] == three.index(neph)
    assert four.candidates(neph) == [four.index(neph)]


def test_a_name_is_found_by_its_words_in_any_order_and_by_the_whole():
    stored = set(NAME.entries("Léa Martin-Dupont"))
    assert all(stored & set(word) for word in NAME.words("MARTIN lea"))
    assert stored & set(NAME.whole("lea martin dupont"))
    assert not stored & set(NAME.whole("martin lea"))
    assert not all(stored & set(word) for word in NAME.words("Léa Durand"))
    assert not stored & set(NAME.words("Mart")[0])


def test_the_entries_of_a_name_hide_the_order_of_its_words():
    words = [set(NAME.entries(name)) - set(NAME.whole(name)) for name in ("Léa Martin", "Martin Léa")]
    assert words[0] == words[1]
    assert NAME.entries("Léa Martin") == sorted(NAME.entries("Léa Martin"))


def test_a_query_without_a_word_asks_for_nothing():
    assert NAME.words(" - ") == []


def test_names_are_found_through_a_rotation():
    before = new_document()
    stored = set(Keyset.parse(before).name_index("n").entries("Léa Martin"))
    after = Keyset.parse(rotated(before, index=True)).name_index("n")
    assert all(stored & set(word) for word in after.words("martin léa"))
    assert stored & set(after.whole("lea martin"))


def test_a_guarded_value_is_indexed_as_its_text():
    assert NEPH.index(Plaintext("0123 4567 8901")) == NEPH.index("012345678901")
    assert NAME.entries(Plaintext("Léa")) == NAME.entries("Léa")
