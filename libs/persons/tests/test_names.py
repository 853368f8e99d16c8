"""A name has one written form, whatever typed it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resapermis_persons.names import written_line, written_name


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Zoé", "Zoé"),
        (unicodedata.normalize("NFD", "Zoé"), "Zoé"),
        ("  Zoé\u00a0 \u202fLou ", "Zoé Lou"),
        ("N\u2019Diaye", "N'Diaye"),
        ("N\u02bcDiaye", "N'Diaye"),
        ("N´Diaye", "N'Diaye"),
        ("Jean\u2011Luc", "Jean-Luc"),
        ("D'Alès-Martin", "D'Alès-Martin"),
        ("Mar\u00adtin\u200b", "Martin"),
        ("\ufeffMARTIN", "MARTIN"),
        (" \u200b ", ""),
        ("\u0645\u06cc\u200c\u0631", "\u0645\u06cc\u200c\u0631"),
    ],
)
def test_what_was_typed_is_written_in_one_form(typed: str, meant: str) -> None:
    assert written_name(typed) == meant


@given(st.text())
def test_the_written_form_is_written_as_it_is(text: str) -> None:
    for write in (written_line, written_name):
        written = write(text)
        assert write(written) == written == unicodedata.normalize("NFC", written)
        assert written == written.strip()


@given(st.text())
def test_both_ways_of_composing_letters_are_one_name(text: str) -> None:
    assert written_name(unicodedata.normalize("NFD", text)) == written_name(unicodedata.normalize("NFC", text))


def test_a_line_keeps_the_signs_of_whoever_wrote_it() -> None:
    assert written_line("Places de l\u2019été  👩\u200d👧 ") == "Places de l\u2019été 👩\u200d👧"
