"""Blind index: equal values are found by equal HMACs, and the database never sees the value."""

import hmac
import re
import unicodedata
from collections.abc import Sequence
from hashlib import sha256

INDEX_BYTES = 16
_SPACES = re.compile(r"\s+")
_LETTERS = {"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d"}
_WORDS = re.compile(r"[^\W_]+")


def normalise_neph(text: str) -> str:
    """A NEPH without spaces of any kind; otherwise as written, leading zeros and all. ValueError when empty."""
    found = _SPACES.sub("", unicodedata.normalize("NFKC", text))
    if not found:
        msg = "a NEPH is not empty"
        raise ValueError(msg)
    return found


def name_words(text: str) -> list[str]:
    """The words of a name for searching: no case, accents, hyphens or apostrophes. "O'Brien-Œuvre" → o, brien, oeuvre."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(_LETTERS.get(letter, letter) for letter in folded if not unicodedata.combining(letter))
    return _WORDS.findall(plain)


class BlindIndex:
    """HMAC-SHA-256 cut to 16 bytes, separated by field; several keys while one is being rotated in."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """`keys`: the first is the primary."""
        self._keys = tuple(keys)

    def __repr__(self) -> str:
        """Never the keys."""
        return "BlindIndex(…)"

    def of(self, field: str, value: str) -> bytes:
        """What to store for a value of `field`."""
        return self._under(self._keys[0], field, value)

    def candidates(self, field: str, value: str) -> list[bytes]:
        """What to look for: the value's index under every key still in use."""
        return [self._under(key, field, value) for key in self._keys]

    @staticmethod
    def _under(key: bytes, field: str, value: str) -> bytes:
        return hmac.digest(key, field.encode() + b"\0" + value.encode(), sha256)[:INDEX_BYTES]
