"""Checkpoints are C2SP signed notes, to the letter."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from resapermis_audit.checkpoint import Checkpoint, InvalidNote, parse, parse_verifier_key, sign, verifier_key, verify

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
KNOWN = verifier_key("resapermis/journal", KEY.public_key())
POINT = Checkpoint("resapermis/journal", 7, bytes(range(32)))
NOTE = sign(POINT, KEY)
ROOT = base64.b64encode(POINT.root).decode()


@pytest.mark.req("T-03")
def test_what_was_signed_is_read_back() -> None:
    assert verify(NOTE, KNOWN) == POINT


def test_a_published_key_is_read() -> None:
    name, _ = parse_verifier_key("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    assert name == "PeterNeumann"


@pytest.mark.parametrize(
    "text",
    [
        f"resapermis/journal\n007\n{ROOT}\n",
        f"resapermis/journal\n+1\n{ROOT}\n",
        f"resapermis/journal\n1\n{base64.b64encode(bytes(31)).decode()}\n",
        f"resapermis/journal\n1\n{ROOT}\n\n",
        f"\n1\n{ROOT}\n",
        "resapermis/journal\n1\n",
        "resapermis/journal\n1\nnot base64!\n",
    ],
)
def test_a_checkpoint_off_by_a_letter_is_refused(text: str) -> None:
    with pytest.raises(InvalidNote):
        parse(text)


@pytest.mark.parametrize(
    "note",
    [
        NOTE.replace("\n7\n", "\n8\n"),
        NOTE.replace("\u2014", "-"),
        NOTE.rstrip("\n"),
        NOTE.replace("\n\n", "\n"),
        NOTE.replace("\n7\n", "\r\n7\n"),
        NOTE + NOTE.split("\n\n")[1] * 17,
        sign(POINT, OTHER),
    ],
)
def test_a_note_changed_or_signed_by_another_is_refused(note: str) -> None:
    with pytest.raises(InvalidNote):
        verify(note, KNOWN)


def test_signatures_of_others_are_ignored() -> None:
    stranger = sign(Checkpoint("witness", 7, POINT.root), OTHER).split("\n\n")[1]
    assert verify(NOTE + stranger, KNOWN) == POINT


@pytest.mark.parametrize("name", ["", "with space", "plus+plus"])
def test_a_key_name_has_no_space_and_no_plus(name: str) -> None:
    with pytest.raises(InvalidNote):
        verifier_key(name, KEY.public_key())
