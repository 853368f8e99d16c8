"""The key-encryption key from a Tink keyset (AES-256-GCM). The only module that knows Tink, which has no type stubs.

Tink in Python has no KeysetManager: a key is added in the JSON keyset, then made primary; the old ones stay.
"""

import base64
import json
from functools import cache
from typing import Any, NoReturn, final

import tink
from google.protobuf.message import DecodeError
from tink import aead, json_proto_keyset_format, secret_key_access
from tink.proto import aes_gcm_pb2

from resapermis_vault.errors import KeysetProblem, Unreadable

TinkJson = dict[str, Any]
"""Tink's cleartext JSON keyset: secret."""

_TYPE = "type.googleapis.com/google.crypto.tink.AesGcmKey"
_PREFIX_BYTES = 5
"""Tink's output prefix: 0x01, then the key's id, big-endian."""


@final
class TinkKek:
    """AES-256-GCM under the primary key; every kept key opens."""

    __slots__ = ("_aead", "_primary")

    def __init__(self, keyset: TinkJson) -> None:
        """Raise KeysetProblem if `keyset` is no keyset of enabled AES-256-GCM keys with a primary."""
        primitive = _primitive(keyset)
        if primitive is None:
            raise KeysetProblem("the KEK is not a Tink keyset of enabled AES-256-GCM keys with a primary")
        self._aead = primitive
        self._primary = b"\x01" + int(keyset["primaryKeyId"]).to_bytes(4, "big")

    def encrypt(self, plain: bytes, context: bytes) -> bytes:
        """Return prefix (5 bytes) + nonce (12) + ciphertext + tag (16)."""
        return bytes(self._aead.encrypt(plain, context))

    def decrypt(self, sealed: bytes, context: bytes) -> bytes:
        """Inverse of `encrypt`; Unreadable otherwise."""
        try:
            return bytes(self._aead.decrypt(sealed, context))
        except tink.TinkError:
            pass  # raised below, without a cause to tell apart
        raise Unreadable

    def is_current(self, sealed: bytes) -> bool:
        """Compare the prefix with the primary key's."""
        return sealed[:_PREFIX_BYTES] == self._primary

    def __repr__(self) -> str:
        return "TinkKek(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not copied or pickled")


def new_kek() -> TinkJson:
    """Return a keyset of one fresh key."""
    _register()
    handle = tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM)
    keyset: TinkJson = json.loads(json_proto_keyset_format.serialize(handle, secret_key_access.TOKEN))
    return keyset


def with_new_key(keyset: TinkJson) -> TinkJson:
    """Return the keyset with a fresh key at the end; the primary stays."""
    fresh = new_kek()["key"][0]
    while fresh["keyId"] in key_ids(keyset):  # ids are 32 random bits
        fresh = new_kek()["key"][0]
    return {**keyset, "key": [*keyset["key"], fresh]}


def with_newest_primary(keyset: TinkJson) -> TinkJson:
    """Return the keyset with its last added key as primary."""
    return {**keyset, "primaryKeyId": keyset["key"][-1]["keyId"]}


def with_primary_only(keyset: TinkJson) -> TinkJson:
    """Return the keyset without any key but the primary."""
    return {**keyset, "key": [key for key in keyset["key"] if key["keyId"] == keyset["primaryKeyId"]]}


def key_ids(keyset: TinkJson) -> list[int]:
    """Return the ids, oldest first; ids are no secrets."""
    return [int(key["keyId"]) for key in keyset["key"]]


@cache
def _register() -> None:
    aead.register()


def _primitive(keyset: TinkJson) -> Any | None:
    """Return Tink's AEAD, or None when the keyset is not what it must be: parsers' own errors may quote it."""
    _register()
    try:
        handle = json_proto_keyset_format.parse(json.dumps(keyset), secret_key_access.TOKEN)
        ids = key_ids(keyset)
        sound = len(set(ids)) == len(ids) and all(_is_aes_256_gcm(key) for key in keyset["key"])
        return handle.primitive(aead.Aead) if sound else None
    except (tink.TinkError, DecodeError, KeyError, TypeError, ValueError):
        return None


def _is_aes_256_gcm(key: TinkJson) -> bool:
    data = key["keyData"]
    if (data["typeUrl"], key["status"], key["outputPrefixType"]) != (_TYPE, "ENABLED", "TINK"):
        return False
    parsed = aes_gcm_pb2.AesGcmKey.FromString(base64.b64decode(data["value"], validate=True))
    return len(parsed.key_value) == 32
