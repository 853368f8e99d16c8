"""Nothing that holds a key or a value in clear prints it, copies it, or lets an error carry it."""

import base64
import copy
import json
import pickle
import traceback

import pytest

from resapermis_vault.errors import KeysetProblem, Unreadable
from resapermis_vault.keyset import Keyset, new_document
from resapermis_vault.normalisation import normalise_neph
from resapermis_vault.person_key import new_person_key
from resapermis_vault.person_keys import PersonKeys
from resapermis_vault.plaintext import Plaintext

DOCUMENT = new_document()
KEYSET = Keyset.parse(DOCUMENT)
WRAPPED, KEY = new_person_key(KEYSET, "p")
HOLDERS = [
    KEYSET,
    KEY,
    Plaintext("Léa Martin"),
    KEYSET.blind_index(),
    KEYSET.field_index("neph", normalise_neph),
    KEYSET.name_index("name"),
    PersonKeys(KEYSET, lambda: 0.0),
]


@pytest.mark.req("D-03")
@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: type(holder).__name__)
def test_no_holder_prints_its_content(holder):
    shown = [repr(holder), str(holder), f"{holder}", f"{[holder]}", f"{holder!r:>9} {holder}", f"{holder!a}"]
    secrets = ["Léa", "Martin", DOCUMENT["kek"]["key"][0]["keyData"]["value"], *DOCUMENT["index"]]
    raw = [repr(base64.b64decode(key))[2:-1] for key in DOCUMENT["index"]]
    assert not [secret for secret in [*secrets, *raw] for text in shown if secret in text]
    assert all(type(holder).__name__ in text for text in shown)


@pytest.mark.parametrize(
    "holder", [KEYSET, KEY, Plaintext("Léa"), KEYSET.blind_index()], ids=lambda holder: type(holder).__name__
)
def test_no_holder_is_copied_pickled_or_turned_to_json(holder):
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError) as caught:
            attempt(holder)
        assert "Léa" not in str(caught.value)
    with pytest.raises(TypeError):
        vars(holder)


def test_a_plaintext_compares_by_content_and_does_not_hash():
    assert Plaintext("Léa") == Plaintext("Léa".encode())
    assert Plaintext("Léa") != Plaintext("Lea")
    assert Plaintext("Léa") != "Léa"
    with pytest.raises(TypeError):
        hash(Plaintext("Léa"))


def test_bytes_that_are_no_text_are_unreadable_as_text_only():
    held = Plaintext(b"\xffLea")
    assert held.reveal_bytes() == b"\xffLea"
    with pytest.raises(Unreadable) as caught:
        held.reveal()
    assert caught.value.__context__ is None


@pytest.mark.parametrize("spoil", ["kek-value", "index-value", "index-short", "cut"])
def test_a_spoilt_keyset_file_is_refused_without_a_word_of_it(tmp_path, spoil):
    document = new_document()
    secret = document["index"][0]
    if spoil == "kek-value":
        document["kek"]["key"][0]["keyData"]["value"] = f"!{secret}"
    if spoil == "index-value":
        document["index"] = [f"!{secret}"]
    if spoil == "index-short":
        document["index"] = [secret[:20]]
    text = json.dumps(document)
    file = tmp_path / "keyset.json"
    file.touch(0o600)
    file.write_text(text[:-5] if spoil == "cut" else text)
    with pytest.raises(KeysetProblem) as caught:
        Keyset.load(file)
    shown = "".join(traceback.format_exception(caught.value))
    assert secret[:20] not in shown
    links, error = [], caught.value
    while error is not None:
        links.append(repr(getattr(error, "doc", "")))
        error = error.__context__
    assert secret[:20] not in "".join(links)
