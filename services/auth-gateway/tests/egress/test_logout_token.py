"""Logout tokens of a provider that lies: what is believed, and each thing that is not."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest
from joserfc.jwk import OctKey, RSAKey

from resapermis.oidc.v1 import oidc_pb2 as pb
from resapermis.oidc.v1.oidc_pb2_grpc import ProviderServiceStub, add_ProviderServiceServicer_to_server
from resapermis_auth_gateway.egress.oidc.logout_token import EVENT
from resapermis_auth_gateway.egress.provider_servicer import ProviderServicer
from resapermis_kit.clock import utc_now
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc import peers
from resapermis_testing.grpc_server import Serve
from resapermis_vault.keyset import new_keyset

from .hostile_provider import OTHER, SECRET, RelyingParty
from .responder import CUT

pytestmark = pytest.mark.req("S-02", "S-04")
GONE = object()


def _token(party: RelyingParty, changes: Mapping[str, Any], header: Mapping[str, Any] | None = None) -> str:
    """A logout token as the provider signs it, with what a test changes; GONE takes a claim away."""

    def change(claims: dict[str, Any]) -> None:
        for name in ("name", "email"):
            del claims[name]
        claims |= {"jti": "token-1", "events": {EVENT: {}}} | changes
        for name in [name for name, value in claims.items() if value is GONE]:
            del claims[name]

    party.hostile.claims = change
    party.hostile.header = {"typ": "logout+jwt"} | dict(header or {})
    return party.hostile.id_token("")


@pytest.mark.parametrize(
    ("changes", "subject", "session"),
    [
        ({}, "employee-1", "provider-session-1"),
        ({"sid": GONE}, "employee-1", ""),
        ({"sub": GONE}, "", "provider-session-1"),
        ({"aud": ["resapermis"]}, "employee-1", "provider-session-1"),
        ({"events": {EVENT: {}, "https://idp.test/more": {"a": 1}}}, "employee-1", "provider-session-1"),
        ({"events": {EVENT: {}, "revoke_offline_access": True}}, "employee-1", "provider-session-1"),  # Keycloak's
    ],
)
async def test_who_signed_out_is_known(party: RelyingParty, changes: Any, subject: str, session: str) -> None:
    found = await party.provider.signed_out(_token(party, changes))
    assert (found.subject, found.provider_session_id, found.token_id) == (subject, session, "token-1")
    assert found.counts_until == party.hostile.clock().timestamp() + 360


WRONG: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another issuer's": ({"iss": "https://evil.test"}, {}),
    "no issuer": ({"iss": GONE}, {}),
    "for another client": ({"aud": "somebody-else"}, {}),
    "for us and another": ({"aud": ["resapermis", "somebody-else"]}, {}),
    "no audience": ({"aud": GONE}, {}),
    "no time of issue": ({"iat": GONE}, {}),
    "of the future": ({"iat": 4102444800, "exp": 4102444900}, {}),
    "old": ({"iat": 1}, {}),
    "no end": ({"exp": GONE}, {}),
    "ended": ({"exp": 1}, {}),
    "an end that is no number": ({"exp": float("nan")}, {}),
    "no id": ({"jti": GONE}, {}),
    "an empty id": ({"jti": ""}, {}),
    "an id that is no text": ({"jti": 7}, {}),
    "no event": ({"events": GONE}, {}),
    "another event": ({"events": {"https://idp.test/other": {}}}, {}),
    "events as a list": ({"events": [EVENT]}, {}),
    "an event that is no object": ({"events": {EVENT: True}}, {}),
    "with a nonce": ({"nonce": "n"}, {}),
    "with an empty nonce": ({"nonce": None}, {}),
    "nobody": ({"sub": GONE, "sid": GONE}, {}),
    "an empty subject": ({"sub": ""}, {}),
    "a session of blanks": ({"sid": " ", "sub": GONE}, {}),
    "a session that is no text": ({"sid": ["provider-session-1"]}, {}),
    "of another type": ({}, {"typ": "JWT"}),
    "of no type": ({}, {"typ": None}),
    "an access token": ({}, {"typ": "at+jwt"}),
}


@pytest.mark.req("R10", "R11")
@pytest.mark.parametrize("wrong", WRONG)
async def test_what_is_not_to_be_believed_names_nobody(party: RelyingParty, wrong: str) -> None:
    changes, header = WRONG[wrong]
    with pytest.raises(Failure) as refused:
        await party.provider.signed_out(_token(party, changes, header))
    assert refused.value.code == Code.CODE_MALFORMED


@pytest.mark.req("R10")
@pytest.mark.parametrize("by", ["nobody", "another key", "our secret", "an unknown key", "changed", "no token"])
async def test_only_the_providers_signature_counts(party: RelyingParty, by: str) -> None:
    header: dict[str, Any] = {}
    if by == "another key":
        party.hostile.sign_with, header = OTHER, {"kid": "one"}
    elif by == "our secret":
        party.hostile.sign_with = OctKey.import_key(SECRET, {"kid": "one"})
        header = {"alg": "HS256", "kid": "one"}
    elif by == "an unknown key":
        party.hostile.sign_with = RSAKey.generate_key(2048, parameters={"kid": "new"}, private=True)
    token = _token(party, {}, header)
    if by == "nobody":
        unsigned = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "logout+jwt"}).encode()).rstrip(b"=")
        token = f"{unsigned.decode()}.{token.split('.')[1]}."
    elif by == "changed":
        first, claims, signature = token.split(".")
        token = f"{first}.{claims[:-2]}AA.{signature}"
    elif by == "no token":
        token = "x" * 100_000
    with pytest.raises(Failure) as refused:
        await party.provider.signed_out(token)
    assert refused.value.code == Code.CODE_MALFORMED


@pytest.mark.req("R6")
async def test_a_thousand_unknown_keys_cost_one_look(party: RelyingParty) -> None:
    """Anybody may send these, and as many as they like: whose key it is is asked before any signature."""
    claims = _token(party, {}).split(".")[1]
    for number in range(1000):
        header = json.dumps({"alg": "RS256", "typ": "logout+jwt", "kid": f"k-{number}"}).encode()
        forged = f"{base64.urlsafe_b64encode(header).rstrip(b'=').decode()}.{claims}.AAAA"
        with pytest.raises(Failure) as refused:
            await party.provider.signed_out(forged)
        assert refused.value.code == Code.CODE_MALFORMED
    assert party.hostile.calls("certs") == 2


async def test_without_the_providers_keys_nobody_is_believed_and_it_may_come_again(party: RelyingParty) -> None:
    replies = party.hostile.responder.replies
    good, replies["GET /certs"] = replies["GET /certs"], CUT
    token = _token(party, {})
    with pytest.raises(Failure) as refused:
        await party.provider.signed_out(token)
    assert refused.value.code == Code.CODE_RDVPERMIS_DOWN
    replies["GET /certs"] = good
    assert (await party.provider.signed_out(token)).subject == "employee-1"


async def test_egress_answers_auth_gateway(party: RelyingParty, world: Any, serve: Serve) -> None:
    name = "resapermis.oidc.v1.ProviderService"
    servicer = ProviderServicer(party.provider, new_keyset(), world.engine, world.rdvpermis, utc_now)
    running = await serve("egress", (add_ProviderServiceServicer_to_server, servicer, name))
    stub = ProviderServiceStub(running.shared_channel("egress", "auth-gateway"))
    asked = pb.CheckLogoutTokenRequest(logout_token=_token(party, {}))
    answer = await peers.ask(stub.CheckLogoutToken, asked, principal="")
    assert (answer.subject, answer.provider_session_id, answer.token_id) == (
        "employee-1",
        "provider-session-1",
        "token-1",
    )
    assert answer.counts_until.seconds == int(party.hostile.clock().timestamp()) + 360
    with pytest.raises(Failure) as refused:
        await peers.ask(stub.CheckLogoutToken, pb.CheckLogoutTokenRequest(), principal="")
    assert refused.value.code == Code.CODE_MALFORMED
