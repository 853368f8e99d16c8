"""Person keys: each person's fields are sealed under a key of their own; destroying it erases them everywhere.

Sealed value: 1 byte form + 12 bytes nonce + ciphertext + 16 bytes tag. Nonces are random: NIST SP 800-38D allows
2**32 values a key; a person has a few hundred.
"""

import re
import secrets
from typing import NoReturn, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from resapermis_vault.errors import Unreadable
from resapermis_vault.kek import KeyEncryption
from resapermis_vault.plaintext import Plaintext, encode

KEY_BYTES, NONCE_BYTES = 32, 12
FORM = b"\x01"
"""First byte of what is sealed, so that another form can come later."""
_NAME = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)


@final
class PersonKey:
    """An unwrapped key; lives in memory only and shows itself to nobody, not even to its holder."""

    __slots__ = ("_aead",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise Unreadable
        self._aead = AESGCM(key)

    def seal(self, plain: str | bytes | Plaintext, row: str) -> bytes:
        """AES-256-GCM with the row's identity (`row_of`) as associated data; moved elsewhere it does not open."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        content = plain.reveal_bytes() if isinstance(plain, Plaintext) else encode(plain)
        return FORM + nonce + self._aead.encrypt(nonce, content, _associated(row))

    def open(self, sealed: bytes, row: str) -> str:
        """Inverse of `seal`; Unreadable whatever the cause."""
        return self.open_guarded(sealed, row).reveal()

    def open_bytes(self, sealed: bytes, row: str) -> bytes:
        """Inverse of `seal` for bytes; Unreadable whatever the cause."""
        return self.open_guarded(sealed, row).reveal_bytes()

    def open_guarded(self, sealed: bytes, row: str) -> Plaintext:
        """Open into a value that does not print itself, for code that only passes it on."""
        sealed, associated = bytes(sealed), _associated(row)
        nonce, content = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        if sealed[:1] == FORM and len(nonce) == NONCE_BYTES:
            try:
                return Plaintext(self._aead.decrypt(nonce, content, associated))
            except InvalidTag:
                pass  # raised below, without a cause to tell apart
        raise Unreadable

    def __repr__(self) -> str:
        """Never the key."""
        return "PersonKey(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not copied or pickled")


def row_of(table: str, column: str, row_id: object) -> str:
    """Return the identity that binds a value to its place: `table/column/id`.

    Table and column are lower-case SQL names without a slash, so that no two places share an identity.
    """
    if not (_NAME.fullmatch(table) and _NAME.fullmatch(column)):
        raise ValueError("table and column are lower-case SQL names")
    return f"{table}/{column}/{row_id}"


def new_person_key(kek: KeyEncryption, person_id: str) -> tuple[bytes, PersonKey]:
    """A new key: (wrapped, to store with the person; unwrapped, to use).

    Bound to the person, so that nobody with write access to the database alone can have one person's data sealed
    under another's key, out of reach of erasure.
    """
    key = secrets.token_bytes(KEY_BYTES)
    return kek.wrap(key, _holder(person_id)), PersonKey(key)


def unwrap(kek: KeyEncryption, wrapped: bytes, person_id: str) -> PersonKey:
    """Open a stored key; Unreadable when it is another person's, altered, or no key at all."""
    return PersonKey(kek.unwrap(wrapped, _holder(person_id)))


def rewrap(kek: KeyEncryption, wrapped: bytes, person_id: str) -> bytes:
    """Wrap the same key under the primary key-encryption key: rotation that touches no data.

    Already there: the same bytes, so that a pass over all rows writes only where it must.
    """
    holder = _holder(person_id)
    key = kek.unwrap(wrapped, holder)
    return bytes(wrapped) if kek.is_current(wrapped) else kek.wrap(key, holder)


def _associated(row: str) -> bytes:
    if not row:
        raise ValueError("a sealed value belongs to a row")
    return encode(row)


def _holder(person_id: str) -> str:
    if not person_id:
        raise ValueError("a person key belongs to a person")
    return f"person/{person_id}"
