"""Signing in at a provider that lies, drips, swells and rotates: who is believed, and everything that is not."""

import asyncio
import base64
import gzip
import json
import math
import re
from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from resapermis.oidc.v1 import oidc_pb2 as pb
from resapermis.oidc.v1.oidc_pb2_grpc import ProviderServiceStub, add_ProviderServiceServicer_to_server
from resapermis_auth_gateway.egress.claim_names import ClaimNames
from resapermis_auth_gateway.egress.oidc.client_auth import Credentials
from resapermis_auth_gateway.egress.oidc.provider import LARGEST_ANSWER
from resapermis_auth_gateway.egress.provider_servicer import ProviderServicer
from resapermis_kit.clock import utc_now
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc import peers
from resapermis_vault.keyset import new_keyset
from resapermis_vault.person_key import row_of
from resapermis_vault.secret import open_secret

from .conftest import MakeParty
from .hostile_provider import (
    CLIENT_ID,
    HOME,
    NONCE,
    OTHER,
    REDIRECT,
    SECRET,
    STATE,
    VERIFIER,
    HostileProvider,
    RelyingParty,
)
from .responder import CUT, Raw, Responder

pytestmark = pytest.mark.req("S-01")


async def refused(party: RelyingParty, code: Code.ValueType = Code.CODE_SIGN_IN_FAILED, **more: Any) -> Failure:
    with pytest.raises(Failure) as caught:
        await party.sign_in(**more)
    assert caught.value.name == Code.Name(code).removeprefix("CODE_")
    return caught.value


@pytest.mark.req("R1")
async def test_who_comes_back_with_a_code_is_known_with_their_tokens(party: RelyingParty) -> None:
    signed_in = await party.sign_in()
    person, pair = signed_in.person, signed_in.pair
    assert (person.subject, person.display_name, person.email) == (
        "employee-1",
        "Camille Martin",
        "camille@ecole.test",
    )
    assert (person.provider_session_id, person.locale) == ("provider-session-1", "fr")
    assert (pair.access, pair.refresh) == ("access-1", "refresh-1")
    now = party.hostile.clock()
    ends = pair.access_expires_at, pair.refresh_expires_at
    assert [int((end - now).total_seconds()) for end in ends if end] == [300, 1800]
    assert "access-1" not in repr(signed_in)
    assert "Camille" not in repr(signed_in)


async def test_the_way_out_says_all_that_binds_the_answer_to_this_browser(party: RelyingParty) -> None:
    url = urlsplit(await party.begin())
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert url.path == "/auth"
    assert len(query.pop("code_challenge")) == 43
    assert query == {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT,
        "scope": "openid rdvpermis",
        "state": STATE,
        "nonce": NONCE,
        "code_challenge_method": "S256",
    }


@pytest.mark.req("R16")
async def test_who_has_not_the_verifier_redeems_nothing(party: RelyingParty) -> None:
    code = party.hostile.sign_in(await party.begin())
    with pytest.raises(Failure, match="refused the code"):
        await party.provider.redeem(code, party.hostile.issuer, NONCE, "of another browser" + "v" * 40)


def _claim(name: str, value: Any) -> Any:
    return lambda claims: claims.__setitem__(name, value)


def _without(name: str) -> Any:
    return lambda claims: claims.pop(name)


def _ahead(name: str, seconds: int) -> Any:
    return lambda claims: claims.__setitem__(name, claims["iat"] + seconds)


BAD_CLAIMS = {
    "invalid-iss": _claim("iss", "https://idp.test/realms/other"),
    "iss off by a slash": lambda claims: claims.__setitem__("iss", claims["iss"] + "/"),
    "missing-sub": _without("sub"),
    "empty sub": _claim("sub", ""),
    "sub of another type": _claim("sub", 7),
    "invalid-aud": _claim("aud", "somebody-else"),
    "missing-aud": _without("aud"),
    "invalid-secondary-aud": _claim("aud", ["resapermis", "somebody-else"]),
    "invalid-azp": _claim("azp", "somebody-else"),
    "missing-iat": _without("iat"),
    "iat +61 s": _ahead("iat", 61),
    "iat eleven minutes old": _ahead("iat", -661),
    "expired": _ahead("exp", -61),
    "missing exp": _without("exp"),
    "exp not a number": _claim("exp", math.nan),
    "exp beyond any calendar": _claim("exp", 1e300),
    "exp no number": _claim("exp", "never"),
    "not yet": _ahead("nbf", 3600),
    "nonce-invalid": _claim("nonce", "another"),
    "missing nonce": _without("nonce"),
    "access token of another": _claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"),
}


