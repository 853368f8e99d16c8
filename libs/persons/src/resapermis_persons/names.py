"""One written form for what people type or paste, whatever their keyboard, telephone or word processor made of it."""

import unicodedata

# [default] RdvPermis is taken to compare names with the straight apostrophe and the plain hyphen of a French keyboard. No
# source says so, and its own search of NEPH and name has not been seen to fold signs. If it turns out to store U+2019, this
# table is the one place to correct; searches of ours fold all of them (resapermis_vault.normalisation).
_SIGNS = str.maketrans(
    dict.fromkeys("\u2018\u2019\u02b9\u02bb\u02bc\u02c8\u2032\u00b4`\uff07", "'") | dict.fromkeys("\u2010\u2011", "-")
)
_JOINERS = "\u200c\u200d"
"""Invisible too, but they change how their neighbours are written: a sign of a name, though none that RdvPermis would know."""


def written_line(text: str) -> str:
    """One line in NFC with single spaces, of whatever width they were typed, and none around. May be empty. Idempotent."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def written_name(text: str) -> str:
    """A name as it is stored, shown and sent to RdvPermis: `written_line`, no invisible signs, one apostrophe and one hyphen.

    Letters, accents and case stay as they are. May be empty. Idempotent.
    """
    return written_line(without_invisible(text, keep=_JOINERS)).translate(_SIGNS)


def without_invisible(text: str, keep: str = "") -> str:
    """Without format characters (category Cf): zero-width spaces, byte-order marks, soft hyphens, direction marks."""
    return "".join(char for char in text if char in keep or unicodedata.category(char) != "Cf")
