"""Secrets that are no person's data (tokens, TOTP seeds): sealed directly under the key-encryption key.

The context starts with `secret/`, a person key's with `person/`: neither can be passed off as the other.
"""

from resapermis_vault.kek import KeyEncryption
from resapermis_vault.plaintext import Plaintext, encode


def seal_secret(kek: KeyEncryption, plain: str | bytes | Plaintext, *, row: str) -> bytes:
    """AES-256-GCM under the primary key-encryption key; it opens only for the same `row` (`row_of`)."""
    content = plain.reveal_bytes() if isinstance(plain, Plaintext) else encode(plain)
    return kek.wrap(content, _secret_row(row))


def open_secret(kek: KeyEncryption, sealed: bytes, *, row: str) -> Plaintext:
    """Inverse of `seal_secret`, as a value that does not print itself; Unreadable whatever the cause."""
    return Plaintext(kek.unwrap(sealed, _secret_row(row)))


def reseal_secret(kek: KeyEncryption, sealed: bytes, *, row: str) -> bytes:
    """Return the secret under the primary key; the same bytes if it is there already."""
    opened = open_secret(kek, sealed, row=row)
    return bytes(sealed) if kek.is_current(sealed) else seal_secret(kek, opened, row=row)


def _secret_row(row: str) -> str:
    if not row:
        raise ValueError("a sealed secret belongs to a row")
    return f"secret/{row}"
