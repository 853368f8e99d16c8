"""What makes two spellings the same to a search."""

import unicodedata

_LETTERS = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ħ": "h"})
"""Letters that Unicode does not take apart into a base and an accent."""


def normalise_neph(text: str) -> str:
    """Return the NEPH without spaces of any width and invisible marks; raise ValueError when nothing is left.

    Opaque otherwise: 12 or 14 characters, leading zeros, no check digit (domain.md). Pasted from a PDF or from
    Excel it comes with no-break and thin spaces, sometimes with a byte-order mark.
    """
    kept = "".join(char for char in text if not char.isspace() and unicodedata.category(char) != "Cf")
    if not kept:
        raise ValueError("the NEPH is empty")
    return kept


def normalise_name(text: str) -> str:
    """Return words in small letters without accents, one space between; raise ValueError when none is left.

    NFKC and casefold, accents dropped; spaces, hyphens, apostrophes and other marks part words:
    "D’ALÈS-Martin" and "d'ales martin" are one name. Idempotent.
    """
    folded, before = text, ""
    while folded != before:  # casefolding can compose or uncover an accent; two rounds do for all but oddities
        before = folded
        apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", folded).casefold().translate(_LETTERS))
        folded = "".join(char for char in apart if unicodedata.category(char) not in {"Mn", "Cf"})
    words = "".join(char if _is_of_a_word(char) else " " for char in folded).split()
    if not words:
        raise ValueError("the name is empty")
    return " ".join(words)


def _is_of_a_word(char: str) -> bool:
    category = unicodedata.category(char)
    return category[0] in "LNM" and category != "Lm"  # a modifier letter is an apostrophe (U+02BC) or like one


def name_words(text: str) -> list[str]:
    """The words of a name for searching, in order: "O'Brien-Œuvre" → o, brien, oeuvre. Empty when there is none."""
    try:
        return normalise_name(text).split(" ")
    except ValueError:
        return []
