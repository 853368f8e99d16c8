"""Keyset files and the operator's commands."""

import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from resapermis_vault.__main__ import main
from resapermis_vault.errors import KeysetProblem
from resapermis_vault.keyset import Keyset, new_document, promoted, read, retired, rotated, staged
from resapermis_vault.operator import files
from resapermis_vault.person_key import new_person_key, unwrap


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "keyset.json"
    assert files.write_new(path)
    return path


def names_in(folder):
    return [path.name for path in folder.iterdir()]


def run(*arguments):
    command = [sys.executable, "-W", "error", "-P", "-m", "resapermis_vault", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - our own command line


def secrets_of(path):
    document = read(path)
    return [*document["index"], *(key["keyData"]["value"] for key in document["kek"]["key"])]


def test_a_new_keyset_is_for_its_owner_alone_and_prints_nothing_of_itself(tmp_path, capsys):
    path = tmp_path / "keyset.json"
    assert main(["new-keyset", str(path)]) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    shown = capsys.readouterr()
    assert shown.out == "keyset.json: written\n"
    assert shown.err == ""
    assert names_in(tmp_path) == ["keyset.json"]


def test_a_keyset_that_exists_is_left_alone(file, capsys):
    before = file.read_bytes()
    assert main(["new-keyset", str(file)]) == 0
    assert file.read_bytes() == before
    assert "there already" in capsys.readouterr().out


def test_of_many_writers_of_one_keyset_exactly_one_writes(tmp_path):
    path = tmp_path / "keyset.json"
    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(lambda _: files.write_new(path), range(16)))
    assert written.count(True) == 1
    Keyset.load(path)
    assert names_in(tmp_path) == ["keyset.json"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o777])
def test_a_keyset_open_to_others_is_refused(file, mode, capsys):
    file.chmod(mode)
    with pytest.raises(KeysetProblem, match="chmod 600"):
        Keyset.load(file)
    assert main(["check", str(file)]) == 1
    assert "chmod 600" in capsys.readouterr().err


@pytest.mark.parametrize(("mode", "accepted"), [(0o440, True), (0o400, True), (0o444, False), (0o460, False)])
def test_a_mounted_secret_of_another_owner_may_be_read_by_the_group(file, mode, accepted, monkeypatch):
    file.chmod(mode)
    monkeypatch.setattr(os, "geteuid", lambda: file.stat().st_uid + 1)
    if accepted:
        Keyset.load(file)
    else:
        with pytest.raises(KeysetProblem):
            Keyset.load(file)


def test_a_missing_file_is_a_problem_named_by_its_name(tmp_path, capsys):
    for command in ("check", "rotate", "promote", "retire"):
        assert main([command, str(tmp_path / "none.json")]) == 1
        assert capsys.readouterr().err.startswith("none.json: ")


@pytest.mark.parametrize("part", [[], ["--index"]], ids=["kek", "index"])
def test_the_commands_of_a_rotation_in_their_order(file, part, capsys):
    wrapped, _ = new_person_key(Keyset.load(file), "p")
    entry = Keyset.load(file).blind_index().of("neph", "1")
    for command in (["rotate", "--stage"], ["promote"]):
        assert main([*command, *part, str(file)]) == 0
        unwrap(Keyset.load(file), wrapped, "p")
        assert entry in Keyset.load(file).blind_index().candidates("neph", "1")
    assert main(["rotate", *part, str(file)]) == 1  # not retired yet
    assert main(["retire", *part, str(file)]) == 0
    assert main(["promote", *part, str(file)]) == 1  # nothing staged
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    shown = "".join(capsys.readouterr())
    assert not [secret for secret in secrets_of(file) if secret in shown]


def test_rotate_adds_a_primary_and_keeps_the_old(file, capsys):
    old = read(file)
    assert main(["rotate", str(file)]) == 0
    new = read(file)
    assert new["kek"]["key"][0] == old["kek"]["key"][0]
    assert new["kek"]["primaryKeyId"] == new["kek"]["key"][1]["keyId"] != old["kek"]["primaryKeyId"]
    assert new["index"] == old["index"]
    assert main(["check", str(file)]) == 0
    assert "2 KEK, 1 index keys" in capsys.readouterr().out


def test_two_rotations_at_once_do_not_lose_a_key(file):
    with ThreadPoolExecutor(2) as pool:
        steps = [rotated, lambda document: rotated(document, index=True)]
        list(pool.map(lambda step: files.change(file, step), steps))
    document = read(file)
    assert (len(document["kek"]["key"]), len(document["index"])) == (2, 2)


def test_what_is_not_sound_never_replaces_a_keyset(file):
    before = file.read_bytes()
    with pytest.raises(KeysetProblem):
        files.change(file, lambda document: {**document, "index": []})
    assert file.read_bytes() == before
    assert names_in(file.parent) == [file.name]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.pop("kek"),
        lambda d: d.pop("index"),
        lambda d: d["index"].append(d["index"][0]),
        lambda d: d["index"].append("AAAA"),
        lambda d: d["index"].append(7),
        lambda d: d["kek"].update(primaryKeyId=1),
        lambda d: d["kek"].pop("primaryKeyId"),
        lambda d: d["kek"].update(key=[]),
        lambda d: d["kek"]["key"].append(d["kek"]["key"][0]),
        lambda d: d["kek"]["key"][0].update(status="DISABLED"),
        lambda d: d["kek"]["key"][0].update(outputPrefixType="RAW"),
        lambda d: d["kek"]["key"][0]["keyData"].update(typeUrl="type.googleapis.com/google.crypto.tink.AesEaxKey"),
        lambda d: d["kek"]["key"][0]["keyData"].update(value="GhAAAAAAAAAAAAAAAAAAAAAA"),  # AES-128
    ],
)
def test_a_document_that_is_not_a_keyset_is_refused(spoil):
    document = new_document()
    spoil(document)
    with pytest.raises(KeysetProblem):
        Keyset.parse(document)


@pytest.mark.parametrize("content", [b"", b"[]", b"7", b"{", b"\xff\xfe", b"null"])
def test_a_file_that_is_not_a_keyset_is_refused(tmp_path, content):
    path = tmp_path / "keyset.json"
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(KeysetProblem):
        Keyset.load(path)


def test_retiring_keeps_the_primary_only():
    document = retired(promoted(staged(new_document())))
    assert [key["keyId"] for key in document["kek"]["key"]] == [document["kek"]["primaryKeyId"]]


def test_the_steps_change_no_document_in_place():
    document = new_document()
    before = json.dumps(document)
    rotated(rotated(document), index=True)
    assert json.dumps(document) == before


def test_the_command_line_as_an_operator_runs_it(tmp_path):
    path = tmp_path / "keyset.json"
    assert run("new-keyset", path).stdout == "keyset.json: written\n"
    figures = json.loads(run("bench", "--rounds", "100").stdout)
    assert {"seal_name", "open_name", "unwrap_person_key"} <= figures["microseconds"].keys()
    assert run("melt", path).returncode == 2
