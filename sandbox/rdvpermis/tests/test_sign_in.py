import base64
import hashlib
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from rdvpermis_sandbox.identity import oidc

pytestmark = pytest.mark.req("P-06")
CONNECT = "/realms/formation/protocol/openid-connect"


async def test_code_with_pkce_gives_a_signed_identity(actor):
    verifier = "v" * 43
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    left = await actor.code("gerant.094-1", nonce="n", code_challenge=challenge, code_challenge_method="S256")
    assert left["iss"].endswith("/realms/formation")
    assert left["state"] == "s"
    answer = await actor.exchange(left["code"], code_verifier=verifier)
    keys = KeySet.import_key_set((await actor.http.get(f"{CONNECT}/certs")).json())
    claims = jwt.decode(answer.json()["id_token"], keys).claims
    assert claims["nonce"] == "n"
    assert claims["preferred_username"] == "gerant.094-1"


async def test_a_wrong_verifier_gets_nothing(actor):
    left = await actor.code("gerant.094-1", code_challenge="c" * 43, code_challenge_method="S256")
    assert (await actor.exchange(left["code"], code_verifier="wrong")).json()["error"] == "invalid_grant"


async def test_a_code_used_twice_kills_what_it_gave(actor):
    left = await actor.code("gerant.094-1")
    actor.token = (await actor.exchange(left["code"])).json()["access_token"]
    assert (await actor.exchange(left["code"])).status_code == 400
    assert (await actor.call("GET", "/moi")).status_code == 401


async def test_a_code_lives_sixty_seconds(actor):
    left = await actor.code("gerant.094-1")
    await actor.control("/clock", {"advance_seconds": 61})
    assert (await actor.exchange(left["code"])).status_code == 400


async def test_refresh_rotates_and_reuse_revokes_the_family(actor):
    first = await actor.sign_in("gerant.094-1")
    second = (await actor.refresh(first["refresh_token"])).json()
    assert (await actor.refresh(first["refresh_token"])).status_code == 400
    assert (await actor.refresh(second["refresh_token"])).status_code == 400


async def test_access_ends_after_five_minutes_and_offline_outlives_sign_out(actor):
    given = await actor.sign_in("gerant.094-1", "openid rdvpermis offline_access")
    await actor.http.get(f"{CONNECT}/logout", params={"id_token_hint": given["id_token"]})
    await actor.control("/clock", {"advance_seconds": 3600})
    assert (await actor.call("GET", "/moi")).status_code == 401
    assert (await actor.refresh(given["refresh_token"])).status_code == 200


async def test_revocation_and_sign_out_end_a_grant(actor):
    given = await actor.sign_in("gerant.094-1")
    form = {"client_id": "resapermis", "client_secret": "sandbox-secret", "token": given["refresh_token"]}
    assert (await actor.http.post(f"{CONNECT}/revoke", data=form)).status_code == 200
    assert (await actor.refresh(given["refresh_token"])).status_code == 400


@pytest.mark.parametrize("hint", [{}, {"id_token_hint": "not.a.token"}, {"id_token_hint": "no token at all"}])
async def test_one_signs_out_by_the_browsers_session_without_a_hint(actor, hint):
    given = await actor.sign_in("gerant.094-1")
    back = {"client_id": "resapermis", "post_logout_redirect_uri": "http://localhost:8080/"}
    left = await actor.http.get(f"{CONNECT}/logout", params=back | hint)
    assert (left.status_code, left.headers["location"]) == (302, "http://localhost:8080/")
    assert (await actor.refresh(given["refresh_token"])).status_code == 400


