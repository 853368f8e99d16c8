"""Person keys: each person's fields are sealed under a key of their own; destroying it erases them everywhere."""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from resapermis_vault.keyset import KeyEncryption, Unreadable

KEY_BYTES, NONCE_BYTES = 32, 12
FORM = b"\x01"
"""First byte of what is sealed, so that another form can come later."""


@dataclass(frozen=True, repr=False)
class PersonKey:
    """An unwrapped key; lives in memory only and never prints itself."""

    _key: bytes

    def __repr__(self) -> str:
        """Never the key."""
        return "PersonKey(…)"

    def seal(self, plain: str, row: str) -> bytes:
        """AES-256-GCM with the row's identity (table/column/id) as associated data."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return FORM + nonce + AESGCM(self._key).encrypt(nonce, plain.encode(), row.encode())

    def open(self, sealed: bytes, row: str) -> str:
        """Inverse of `seal`; Unreadable whatever the cause."""
        if sealed[:1] != FORM:
            raise Unreadable
        nonce, body = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        try:
            return AESGCM(self._key).decrypt(nonce, body, row.encode()).decode()
        except (InvalidTag, ValueError):
            raise Unreadable from None


def new_person_key(kek: KeyEncryption, person_id: str) -> tuple[bytes, PersonKey]:
    """A new key: (wrapped, to store with the person; unwrapped, to use)."""
    key = secrets.token_bytes(KEY_BYTES)
    return kek.wrap(key, f"person/{person_id}"), PersonKey(key)


def unwrap(kek: KeyEncryption, wrapped: bytes, person_id: str) -> PersonKey:
    """Open a stored key; Unreadable once destroyed or moved to another person."""
    return PersonKey(kek.unwrap(wrapped, f"person/{person_id}"))


def rewrap(kek: KeyEncryption, wrapped: bytes, person_id: str) -> bytes:
    """Wrap the same key under the primary key-encryption key: rotation that touches no data."""
    row = f"person/{person_id}"
    return kek.wrap(kek.unwrap(wrapped, row), row)


class PersonKeys:
    """Unwrapped keys of the last people met; bounded in number and age."""

    def __init__(self, kek: KeyEncryption, monotonic: Callable[[], float], *, size: int = 2048, seconds: float = 60) -> None:
        """`monotonic` gives seconds; an entry older than `seconds` is unwrapped again."""
        self._kek, self._monotonic, self._size, self._seconds = kek, monotonic, size, seconds
        self._kept: OrderedDict[str, tuple[bytes, PersonKey, float]] = OrderedDict()

    def get(self, person_id: str, wrapped: bytes) -> PersonKey:
        """The person's key; Unreadable when `wrapped` is not theirs."""
        kept = self._kept.get(person_id)
        now = self._monotonic()
        if kept is not None and kept[0] == wrapped and now - kept[2] < self._seconds:
            return kept[1]
        key = unwrap(self._kek, wrapped, person_id)
        self._kept[person_id] = (wrapped, key, now)
        self._kept.move_to_end(person_id)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return key

    def forget(self, person_id: str) -> None:
        """Drop a key at once, on erasure."""
        self._kept.pop(person_id, None)
