"""The keys of a service at rest: a key-encryption keyset (Tink) and the keys of its blind indexes, in one 0600 file."""

import base64
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import tink
from tink import aead, cleartext_keyset_handle

INDEX_KEY_BYTES = 32
aead.register()


class Unreadable(Exception):  # noqa: N818 - a finding; one for every cause, so that an attacker learns nothing
    """What was sealed cannot be opened here: wrong key, moved row, changed bytes or destroyed key."""

    def __init__(self) -> None:
        """Always the same words."""
        super().__init__("sealed data cannot be opened")


class KeyEncryption(Protocol):
    """What wraps keys and small secrets: a local keyset here; a cloud KMS or Vault transit fits the same two calls."""

    def wrap(self, plain: bytes, row: str) -> bytes:
        """Seal `plain`; it opens only for the same `row` (table/column/id)."""

    def unwrap(self, sealed: bytes, row: str) -> bytes:
        """Inverse of `wrap`; Unreadable otherwise."""


@dataclass(frozen=True, repr=False)
class Keyset:
    """Key-encryption keys (the primary seals, all open) and index keys (the first is the primary)."""

    _aead: aead.Aead
    index_keys: tuple[bytes, ...]

    def __repr__(self) -> str:
        """Never the keys."""
        return "Keyset(…)"

    def wrap(self, plain: bytes, row: str) -> bytes:
        """Seal under the primary key, bound to `row`."""
        sealed: bytes = self._aead.encrypt(plain, row.encode())
        return sealed

    def unwrap(self, sealed: bytes, row: str) -> bytes:
        """Open with whichever key sealed it; Unreadable otherwise."""
        try:
            plain: bytes = self._aead.decrypt(sealed, row.encode())
        except tink.TinkError:
            raise Unreadable from None
        return plain

    @classmethod
    def load(cls, path: Path) -> "Keyset":
        """Read a keyset file; ValueError when it is not one or others may read it."""
        if path.stat().st_mode & 0o077:
            msg = f"{path.name} holds keys and may be read by others: chmod 600"
            raise ValueError(msg)
        return cls.parse(json.loads(path.read_text(encoding="utf-8")))

    @classmethod
    def parse(cls, document: dict[str, Any]) -> "Keyset":
        """Make a keyset from its JSON document."""
        handle = cleartext_keyset_handle.read(tink.JsonKeysetReader(json.dumps(document["kek"])))
        keys = tuple(base64.b64decode(key) for key in document["index"])
        if not keys or any(len(key) != INDEX_KEY_BYTES for key in keys):
            msg = "index keys are 32 bytes each"
            raise ValueError(msg)
        return cls(handle.primitive(aead.Aead), keys)


def _fresh_kek() -> dict[str, Any]:
    lines: list[str] = []

    class Sink:
        def write(self, text: str) -> None:
            lines.append(text)

        def flush(self) -> None:
            """Nothing to do."""

    handle = tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM)
    cleartext_keyset_handle.write(tink.JsonKeysetWriter(Sink()), handle)
    document: dict[str, Any] = json.loads("".join(lines))
    return document


def new_document() -> dict[str, Any]:
    """A new keyset document."""
    return {"kek": _fresh_kek(), "index": [base64.b64encode(secrets.token_bytes(INDEX_KEY_BYTES)).decode()]}


def rotated(document: dict[str, Any], *, index: bool = False) -> dict[str, Any]:
    """Add a new primary and keep the old ones. Tink's Python has no KeysetManager, so the JSON is joined by hand."""
    fresh = _fresh_kek()
    kek = {"primaryKeyId": fresh["primaryKeyId"], "key": [*document["kek"]["key"], *fresh["key"]]}
    keys = list(document["index"])
    if index:
        keys.insert(0, base64.b64encode(secrets.token_bytes(INDEX_KEY_BYTES)).decode())
    return {"kek": kek, "index": keys}


def write(path: Path, document: dict[str, Any]) -> None:
    """Write atomically, readable by its owner alone, on the disk before it takes the old one's place."""
    scratch = path.with_suffix(".new")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