async def test_a_client_is_told_once_of_a_session_that_ended(actor, monkeypatch):
    told = []
    monkeypatch.setattr(oidc, "tell_client", lambda address, token: told.append((address, token)))
    monkeypatch.setattr(type(actor.sandbox.settings), "backchannel_logout_uri", "https://client.test/logout")
    given = await actor.sign_in("gerant.094-1")
    keys = KeySet.import_key_set((await actor.http.get(f"{CONNECT}/certs")).json())
    person = jwt.decode(given["id_token"], keys).claims
    for _ in range(2):
        await actor.http.get(f"{CONNECT}/logout", params={"client_id": "resapermis"})
    ((address, token),) = told
    signed = jwt.decode(token, keys)
    assert address == "https://client.test/logout"
    assert (signed.header["typ"], "nonce" in signed.claims) == ("logout+jwt", False)
    assert signed.claims["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}}
    assert {name: signed.claims[name] for name in ("iss", "aud", "sub", "sid")} == {
        name: person[name] for name in ("iss", "aud", "sub", "sid")
    }
    assert signed.claims["exp"] - signed.claims["iat"] == 120
    assert signed.claims["jti"]
    document = (await actor.http.get("/realms/formation/.well-known/openid-configuration")).json()
    assert (document["backchannel_logout_supported"], document["backchannel_logout_session_supported"]) == (True, True)


def test_a_client_that_is_away_keeps_nobody_signed_in(caplog):
    oidc.tell_client("http://127.0.0.1:9/logout", "token")
    assert "not delivered" in caplog.text
    assert "token " not in caplog.text.replace("logout token ", "")


async def test_prompt_none_needs_a_session_and_the_redirect_uri_is_exact(actor):
    asked = {"client_id": "resapermis", "redirect_uri": "http://localhost:8080/auth/callback", "response_type": "code"}
    asked |= {"scope": "openid", "prompt": "none"}
    assert "login_required" in (await actor.http.get(f"{CONNECT}/auth", params=asked)).headers["location"]
    wrong = asked | {"redirect_uri": "http://localhost:8080/auth/callback/"}
    assert (await actor.http.get(f"{CONNECT}/auth", params=wrong)).status_code == 400
    await actor.sign_in("gerant.094-1")
    assert "code=" in (await actor.http.get(f"{CONNECT}/auth", params=asked)).headers["location"]


async def test_who_proved_who_they_are_longer_ago_than_was_asked_proves_it_again(actor):
    asked = {"client_id": "resapermis", "redirect_uri": "http://localhost:8080/auth/callback", "response_type": "code"}
    asked |= {"scope": "openid"}
    await actor.sign_in("gerant.094-1")
    await actor.control("/clock", {"advance_seconds": 61})
    for more, status in (({}, 302), ({"max_age": "61"}, 302), ({"max_age": "60"}, 200), ({"prompt": "login"}, 200)):
        assert (await actor.http.get(f"{CONNECT}/auth", params=asked | more)).status_code == status, more
    none = await actor.http.get(f"{CONNECT}/auth", params=asked | {"max_age": "60", "prompt": "none"})
    assert "error=login_required" in none.headers["location"]
    wrong = await actor.http.get(f"{CONNECT}/auth", params=asked | {"max_age": "soon"})
    assert "error=invalid_request" in wrong.headers["location"]


async def test_a_wrong_client_secret_is_invalid_client(actor):
    answer = await actor.http.post(f"{CONNECT}/token", data={"client_id": "resapermis", "client_secret": "no"})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_what_goes_beyond_a_session_is_agreed_to_by_itself(actor):
    asked = {"client_id": "resapermis", "redirect_uri": "http://localhost:8080/auth/callback", "response_type": "code"}
    asked |= {"scope": "openid rdvpermis offline_access", "prompt": "consent"}
    given = await actor.sign_in("gerant.094-1")
    page = await actor.http.get(f"{CONNECT}/auth", params=asked)
    assert (page.status_code, "location" in page.headers) == (200, False)
    address = re.search(r'action="([^"]+)"', page.text)[1].replace("&amp;", "&")
    refused = await actor.http.post(address, data={"reponse": "refuser"})
    assert "error=access_denied" in refused.headers["location"]
    agreed = await actor.http.post(address, data={"reponse": "accepter"})
    code = parse_qs(urlsplit(agreed.headers["location"]).query)["code"][0]
    offline = (await actor.exchange(code)).json()
    assert offline["refresh_expires_in"] == 0
    await actor.http.get(f"{CONNECT}/logout", params={"client_id": "resapermis"})
    assert (await actor.refresh(given["refresh_token"])).status_code == 400
    assert (await actor.refresh(offline["refresh_token"])).status_code == 200, "it outlives the session"
    actor.http.cookies.clear()
    again = await actor.http.post(address, data={"reponse": "accepter"})
    assert "location" not in again.headers, "nobody is signed in who could agree"
