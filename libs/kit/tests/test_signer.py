"""A person's token is given again for a while, and never for anybody else, nor when it is nearly over."""

import dataclasses
from pathlib import Path

import pytest

from resapermis_kit.errors import Failure
from resapermis_kit.rpc import auth
from resapermis_kit.rpc.auth import Principal, Signer, Verifier

WHO = Principal("account-1", "session-1", "school-1", ("school_manager",), "192.0.2.0/24")
NOW = 1_800_000_000.0
SERVICE = "basket"


@pytest.fixture
def fresh(principal_keys: tuple[Path, Path]) -> Signer:
    return Signer(principal_keys[0])


def test_the_same_person_gets_the_same_token_for_twenty_seconds(fresh: Signer) -> None:
    first = fresh.sign(WHO, SERVICE, NOW)
    assert [fresh.sign(WHO, SERVICE, NOW + later) == first for later in (0, 19, 20, 21)] == [True, True, False, False]


@pytest.mark.parametrize(
    "other",
    [
        {"account_id": "account-2"},
        {"session_id": "session-2"},
        {"school_id": "school-2"},
        {"roles": ()},
        {"roles": ("school_admin", "school_manager")},
        {"place": "198.51.100.0/24"},
    ],
)
def test_whoever_differs_gets_another_token(
    fresh: Signer, principal_keys: tuple[Path, Path], other: dict[str, object]
) -> None:
    changed = dataclasses.replace(WHO, **other)  # type: ignore[arg-type]
    fresh.sign(WHO, SERVICE, NOW)
    assert Verifier(principal_keys[1], SERVICE).verify(fresh.sign(changed, SERVICE, NOW + 1), NOW + 1) == changed


def test_a_token_given_again_ends_a_minute_after_it_was_made(fresh: Signer, principal_keys: tuple[Path, Path]) -> None:
    fresh.sign(WHO, SERVICE, NOW)
    token, verifier = fresh.sign(WHO, SERVICE, NOW + 19), Verifier(principal_keys[1], SERVICE)
    assert verifier.verify(token, NOW + 59) == WHO
    with pytest.raises(Failure, match="expired"):
        verifier.verify(token, NOW + 66)


def test_a_clock_that_was_set_back_gets_a_new_token(fresh: Signer) -> None:
    assert fresh.sign(WHO, SERVICE, NOW) != fresh.sign(WHO, SERVICE, NOW - 5)


def test_only_the_last_thousands_are_remembered(fresh: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth.Signer, "_REMEMBERED", 2)
    first = fresh.sign(WHO, SERVICE, NOW)
    for number in range(2):
        fresh.sign(dataclasses.replace(WHO, session_id=f"other-{number}"), SERVICE, NOW)
    assert fresh.sign(WHO, SERVICE, NOW + 1) != first


def test_a_token_is_for_who_is_asked_and_for_whom_they_ask(fresh: Signer, principal_keys: tuple[Path, Path]) -> None:
    """Whoever else gets hold of it is refused, also a service that has one for itself from the same person."""
    token = fresh.sign(WHO, "mandate", NOW)
    for service in ("mandate", "egress"):
        assert Verifier(principal_keys[1], service).verify(token, NOW) == WHO
    for service in ("basket", "scheduling-rules", "audit", "notification", "auth-gateway"):
        before = auth.REFUSED.labels("audience")._value.get()
        with pytest.raises(Failure, match="somebody else"):
            Verifier(principal_keys[1], service).verify(token, NOW)
        assert auth.REFUSED.labels("audience")._value.get() == before + 1


def test_a_token_of_the_same_moment_for_another_service_is_another(fresh: Signer) -> None:
    assert len({fresh.sign(WHO, service, NOW) for service in ("mandate", "basket", "audit")}) == 3