@pytest.mark.req("R2", "R7", "R13")
@pytest.mark.parametrize("bad", BAD_CLAIMS)
async def test_an_id_token_that_says_the_wrong_thing_is_refused(party: RelyingParty, bad: str) -> None:
    party.hostile.claims = lambda claims: [claims.pop("name"), BAD_CLAIMS[bad](claims)]
    party.hostile.userinfo = {"sub": "employee-1", "name": "Camille Martin"}
    await refused(party)
    assert party.hostile.calls("userinfo") == 0, "a name is missing, and nobody is asked for it"


@pytest.mark.req("R20")
@pytest.mark.parametrize("seconds", [60, -600])
async def test_clocks_may_differ_by_a_minute(party: RelyingParty, seconds: int) -> None:
    party.hostile.claims = _ahead("iat", seconds)
    await party.sign_in()


@pytest.mark.req("R13")
async def test_an_audience_of_one_may_be_an_array_and_the_token_type_any_case(party: RelyingParty) -> None:
    party.hostile.claims = _claim("aud", ["resapermis"])
    party.hostile.answer = {"token_type": "bEARER"}
    await party.sign_in()


def _unsigned(token: str) -> str:
    payload = token.split(".")[1]
    return f"{base64.urlsafe_b64encode(json.dumps({'alg': 'none'}).encode()).rstrip(b'=').decode()}.{payload}."


def _as_secret(public: bytes) -> OctKey:
    return OctKey.import_key(base64.urlsafe_b64encode(public).decode(), {"kid": "one"})


FORGED: dict[str, Callable[[HostileProvider], dict[str, Any]]] = {
    "unsigned": lambda _: {"tamper": _unsigned},
    "garbage": lambda _: {"tamper": lambda _: "a.b.c"},
    "with our secret": lambda _: {"header": {"alg": "HS256", "kid": "one"}, "sign_with": _as_secret(SECRET.encode())},
    "with the public key as secret": lambda hostile: {
        "header": {"alg": "HS256", "kid": "one"},
        "sign_with": _as_secret(hostile.keys[0].as_pem(private=False)),
    },
    "by another key": lambda _: {"header": {"kid": "one"}, "sign_with": OTHER},
    "by a key that it brings along": lambda _: {
        "header": {"kid": "one", "jwk": OTHER.as_dict(private=False)},
        "sign_with": OTHER,
    },
    "by a key of which it brings the address along": lambda hostile: {
        "header": {"kid": "one", "jku": f"{hostile.responder.url}/evil", "x5u": f"{hostile.responder.url}/evil"},
        "sign_with": OTHER,
    },
    "by another key, on a curve": lambda _: {
        "header": {"alg": "ES256"},
        "keys": [ECKey.generate_key("P-256", {"kid": "ec"})],
        "sign_with": ECKey.generate_key("P-256", {"kid": "ec"}),
    },
    "without kid, of two keys": lambda hostile: {"header": {"kid": None}, "keys": [*hostile.keys, OTHER]},
}


@pytest.mark.req("R2", "R4", "R7", "R20")
@pytest.mark.parametrize("forged", FORGED)
async def test_an_id_token_that_nobody_vouches_for_is_refused(party: RelyingParty, forged: str) -> None:
    for name, value in FORGED[forged](party.hostile).items():
        setattr(party.hostile, name, value)
    await refused(party)
    assert party.hostile.calls("evil") == 0


@pytest.mark.req("R1")
async def test_without_kid_one_key_is_the_key(party: RelyingParty) -> None:
    party.hostile.header = {"kid": None}
    await party.sign_in()


