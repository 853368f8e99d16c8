"""Signed checkpoints: C2SP tlog-checkpoint in a signed note (Ed25519)."""

import base64
import binascii
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = b"\x01"
MOST_SIGNATURES = 16
HASH_BYTES = 32


class InvalidNote(ValueError):
    """The note is not one, or nobody we know signed it. The message names the rule it breaks."""


@dataclass(frozen=True)
class Checkpoint:
    """What is signed: the tree of `size` leaves of the log `origin` has this root (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The signed text: three lines, each ended by LF."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def key_id(name: str, public: bytes) -> bytes:
    """First four bytes of SHA-256(name LF 0x01 key)."""
    return sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4]


def check_name(name: str) -> str:
    """A key name: not empty, no space, no plus."""
    if not name or "+" in name or any(letter.isspace() for letter in name):
        msg = "a key name has no space and no plus"
        raise InvalidNote(msg)
    return name


def verifier_key(name: str, public: Ed25519PublicKey) -> str:
    """The key as C2SP writes it: name+hash+base64(0x01 key)."""
    raw = public.public_bytes_raw()
    return f"{check_name(name)}+{key_id(name, raw).hex()}+{base64.b64encode(ED25519 + raw).decode()}"


def parse_verifier_key(text: str) -> tuple[str, Ed25519PublicKey]:
    """Inverse of `verifier_key`; BadNote when it is not well-formed."""
    name, _, rest = text.partition("+")
    digest, _, encoded = rest.partition("+")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        msg = "the key is not base64"
        raise InvalidNote(msg) from error
    if raw[:1] != ED25519 or len(raw) != 1 + HASH_BYTES or key_id(check_name(name), raw[1:]).hex() != digest:
        msg = "the key does not fit its hash"
        raise InvalidNote(msg)
    return name, Ed25519PublicKey.from_public_bytes(raw[1:])


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> str:
    """Return the signed note; the key's name is the log's origin."""
    name = check_name(checkpoint.origin)
    text = checkpoint.text()
    signature = key_id(name, key.public_key().public_bytes_raw()) + key.sign(text.encode())
    return f"{text}\n\u2014 {name} {base64.b64encode(signature).decode()}\n"


def _signatures(block: str) -> list[tuple[str, bytes]]:
    if not block.endswith("\n"):
        msg = "the note does not end with a line end"
        raise InvalidNote(msg)
    lines = block[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        msg = "more than 16 signatures"
        raise InvalidNote(msg)
    found = []
    for line in lines:
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        if dash != "\u2014":
            msg = "a signature line begins with an em dash"
            raise InvalidNote(msg)
        try:
            found.append((check_name(name), base64.b64decode(encoded, validate=True)))
        except binascii.Error as error:
            msg = "a signature is not base64"
            raise InvalidNote(msg) from error
    return found


def verify(note: str, known: str) -> Checkpoint:
    """Read a signed note and check that the key `known` (C2SP verifier key) signed it; others' signatures are ignored.

    BadNote for anything that is not to the letter, no signature by `known`, or a bad one.
    """
    name, public = parse_verifier_key(known)
    if any(letter in note for letter in "\r\t\x00") or "\n\n" not in note:
        msg = "not a note: control characters, or no blank line"
        raise InvalidNote(msg)
    text, _, block = note.rpartition("\n\n")
    text += "\n"
    good = False
    identity = key_id(name, public.public_bytes_raw())
    for signer, signature in _signatures(block):
        if signer != name or signature[:4] != identity:
            continue
        try:
            public.verify(signature[4:], text.encode())
        except InvalidSignature as error:
            msg = "a known key's signature is wrong"
            raise InvalidNote(msg) from error
        good = True
    if not good:
        msg = "not signed by the known key"
        raise InvalidNote(msg)
    return parse(text)


def parse(text: str) -> Checkpoint:
    """Read a checkpoint's text: origin, size without sign or leading zero, 32-byte root, no empty extension line."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or any(not line for line in lines[:-1]):
        msg = "a checkpoint has three lines, none empty"
        raise InvalidNote(msg)
    origin, size, encoded = lines[:3]
    if not size.isascii() or not size.isdigit() or (len(size) > 1 and size.startswith("0")):
        msg = "the size is a plain decimal number"
        raise InvalidNote(msg)
    try:
        found = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        msg = "the root is not base64"
        raise InvalidNote(msg) from error
    if len(found) != HASH_BYTES or base64.b64encode(found).decode() != encoded:
        msg = "the root is 32 bytes"
        raise InvalidNote(msg)
    return Checkpoint(origin, int(size), found)
