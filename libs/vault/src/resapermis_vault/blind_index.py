"""Blind index: equal values are found by equal HMACs, and the database never sees the value.

Sixteen bytes: among a billion entries of a field, a false match has a chance of about 1e-21 a search.
Keys differ by service, so that entries of two services have nothing in common.
"""

from collections.abc import Callable, Sequence
from typing import NoReturn, final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from resapermis_vault.normalisation import name_words, normalise_name
from resapermis_vault.plaintext import Plaintext, encode

INDEX_BYTES = 16


@final
class BlindIndex:
    """HMAC-SHA-256 cut to 16 bytes, separated by field; several keys while one is being rotated in."""

    __slots__ = ("_keys",)

    def __init__(self, keys: Sequence[bytes]) -> None:
        """`keys`: the first is the primary."""
        if not keys:
            raise ValueError("an index has a key")
        self._keys = tuple(keys)

    def of(self, field: str, value: str) -> bytes:
        """What to store for a normalised value of `field`."""
        return self._under(self._keys[0], field, value)

    def candidates(self, field: str, value: str) -> list[bytes]:
        """The value's index under every key still in use, primary first: to search by."""
        return [self._under(key, field, value) for key in self._keys]

    @staticmethod
    def _under(key: bytes, field: str, value: str) -> bytes:
        if not field or "\0" in field:  # the separator: two fields must not run into each other
            raise ValueError("an index belongs to a field")
        mac = HMAC(key, hashes.SHA256())
        mac.update(encode(field) + b"\0" + encode(value))
        return mac.finalize()[:INDEX_BYTES]

    def __repr__(self) -> str:
        """Never the keys."""
        return "BlindIndex(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not copied or pickled")


@final
class FieldIndex:
    """A blind index bound to one field's name and its normaliser."""

    __slots__ = ("_blind", "_field", "_normalise")

    def __init__(self, blind: BlindIndex, field: str, normalise: Callable[[str], str]) -> None:
        self._blind, self._field, self._normalise = blind, field, normalise

    def index(self, value: str | Plaintext) -> bytes:
        """Return the entry to store; ValueError if the value normalises to nothing."""
        return self._blind.of(self._field, self._normalise(_text(value)))

    def candidates(self, value: str | Plaintext) -> list[bytes]:
        """Return the entries under which the value may be stored: `WHERE entry = ANY(:candidates)`.

        Two during a rotation. A UNIQUE index on the entry does not see through a rotation: look for the candidates
        before inserting.
        """
        return self._blind.candidates(self._field, self._normalise(_text(value)))

    def __repr__(self) -> str:
        return f"FieldIndex({self._field})"


@final
class NameIndex:
    """Search by exact words or by the whole name, case, accents and hyphens aside.

    No prefixes: those of three letters are so few that their frequencies give the names back, and a name would cost
    ten entries. What a thief of the database without keys still sees: which rows share a word, and how many
    different words a name has.
    """

    __slots__ = ("_whole", "_word")

    def __init__(self, blind: BlindIndex, field: str) -> None:
        self._word = FieldIndex(blind, f"{field}/word", normalise_name)
        self._whole = FieldIndex(blind, f"{field}/whole", normalise_name)

    def entries(self, name: str | Plaintext) -> list[bytes]:
        """Return what to store in an array column: the whole name and each word, sorted to hide their order.

        ValueError if the name has no letter or digit.
        """
        return sorted({self._whole.index(name), *(self._word.index(word) for word in name_words(_text(name)))})

    def whole(self, name: str | Plaintext) -> list[bytes]:
        """Return the candidates for exactly this name: `WHERE entries && :candidates`."""
        return self._whole.candidates(name)

    def words(self, query: str | Plaintext) -> list[list[bytes]]:
        """Return each asked word's candidates; a row matches when it overlaps (`&&`) every list. No word, no list."""
        return [self._word.candidates(word) for word in dict.fromkeys(name_words(_text(query)))]

    def __repr__(self) -> str:
        return "NameIndex(…)"


def _text(value: str | Plaintext) -> str:
    return value.reveal() if isinstance(value, Plaintext) else value