@pytest.mark.req("R6", "R7")
async def test_a_key_rotated_right_after_the_last_fetch_is_found_and_odd_ones_are_ignored(party: RelyingParty) -> None:
    await party.sign_in()
    for number in range(3):
        party.hostile.clock.pass_(seconds=1)
        party.hostile.keys.insert(0, ECKey.generate_key("P-256", {"kid": f"new-{number}"}))
        party.hostile.header = {"alg": "ES256"}
        party.hostile.published = [
            {"kty": "RSA", "kid": "broken", "n": "??"},
            {"kty": "quantum"},
            *(key.as_dict(private=False) for key in party.hostile.keys),
        ]
        await party.sign_in()
    assert party.hostile.calls("certs") == 4


@pytest.mark.req("R6")
async def test_unknown_keys_do_not_make_us_ask_again_and_again(party: RelyingParty) -> None:
    party.hostile.sign_with = OTHER
    party.hostile.header = {"kid": "never published"}
    for _ in range(20):
        await refused(party)
    assert party.hostile.calls("certs") == 2
    party.hostile.clock.pass_(seconds=31)
    await refused(party)
    assert party.hostile.calls("certs") == 3


@pytest.mark.req("R13", "R14")
@pytest.mark.parametrize(
    "change",
    [
        lambda iss: iss + "/",
        lambda iss: iss.replace("/realm", "/%72ealm"),
        lambda iss: iss.replace("127.0.0.1", "127.0.0.1."),
        str.upper,
        lambda _: "https://evil.test",
        lambda _: "",
    ],
)
async def test_an_answer_of_another_issuer_costs_no_token_request(
    party: RelyingParty, change: Callable[[str], str]
) -> None:
    await refused(party, iss=change(party.hostile.issuer))
    assert party.hostile.calls("token") == 0


async def test_iss_may_be_absent_where_the_provider_never_promised_it(party: RelyingParty) -> None:
    party.hostile.discovery = {"authorization_response_iss_parameter_supported": False}
    await party.sign_in(iss="")


async def test_an_issuer_keeps_the_slash_at_its_end(make_party: MakeParty, responder: Responder) -> None:
    party = make_party(issuer=f"{responder.url}/realm/")
    party.hostile.discovery = {"issuer": f"{responder.url}/realm/"}
    party.hostile.claims = _claim("iss", f"{responder.url}/realm/")
    assert (await party.sign_in(iss=f"{responder.url}/realm/")).person.subject == "employee-1"


@pytest.mark.req("R5")
@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://evil.test"},
        {"token_endpoint": "http://idp.test/token"},
        {"jwks_uri": "ftp://idp.test/certs"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": None},
        {"token_endpoint_auth_methods_supported": ["tls_client_auth"]},
    ],
)
async def test_a_document_that_does_not_fit_is_no_provider(party: RelyingParty, discovery: dict[str, Any]) -> None:
    party.hostile.discovery = discovery
    await refused(party, Code.CODE_RDVPERMIS_DOWN)


HEAD = b"HTTP/1.1 200 x\r\nconnection: close\r\n"
TOO_MUCH = b'{"keys": "' + b"x" * LARGEST_ANSWER + b'"}'
BROKEN = {
    "cut": CUT,
    "html": (200, b"<html>"),
    "deep": (200, b"[" * 100_000),
    "a list": (200, b"[]"),
    "error": (500, b"{}"),
    "redirect": (302, b"{}"),
    "large": (200, TOO_MUCH),
    "large once it is unpacked": Raw(HEAD + b"content-encoding: gzip\r\n\r\n" + gzip.compress(TOO_MUCH)),
}


@pytest.mark.req("R20")
@pytest.mark.parametrize("path", ["GET /realm/.well-known/openid-configuration", "GET /certs", "POST /token"])
@pytest.mark.parametrize("broken", BROKEN)
async def test_an_answer_that_is_none_signs_nobody_in(
    party: RelyingParty, responder: Responder, path: str, broken: str
) -> None:
    responder.replies[path] = BROKEN[broken]
    code = Code.CODE_RDVPERMIS_DOWN
    if path == "POST /token" and broken in {"html", "deep", "a list", "redirect"}:
        code = Code.CODE_SIGN_IN_FAILED
    await refused(party, code)


def dripping() -> Raw:
    """Bytes for ever, each well before any limit between two of them."""

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 x\r\ncontent-length: 100000\r\n\r\n")
        for _ in range(1000):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    return Raw(b"", drip)


