"""`make up`: what it refuses before anything is started, and what it says is there."""

import asyncio

import pytest

import dev
from devstack.components import ALL_COMPONENTS, MAIL, SANDBOX
from devstack.stack import Stack

ADDRESS = "RESAPERMIS_RDVPERMIS_URL"
ISSUER = "RESAPERMIS_OIDC_ISSUER"


@pytest.mark.parametrize("issuer", [None, ""])
def test_another_rdvpermis_without_its_issuer_starts_nothing_and_says_what_to_set(
    tmp_path, monkeypatch, capsys, issuer
):
    def never(*_, **__):
        pytest.fail("a stack was made")

    monkeypatch.setattr(dev, "Stack", never)
    monkeypatch.setenv("RESAPERMIS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(ADDRESS, "https://rdvpermis.example")
    monkeypatch.delenv(ISSUER, raising=False)
    if issuer is not None:
        monkeypatch.setenv(ISSUER, issuer)
    assert asyncio.run(dev.run()) == 2
    said = capsys.readouterr().err
    assert f"Set {ISSUER}" in said
    assert "RESAPERMIS_OIDC_CLIENT_SECRET_FILE" in said


@pytest.mark.parametrize("handed", [{}, {ADDRESS: "https://rdvpermis.example", ISSUER: "https://id.example"}])
def test_the_sandbox_and_another_rdvpermis_with_its_issuer_are_not_refused(handed):
    assert not dev.refusal(handed)


def test_only_what_was_started_is_announced(tmp_path):
    everything = Stack(tmp_path, 9000)
    assert [line[:17].rstrip() for line in dev.addresses(everything)] == [
        "ResaPermis",
        "RdvPermis sandbox",
        "mails",
        "first administrat",
    ]
    assert dev.addresses(everything)[-1].endswith(f"people first-administrator --home {everything.home}")
    for left_out in (SANDBOX, MAIL):
        without = Stack(tmp_path, 9000, components=[one for one in ALL_COMPONENTS if one != left_out])
        assert set(dev.addresses(everything)) - set(dev.addresses(without)) == {
            line
            for line in dev.addresses(everything)
            if line.startswith("RdvPermis" if left_out == SANDBOX else "mails")
        }
    everything.absent[SANDBOX] = "NOT STARTED"
    assert not any("sandbox" in line for line in dev.addresses(everything))


@pytest.mark.parametrize("running", [True, False])
async def test_logins_are_asked_of_a_sandbox_that_was_started_alone(tmp_path, monkeypatch, capsys, running):
    async def answer(port, path):
        del port, path
        return b'[{"username": "somebody", "password": "invented"}]'

    monkeypatch.setattr(dev, "http_body", answer)
    stack = Stack(tmp_path, 9000, components=[SANDBOX, MAIL] if running else [MAIL])
    await dev._announce(stack, 1.0)
    assert ("somebody" in capsys.readouterr().out) is running
