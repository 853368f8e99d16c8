"""The keys of a service at rest: a key-encryption keyset (Tink) and the keys of its blind indexes, in one 0600 file.

The document: {"kek": <Tink JSON keyset>, "index": [<base64 of 32 bytes>, …]}; the first index key is the primary.

A rotation has three steps, so that no replica ever meets a key it does not know: `staged` adds a key that reads,
`promoted` makes it write, `retired` drops the old one when nothing is left under it. `rotated` does the first two
at once, for a service of one process.
"""

import base64
import json
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, Self, final

from resapermis_vault import tink_kek
from resapermis_vault.blind_index import BlindIndex, FieldIndex, NameIndex
from resapermis_vault.errors import KeysetProblem
from resapermis_vault.plaintext import encode

INDEX_KEY_BYTES = 32
Document = dict[str, Any]
"""A keyset as JSON: secret."""


@final
class Keyset:
    """Key-encryption keys (the primary seals, all open) and index keys (the first is the primary)."""

    __slots__ = ("_kek", "index_keys")

    def __init__(self, kek: tink_kek.TinkKek, index_keys: tuple[bytes, ...]) -> None:
        self._kek, self.index_keys = kek, index_keys

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a keyset file; KeysetProblem when it is missing, not one, or others may read it."""
        return cls.parse(read(path))

    @classmethod
    def parse(cls, document: Document) -> Self:
        """Make a keyset from its JSON document; KeysetProblem when it is not one."""
        if not isinstance(document.get("kek"), dict) or not isinstance(document.get("index"), list):
            raise KeysetProblem("a keyset has a KEK and index keys")
        keys = _index_keys(document["index"])
        if not keys or len(set(keys)) != len(keys) or any(len(key) != INDEX_KEY_BYTES for key in keys):
            raise KeysetProblem("index keys are 32 bytes each, and no two alike")
        return cls(tink_kek.TinkKek(document["kek"]), keys)

    def wrap(self, plain: bytes, row: str) -> bytes:
        """Seal under the primary key, bound to `row`."""
        return self._kek.encrypt(plain, encode(row))

    def unwrap(self, sealed: bytes, row: str) -> bytes:
        """Open with whichever key sealed it; Unreadable otherwise."""
        return self._kek.decrypt(bytes(sealed), encode(row))

    def is_current(self, sealed: bytes) -> bool:
        """Whether `sealed` is under the primary key; false: wrap it again before the old key is retired."""
        return self._kek.is_current(bytes(sealed))

    def blind_index(self) -> BlindIndex:
        """Return the blind index over any field."""
        return BlindIndex(self.index_keys)

    def field_index(self, field: str, normalise: Callable[[str], str]) -> FieldIndex:
        """Return the index of one field with its normaliser: `("candidate.neph", normalise_neph)`."""
        return FieldIndex(self.blind_index(), field, normalise)

    def name_index(self, field: str) -> NameIndex:
        """Return the word and whole-name index of a field: `"candidate.name"`."""
        return NameIndex(self.blind_index(), field)

    def __repr__(self) -> str:
        """Never the keys."""
        return "Keyset(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a keyset is not copied or pickled")


def new_keyset() -> Keyset:
    """Return a keyset of fresh keys, for this process alone: nothing outlives it."""
    return Keyset.parse(new_document())


def new_document() -> Document:
    """A keyset document (JSON-ready) of one fresh key-encryption key and one fresh index key."""
    return {"kek": tink_kek.new_kek(), "index": [_new_index_key()]}


def staged(document: Document, *, index: bool = False) -> Document:
    """Add a KEK (or with `index` an index key) that reads and does not write yet.

    KeysetProblem while the last rotation of that key is not retired: two versions, never three.
    """
    if len(document["index"] if index else document["kek"]["key"]) > 1:
        raise KeysetProblem("the last rotation is not finished: promote its key, move the data, retire the old one")
    if index:
        return {**document, "index": [*document["index"], _new_index_key()]}
    return {**document, "kek": tink_kek.with_new_key(document["kek"])}


def promoted(document: Document, *, index: bool = False) -> Document:
    """Make the staged key the one that writes, once every replica has loaded it."""
    if len(document["index"] if index else document["kek"]["key"]) < 2:
        raise KeysetProblem("there is no staged key")
    if index:
        return {**document, "index": document["index"][::-1]}
    return {**document, "kek": tink_kek.with_newest_primary(document["kek"])}


def rotated(document: Document, *, index: bool = False) -> Document:
    """Add a new primary and keep the old one."""
    return promoted(staged(document, index=index), index=index)


def retired(document: Document, *, index: bool = False) -> Document:
    """Drop every key but the primary: what was not wrapped or indexed again is lost for good."""
    if index:
        return {**document, "index": document["index"][:1]}
    return {**document, "kek": tink_kek.with_primary_only(document["kek"])}


def read(path: Path) -> Document:
    """Return the file's document; KeysetProblem, never an error that carries its text."""
    path = Path(path)
    try:
        status, content = path.stat(), path.read_bytes()
    except OSError as problem:
        raise KeysetProblem(f"{path.name} cannot be read: {problem.strerror}") from None
    # A secret mounted by Kubernetes belongs to root and is read through the group; our own file is ours alone.
    foreign = 0o077 if status.st_uid == os.geteuid() else 0o037
    if stat.S_IMODE(status.st_mode) & foreign:
        raise KeysetProblem(f"{path.name} holds keys and may be read by others: chmod 600")
    document = _parse(content)
    if not isinstance(document, dict):
        raise KeysetProblem(f"{path.name} is not a keyset")
    return document


def _parse(content: bytes) -> object:
    try:
        return json.loads(content)
    except ValueError:  # JSON's and UTF-8's errors carry the text
        return None


def _new_index_key() -> str:
    return base64.b64encode(secrets.token_bytes(INDEX_KEY_BYTES)).decode()


def _index_keys(texts: list[str]) -> tuple[bytes, ...]:
    """Return the keys, or none at all: a decoder's error may quote them."""
    try:
        return tuple(base64.b64decode(text, validate=True) for text in texts)
    except (TypeError, ValueError):
        return ()