@pytest.mark.req("R20")
@pytest.mark.parametrize("path", ["GET /realm/.well-known/openid-configuration", "GET /certs", "POST /token"])
async def test_an_answer_that_drips_is_given_up(make_party: MakeParty, responder: Responder, path: str) -> None:
    party = make_party(call_seconds=0.3)
    responder.replies[path] = dripping()
    async with asyncio.timeout(5):  # 20 s of dripping; each byte comes in time
        await refused(party, Code.CODE_RDVPERMIS_DOWN)


@pytest.mark.req("R3")
async def test_userinfo_about_somebody_else_ends_the_sign_in(party: RelyingParty) -> None:
    party.hostile.claims = lambda claims: [claims.pop("name"), claims.pop("email")]
    party.hostile.userinfo = {"sub": "somebody-else", "name": "Mallory"}
    await refused(party)


@pytest.mark.req("R1")
async def test_userinfo_names_the_person_where_the_id_token_does_not(party: RelyingParty) -> None:
    party.hostile.claims = lambda claims: claims.pop("name")
    party.hostile.userinfo = {"sub": "employee-1", "given_name": "Ada", "family_name": "Diallo"}
    assert (await party.sign_in()).person.display_name == "Ada Diallo"


def _signed_userinfo(party: RelyingParty, responder: Responder, **changed: Any) -> None:
    """The provider signs what it states there, and the ID token has no name."""
    hostile = party.hostile
    claims = {"iss": hostile.issuer, "aud": CLIENT_ID, "sub": "employee-1", "name": "Ada Diallo"} | changed
    token = hostile.signed({name: value for name, value in claims.items() if value is not None})
    jwt = {"content-type": "application/jwt; charset=utf-8"}
    responder.replies["GET /userinfo"] = (200, token.encode(), jwt)
    hostile.claims = lambda claims: claims.pop("name")


async def test_userinfo_may_be_signed(party: RelyingParty, responder: Responder) -> None:
    _signed_userinfo(party, responder)
    assert (await party.sign_in()).person.display_name == "Ada Diallo"


@pytest.mark.req("R3")
@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://evil.test"},
        {"iss": None},
        {"aud": "somebody-else"},
        {"aud": [CLIENT_ID, "somebody-else"]},
        {"aud": None},
        {"sub": "employee-2"},
        {"sub": None},
    ],
)
async def test_signed_userinfo_of_or_for_somebody_else_is_refused(
    party: RelyingParty, responder: Responder, changed: dict[str, Any]
) -> None:
    _signed_userinfo(party, responder, **changed)
    await refused(party)


@pytest.mark.parametrize("forged", ["by another key", "unsigned", "garbage"])
async def test_userinfo_that_nobody_vouches_for_is_refused(
    party: RelyingParty, responder: Responder, forged: str
) -> None:
    for name, value in FORGED[forged](party.hostile).items():
        setattr(party.hostile, name, value)
    _signed_userinfo(party, responder)
    party.hostile.sign_with, party.hostile.tamper = None, lambda token: token
    await refused(party)


@pytest.mark.parametrize("userinfo", [True, False])
async def test_without_a_name_anywhere_the_sign_in_is_incomplete_and_says_so(
    party: RelyingParty,
    userinfo: bool,  # noqa: FBT001 - a case
) -> None:
    party.hostile.claims = lambda claims: claims.pop("name")
    party.hostile.userinfo = {"sub": "employee-1"}
    party.hostile.discovery = {} if userinfo else {"userinfo_endpoint": ""}
    failure = await refused(party, Code.CODE_SIGN_IN_INCOMPLETE)
    assert [field for field, _ in failure.violations] == ["name"]


async def test_where_a_provider_names_its_claims_otherwise_settings_say_so(make_party: MakeParty) -> None:
    mapped = (
        "display_name=given_name usual_name, email=mail,locale=https://idp.test/lang,provider_session_id=session_state"
    )
    party = make_party(claims=ClaimNames.parse(mapped))
    stated = {"given_name": "Ada", "usual_name": "Diallo", "mail": "ada@ecole.test", "https://idp.test/lang": "en-GB"}
    party.hostile.claims = lambda claims: claims.update(stated | {"session_state": "theirs"})
    person = (await party.sign_in()).person
    assert (person.display_name, person.email, person.locale) == ("Ada Diallo", "ada@ecole.test", "en")
    assert (person.subject, person.provider_session_id) == ("employee-1", "theirs")
    party.hostile.claims = lambda _: None  # with the standard's claims, which count no longer
    party.hostile.userinfo = {"sub": "employee-1"}
    failure = await refused(party, Code.CODE_SIGN_IN_INCOMPLETE)
    assert [field for field, _ in failure.violations] == ["name"]
    party.hostile.userinfo = {"sub": "employee-1", **stated}
    assert (await party.sign_in()).person.display_name == "Ada Diallo"


@pytest.mark.parametrize(("scopes", "asked"), [("openid profile email", 1), ("openid profile", 0)])
async def test_an_address_that_was_asked_for_is_looked_for_in_userinfo(
    make_party: MakeParty, scopes: str, asked: int
) -> None:
    party = make_party(scopes=scopes)
    party.hostile.claims = lambda claims: claims.pop("email")
    party.hostile.userinfo = {"sub": "employee-1", "name": "not this one", "email": "camille@ecole.test"}
    person = (await party.sign_in()).person
    assert (person.display_name, person.email) == ("Camille Martin", "camille@ecole.test" if asked else "")
    assert party.hostile.calls("userinfo") == asked


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("subject=uid", "the subject is `sub`"),
        ("name=full_name", "not one of display_name=<claim>, email=<claim>"),
        ("display_name", "not one of"),
        ("email=", "one claim is needed"),
        ("email=mail address", "one claim is needed"),
        ("email=mail,email=address", "mapped twice"),
        ("locale=langué", "not the name of a claim"),
        ("display_name=" + "x" * 201, "not the name of a claim"),
    ],
)
def test_a_mapping_that_does_not_fit_says_why(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        ClaimNames.parse(text)


def test_without_a_mapping_the_standard_counts() -> None:
    assert ClaimNames.parse(" ") == ClaimNames.parse("email=email,") == ClaimNames()


EC = ECKey.generate_key("P-256", {"kid": "ours"})
RSA = RSAKey.generate_key(2048, {"kid": "ours"})
BOTH = Credentials(CLIENT_ID, SECRET, EC)
WAYS: dict[str, tuple[Credentials, tuple[str, ...], str]] = {
    "basic alone": (Credentials(CLIENT_ID, SECRET), ("client_secret_basic",), "client_secret_basic"),
    "post alone": (Credentials(CLIENT_ID, SECRET), ("client_secret_post",), "client_secret_post"),
    "either": (Credentials(CLIENT_ID, SECRET), ("client_secret_post", "client_secret_basic"), "client_secret_basic"),
    "a key": (Credentials(CLIENT_ID, "", EC), ("private_key_jwt",), "private_key_jwt"),
    "an RSA key": (Credentials(CLIENT_ID, "", RSA), ("private_key_jwt",), "private_key_jwt"),
    "the strongest": (BOTH, ("client_secret_post", "private_key_jwt"), "private_key_jwt"),
    "a key that is not wanted": (BOTH, ("client_secret_post",), "client_secret_post"),
    "by settings": (
        Credentials(CLIENT_ID, SECRET, EC, "client_secret_post"),
        ("client_secret_post", "private_key_jwt"),
        "client_secret_post",
    ),
}


@pytest.mark.req("R1", "R18")
@pytest.mark.parametrize("way", WAYS)
async def test_we_prove_who_we_are_as_the_provider_wants_it(make_party: MakeParty, way: str) -> None:
    credentials, accepts, used = WAYS[way]
    party = make_party(credentials=credentials)
    party.hostile.accepts = accepts
    party.hostile.client_key = credentials.key.as_dict(private=False) if credentials.key else None
    await party.sign_in()
    await party.provider.revoke("refresh-1")
    assert party.hostile.used == [used, used]


async def test_a_provider_that_lists_no_way_wants_basic(party: RelyingParty) -> None:
    party.hostile.discovery = {"token_endpoint_auth_methods_supported": ["client_secret_basic"]}
    document = party.hostile.document
    party.hostile.document = lambda: {k: v for k, v in document().items() if not k.startswith("token_endpoint_auth")}
    await party.sign_in()
    assert party.hostile.used == ["client_secret_basic"]


@pytest.mark.req("R15")
async def test_a_request_is_pushed_where_that_is_offered(party: RelyingParty, responder: Responder) -> None:
    party.hostile.discovery = {"pushed_authorization_request_endpoint": f"{responder.url}/par"}
    query = parse_qs(urlsplit(await party.begin()).query)
    assert sorted(query) == ["client_id", "request_uri"]
    (pushed,) = party.hostile.pushed.values()
    assert (pushed["state"], pushed["nonce"], pushed["code_challenge_method"]) == (STATE, NONCE, "S256")
    assert (await party.sign_in()).person.subject == "employee-1"


@pytest.mark.req("R15")
@pytest.mark.parametrize("answer", [(503, None), (400, {"error": "invalid_request"}), (201, b"{}"), CUT])
async def test_a_push_that_fails_is_no_reason_to_do_without(
    party: RelyingParty, responder: Responder, answer: Any
) -> None:
    party.hostile.discovery = {"pushed_authorization_request_endpoint": f"{responder.url}/par"}
    responder.replies["POST /par"] = answer
    with pytest.raises(Failure) as caught:
        await party.begin()
    assert caught.value.code == Code.CODE_RDVPERMIS_DOWN


async def test_prompt_and_max_age_are_asked_and_auth_time_is_looked_at(make_party: MakeParty) -> None:
    party = make_party(prompt="consent", max_age_seconds=300)
    query = parse_qs(urlsplit(await party.begin()).query)
    assert (query["prompt"], query["max_age"]) == (["consent"], ["300"])
    for seconds, good in ((0, True), (-360, True), (-361, False), (61, False)):
        party.hostile.claims = _ahead("auth_time", seconds)
        await (party.sign_in() if good else refused(party))
    party.hostile.claims = lambda _: None
    failure = await refused(party, Code.CODE_SIGN_IN_INCOMPLETE)
    assert [field for field, _ in failure.violations] == ["auth_time"]


@pytest.mark.parametrize(
    ("always", "asked", "sent"),
    [(0, 300, "300"), (120, 300, "120"), (900, 300, "300")],
)
async def test_one_sign_in_may_want_a_proof_more_recent_than_others(
    make_party: MakeParty, always: int, asked: int, sent: str
) -> None:
    party = make_party(prompt="consent", max_age_seconds=always)
    query = parse_qs(urlsplit(await party.begin(asked)).query)
    assert (query["prompt"], query["max_age"]) == (["login consent"], [sent])
    for seconds, good in ((0, True), (-int(sent) - 60, True), (-int(sent) - 61, False)):
        party.hostile.claims = _ahead("auth_time", seconds)
        await (party.sign_in(max_age_seconds=asked) if good else refused(party, max_age_seconds=asked))
    party.hostile.claims = lambda _: None
    await refused(party, Code.CODE_SIGN_IN_INCOMPLETE, max_age_seconds=asked)


async def test_when_a_person_proved_who_they_are_is_told_where_the_provider_states_it(party: RelyingParty) -> None:
    assert (await party.sign_in()).authenticated_at is None
    now = party.hostile.clock()
    for seconds, told in ((-3600, now - timedelta(hours=1)), (60, now)):
        party.hostile.claims = _ahead("auth_time", seconds)
        assert (await party.sign_in()).authenticated_at == told


BAD_PROOFS = [_ahead("auth_time", 61), *(_claim("auth_time", bad) for bad in ("now", True, math.nan, -1e300))]


@pytest.mark.parametrize("bad", BAD_PROOFS)
async def test_a_time_of_proof_that_cannot_be_is_refused_even_where_none_was_asked_for(
    party: RelyingParty, bad: Any
) -> None:
    party.hostile.claims = bad
    await refused(party)


@pytest.mark.req("R12")
async def test_signing_out_there_names_the_session_and_no_person(party: RelyingParty) -> None:
    url = urlsplit(await party.provider.sign_out_url("provider-session-1"))
    assert parse_qs(url.query) == {
        "client_id": [CLIENT_ID],
        "post_logout_redirect_uri": [HOME],
        "logout_hint": ["provider-session-1"],
    }
    bare = await party.provider.sign_out_url("")
    assert "logout_hint" not in bare


async def test_without_a_page_for_it_nobody_is_sent_to_sign_out(party: RelyingParty) -> None:
    party.hostile.discovery = {"end_session_endpoint": ""}
    assert await party.provider.sign_out_url("x") == ""


async def test_an_old_document_serves_while_the_provider_is_away(party: RelyingParty, responder: Responder) -> None:
    await party.begin()
    responder.replies["GET /realm/.well-known/openid-configuration"] = (503, None)
    party.hostile.clock.pass_(hours=2)
    for _ in range(3):
        await party.begin()
    assert party.hostile.calls("openid-configuration") == 2, "once more, then it is left alone for a minute"


@pytest.mark.req("R5")
async def test_a_document_of_another_issuer_is_no_newer_one(party: RelyingParty, responder: Responder) -> None:
    await party.begin()
    party.hostile.discovery = {"issuer": "https://evil.test", "token_endpoint": f"{responder.url}/evil"}
    party.hostile.clock.pass_(hours=2)
    assert (await party.sign_in()).person.subject == "employee-1"
    assert (party.hostile.calls("openid-configuration"), party.hostile.calls("evil")) == (2, 0)


@pytest.mark.req("S-01", "S-02", "R18")
async def test_the_web_face_gets_who_it_is_and_tokens_that_it_cannot_open(
    party: RelyingParty, world: Any, serve: Any
) -> None:
    vault = new_keyset()
    running = await serve(
        "egress",
        (
            add_ProviderServiceServicer_to_server,
            ProviderServicer(party.provider, vault, world.engine, world.rdvpermis, utc_now),
            "resapermis.oidc.v1.ProviderService",
        ),
    )
    stub = ProviderServiceStub(running.shared_channel("egress", "auth-gateway"))
    begin = pb.BeginSignInRequest(state=STATE, nonce=NONCE, code_verifier=VERIFIER)
    begun = await peers.call(stub.BeginSignIn, begin, principal="")
    code = party.hostile.sign_in(begun.authorization_url)
    redeem = pb.RedeemCodeRequest(code=code, iss=party.hostile.issuer, nonce=NONCE, code_verifier=VERIFIER)
    answer = await peers.call(stub.RedeemCode, redeem, principal="")
    assert answer.person.display_name == "Camille Martin"
    wire = answer.SerializeToString()
    assert b"access-1" not in wire
    assert b"refresh-1" not in wire
    row = row_of("token", "refresh", answer.tokens.token_id)
    assert open_secret(vault, answer.tokens.refresh, row=row).reveal() == "refresh-1"
    assert not answer.HasField("authenticated_at")
    party.hostile.claims = _ahead("auth_time", -30)
    begin.max_age_seconds = redeem.max_age_seconds = 300
    begun = await peers.call(stub.BeginSignIn, begin, principal="")
    assert parse_qs(urlsplit(begun.authorization_url).query)["max_age"] == ["300"]
    redeem.code = party.hostile.sign_in(begun.authorization_url)
    answer = await peers.call(stub.RedeemCode, redeem, principal="")
    assert answer.authenticated_at.ToDatetime(UTC) == party.hostile.clock() - timedelta(seconds=30)
    for method, question in ((stub.BeginSignIn, begin), (stub.RedeemCode, redeem)):
        question.max_age_seconds = -1
        with pytest.raises(Failure) as caught:
            await peers.call(method, question, principal="")
        assert caught.value.code == Code.CODE_MALFORMED
        question.max_age_seconds = 0
    for field in ("state", "nonce", "code_verifier"):
        lacking = pb.BeginSignInRequest()
        lacking.CopyFrom(begin)
        lacking.ClearField(field)
        with pytest.raises(Failure) as caught:
            await peers.call(stub.BeginSignIn, lacking, principal="")
        assert caught.value.code == Code.CODE_MALFORMED
    for caller, principal, code_ in (
        ("basket", "", Code.CODE_UNAUTHENTICATED),
        ("auth-gateway", running.principal(roles=("school_admin",)), Code.CODE_FORBIDDEN),
    ):
        other = ProviderServiceStub(running.shared_channel("egress", caller))
        with pytest.raises(Failure) as caught:
            await peers.call(other.RedeemCode, redeem, principal=principal)
        assert caught.value.code == code_
    assert party.hostile.calls("token") == 2
