"""Signing in: who is let in, and everything that is not."""

import base64
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from joserfc import jwk

from resapermis.audit.v1.events_pb2 import OUTCOME_DONE, OUTCOME_REFUSED, Record
from resapermis.iam.v1.events_pb2 import SessionStarted
from resapermis_auth_gateway import tables, tokens
from resapermis_auth_gateway.web.sign_in import queries
from resapermis_auth_gateway.web.sign_in.return_to import safe_return_to
from resapermis_kit.errors import Code, Failure

pytestmark = pytest.mark.req("S-01")
RECORD, STARTED = Record.DESCRIPTOR.full_name, SessionStarted.DESCRIPTOR.full_name
RSA = jwk.RSAKey.generate_key(2048, parameters={"kid": "other"}, private=True)


@pytest.mark.req("S-01", "S-02", "S-14")
async def test_a_person_who_comes_back_from_rdvpermis_has_a_session(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        answer = await with_egress.sign_in(browser, to="/creneaux?department=94")
        assert (answer.status_code, answer.headers["location"]) == (302, "/creneaux?department=94")
        session = (await browser.get("/auth/session")).json()
    assert session["user"]["displayName"] == "Camille Martin"
    assert session["school"] == {"id": "school-1", "name": "École du Test", "department": "94"}
    assert session["roles"] == ["school_admin"]
    published = await with_egress.published()
    assert [kind for kind, _ in published] == [STARTED, RECORD]
    record = Record.FromString(published[1][1])
    assert (record.action, record.outcome, record.school_id) == ("session.start", OUTCOME_DONE, "school-1")
    assert record.actor.place == "127.0.0.0/24"


async def test_the_way_out_says_all_that_binds_the_answer_to_this_browser(world: Any) -> None:
    async with world.browser() as browser:
        answer = await browser.get("/auth/login")
    query = {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}
    assert answer.status_code == 302
    assert query["response_type"] == "code"
    assert query["code_challenge_method"] == "S256"
    assert len(query["code_challenge"]) == 43
    assert query["nonce"] != query["state"]
    assert query["redirect_uri"] == f"{world.public}/auth/callback"
    assert query["scope"] == "openid rdvpermis livret_numerique:read livret_numerique:write"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-resapermis-sign-in=")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax", "Max-Age=600"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


@pytest.mark.req("S-02")
async def test_the_database_holds_no_secret_in_clear(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        await with_egress.sign_in(browser)
        cookie = browser.cookies[with_egress.cookie]
    async with with_egress.dependencies.sessions.engine.connect() as connection:
        rows = [
            row
            for table in (tables.accounts, tables.sessions, tables.tokens)
            for row in await connection.execute(sa.select(table))
        ]
    text = repr(rows)
    for secret in (cookie, "access-", "refresh-", "Camille", "camille@"):
        assert secret not in text


async def test_the_first_of_a_school_administers_it_and_later_ones_manage(with_egress: Any) -> None:
    roles = []
    for subject in ("first", "second", "first"):
        async with with_egress.browser() as browser:
            await with_egress.sign_in(browser, subject)
            roles.append((await browser.get("/auth/session")).json()["roles"])
    assert roles == [["school_admin"], ["school_manager"], ["school_admin"]]
    assert await with_egress.count(tables.accounts) == 2


def _claim(name: str, value: Any) -> Any:
    return lambda claims: claims.__setitem__(name, value)


def _without(name: str) -> Any:
    return lambda claims: claims.pop(name)


def _ahead(name: str, seconds: int) -> Any:
    return lambda claims: claims.__setitem__(name, claims["iat"] + seconds)


BAD_CLAIMS = {
    "invalid-iss": _claim("iss", "https://idp.test/realms/other"),
    "iss off by a slash": _claim("iss", "https://idp.test/realms/formation/"),
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
    "exp no number": _claim("exp", "never"),
    "not yet": _ahead("nbf", 3600),
    "nonce-invalid": _claim("nonce", "another"),
    "missing nonce": _without("nonce"),
    "access token of another": _claim("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"),
}


async def _refused(world: Any, egress: Any) -> None:
    async with world.browser() as browser:
        answer = await world.sign_in(browser)
        assert (await browser.get("/auth/session")).status_code == 401
    assert answer.status_code == 401
    assert answer.json()["code"] == "SIGN_IN_FAILED"
    assert "set-cookie" not in answer.headers
    assert await world.count(tables.sessions) == 0
    assert egress.calls == 0
    assert "userinfo" not in world.provider.calls
    published = await world.published()
    assert [Record.FromString(payload).outcome for _, payload in published] == [OUTCOME_REFUSED]


@pytest.mark.parametrize("bad", BAD_CLAIMS)
async def test_an_id_token_that_says_the_wrong_thing_opens_nothing(with_egress: Any, egress: Any, bad: str) -> None:
    with_egress.provider.claims = BAD_CLAIMS[bad]
    await _refused(with_egress, egress)


@pytest.mark.parametrize("seconds", [60, -600])
async def test_clocks_may_differ_by_a_minute(with_egress: Any, seconds: int) -> None:
    with_egress.provider.claims = _ahead("iat", seconds)
    async with with_egress.browser() as browser:
        assert (await with_egress.sign_in(browser)).status_code == 302


async def test_an_audience_of_one_may_be_an_array_and_the_token_type_any_case(with_egress: Any) -> None:
    with_egress.provider.claims = _claim("aud", ["resapermis"])
    with_egress.provider.answer = {"token_type": "bEARER"}
    async with with_egress.browser() as browser:
        assert (await with_egress.sign_in(browser)).status_code == 302


def _unsigned(token: str) -> str:
    payload = token.split(".")[1]
    return f"{base64.urlsafe_b64encode(json.dumps({'alg': 'none'}).encode()).rstrip(b'=').decode()}.{payload}."


async def test_an_unsigned_token_opens_nothing(with_egress: Any, egress: Any) -> None:
    with_egress.provider.tamper = _unsigned
    await _refused(with_egress, egress)


async def test_a_token_signed_with_our_secret_opens_nothing(with_egress: Any, egress: Any) -> None:
    with_egress.provider.header = {"alg": "HS256", "kid": "one"}
    with_egress.provider.sign_with = jwk.OctKey.import_key("client-secret-of-tests", {"kid": "one"})
    await _refused(with_egress, egress)


async def test_a_token_signed_with_the_public_key_as_secret_opens_nothing(with_egress: Any, egress: Any) -> None:
    public = with_egress.provider.keys[0].as_pem(private=False)
    with_egress.provider.header = {"alg": "HS256", "kid": "one"}
    with_egress.provider.sign_with = jwk.OctKey.import_key(base64.urlsafe_b64encode(public).decode(), {"kid": "one"})
    await _refused(with_egress, egress)


async def test_a_wrong_signature_opens_nothing(with_egress: Any, egress: Any) -> None:
    with_egress.provider.sign_with = RSA
    with_egress.provider.header = {"kid": "one"}
    await _refused(with_egress, egress)


async def test_a_key_that_the_token_brings_along_is_not_looked_at(with_egress: Any, egress: Any) -> None:
    with_egress.provider.sign_with = RSA
    with_egress.provider.header = {"kid": "one", "jwk": RSA.as_dict(private=False)}
    await _refused(with_egress, egress)


async def test_garbage_instead_of_a_token_opens_nothing(with_egress: Any, egress: Any) -> None:
    with_egress.provider.tamper = lambda _: "a.b.c"
    await _refused(with_egress, egress)


async def test_without_kid_one_key_is_the_key(with_egress: Any) -> None:
    with_egress.provider.header = {"kid": None}
    async with with_egress.browser() as browser:
        assert (await with_egress.sign_in(browser)).status_code == 302


async def test_without_kid_two_keys_are_none(with_egress: Any, egress: Any) -> None:
    with_egress.provider.keys.append(RSA)
    with_egress.provider.header = {"kid": None}
    await _refused(with_egress, egress)


async def test_a_new_key_of_the_provider_is_fetched_once_and_odd_ones_are_ignored(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        await with_egress.sign_in(browser)
        with_egress.clock.pass_(seconds=31)
        with_egress.provider.keys.insert(0, RSA)
        with_egress.provider.published = [
            {"kty": "RSA", "kid": "broken", "n": "??"},
            {"kty": "quantum"},
            *(key.as_dict(private=False) for key in with_egress.provider.keys),
        ]
        assert (await with_egress.sign_in(browser)).status_code == 302
    assert with_egress.provider.calls.count("certs") == 2


async def test_unknown_keys_do_not_make_us_ask_again_and_again(with_egress: Any) -> None:
    with_egress.provider.sign_with = RSA
    with_egress.provider.header = {"kid": "never published"}
    async with with_egress.browser() as browser:
        for _ in range(20):
            assert (await with_egress.sign_in(browser)).status_code == 401
    assert with_egress.provider.calls.count("certs") == 1


async def test_a_code_is_redeemed_once_however_often_the_callback_comes(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        out = await browser.get("/auth/login")
        back = with_egress.provider.sign_in(out.headers["location"])
        assert (await browser.get(back)).status_code == 302
        again = await browser.get(back)
        assert (again.status_code, again.headers["location"]) == (302, "/")
        assert "set-cookie" not in again.headers
        browser.cookies.delete(with_egress.cookie)
        assert (await browser.get(back)).status_code == 401
    assert with_egress.provider.calls.count("token") == 1


async def test_a_failed_answer_uses_the_state_up(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        out = await browser.get("/auth/login")
        state = parse_qs(urlsplit(out.headers["location"]).query)["state"][0]
        refused = {"error": "access_denied", "state": state, "iss": with_egress.issuer}
        assert (await browser.get("/auth/callback", params=refused)).status_code == 401
        back = with_egress.provider.sign_in(out.headers["location"])
        assert (await browser.get(back)).status_code == 401
    assert "token" not in with_egress.provider.calls


async def test_the_callback_of_somebody_else_signs_nobody_in(with_egress: Any) -> None:
    async with with_egress.browser() as attacker:
        out = await attacker.get("/auth/login")
    back = with_egress.provider.sign_in(out.headers["location"])
    async with with_egress.browser() as victim:
        assert (await victim.get(back)).status_code == 401
        await victim.get("/auth/login")  # now with a sign-in of their own under way
        assert (await victim.get(back)).status_code == 401
    assert "token" not in with_egress.provider.calls


async def test_a_sign_in_waits_ten_minutes(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        out = await browser.get("/auth/login")
        with_egress.clock.pass_(minutes=10, seconds=1)
        answer = await browser.get(with_egress.provider.sign_in(out.headers["location"]))
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "iss", ["https://idp.test/realms/formation/", "https://IDP.test/realms/formation", "https://evil.test", None]
)
async def test_an_answer_of_another_issuer_costs_no_token_request(with_egress: Any, iss: str | None) -> None:
    with_egress.provider.callback_iss = iss
    async with with_egress.browser() as browser:
        assert (await with_egress.sign_in(browser)).status_code == 401
    assert "token" not in with_egress.provider.calls


async def test_iss_may_be_absent_where_the_provider_never_promised_it(with_egress: Any) -> None:
    with_egress.provider.discovery = {"authorization_response_iss_parameter_supported": False}
    with_egress.provider.callback_iss = None
    async with with_egress.browser() as browser:
        assert (await with_egress.sign_in(browser)).status_code == 302


@pytest.mark.parametrize(
    ("discovery", "raw", "status"),
    [
        ({"issuer": "https://evil.test"}, {}, {}),
        ({"token_endpoint": "http://idp.test/token"}, {}, {}),
        ({"authorization_endpoint": "javascript:alert(1)"}, {}, {}),
        ({}, {"openid-configuration": b"<html>"}, {}),
        ({}, {"openid-configuration": b"[" * 100_000}, {}),
        ({}, {"openid-configuration": b" " * 600_000 + b"{}"}, {}),
        ({}, {}, {"openid-configuration": 500}),
        ({}, {}, {"openid-configuration": 302}),
    ],
)
async def test_a_provider_that_cannot_be_understood_is_reported_away(
    world: Any, discovery: dict[str, Any], raw: dict[str, bytes], status: dict[str, int]
) -> None:
    world.provider.discovery, world.provider.raw, world.provider.status = discovery, raw, status
    async with world.browser() as browser:
        answer = await browser.get("/auth/login")
    assert (answer.status_code, answer.json()["code"]) == (503, "RDVPERMIS_DOWN")


@pytest.mark.parametrize(
    ("name", "raw", "status", "code"),
    [
        ("token", b"", 500, "RDVPERMIS_DOWN"),
        ("token", b"<html>", 200, "SIGN_IN_FAILED"),
        ("token", b"[]", 200, "SIGN_IN_FAILED"),
        ("token", b'{"access_token": 7}', 200, "SIGN_IN_FAILED"),
        ("certs", b"{}", 200, "RDVPERMIS_DOWN"),
        ("certs", b'{"keys": "' + b"x" * 20_000_000 + b'"}', 200, "RDVPERMIS_DOWN"),
    ],
)
async def test_a_broken_answer_half_way_opens_nothing(
    with_egress: Any, name: str, raw: bytes, status: int, code: str
) -> None:
    with_egress.provider.raw, with_egress.provider.status = {name: raw}, {name: status}
    async with with_egress.browser() as browser:
        answer = await with_egress.sign_in(browser)
    assert answer.json()["code"] == code
    assert await with_egress.count(tables.sessions) == 0


async def test_userinfo_about_somebody_else_ends_the_sign_in(with_egress: Any, egress: Any) -> None:
    with_egress.provider.claims = lambda claims: [claims.pop("name"), claims.pop("email")]
    with_egress.provider.userinfo = {"sub": "somebody-else", "name": "Mallory"}
    async with with_egress.browser() as browser:
        answer = await with_egress.sign_in(browser)
    assert answer.json()["code"] == "SIGN_IN_FAILED"
    assert egress.calls == 0


async def test_userinfo_names_the_person_where_the_id_token_does_not(with_egress: Any) -> None:
    with_egress.provider.claims = lambda claims: claims.pop("name")
    with_egress.provider.userinfo = {"sub": "employee-1", "given_name": "Ada", "family_name": "Diallo"}
    async with with_egress.browser() as browser:
        await with_egress.sign_in(browser)
        assert (await browser.get("/auth/session")).json()["user"]["displayName"] == "Ada Diallo"


@pytest.mark.req("S-02")
async def test_a_person_whose_school_is_not_known_gets_no_session_and_loses_the_tokens(
    with_egress: Any, egress: Any
) -> None:
    egress.failure = Failure(Code.CODE_RDVPERMIS_DOWN, "away")
    async with with_egress.browser() as browser:
        answer = await with_egress.sign_in(browser)
    assert (answer.status_code, answer.json()["code"]) == (503, "RDVPERMIS_DOWN")
    assert await with_egress.count(tables.sessions, queries.LIVE) == 0
    assert await with_egress.count(tables.tokens, tokens.LIVE) == 0
    for task in list(with_egress.dependencies.sessions.background):
        await task
    assert [one.split("-")[0] for one in with_egress.provider.revoked] == ["refresh"]


async def test_a_new_session_takes_a_new_cookie_and_the_old_one_is_dead(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        await with_egress.sign_in(browser)
        old = browser.cookies[with_egress.cookie]
        await with_egress.sign_in(browser)
        assert browser.cookies[with_egress.cookie] != old
    async with with_egress.browser(headers={"Cookie": f"{with_egress.cookie}={old}"}) as thief:
        assert (await thief.get("/auth/session")).status_code == 401


async def test_a_cookie_that_was_planted_before_sign_in_opens_nothing(with_egress: Any) -> None:
    planted = "A" * 43
    async with with_egress.browser() as browser:
        browser.cookies.set(with_egress.cookie, planted, domain="resapermis.test")
        await with_egress.sign_in(browser)
    async with with_egress.browser(headers={"Cookie": f"{with_egress.cookie}={planted}"}) as attacker:
        assert (await attacker.get("/auth/session")).status_code == 401


async def test_a_person_is_shown_a_page_not_json(with_egress: Any) -> None:
    async with with_egress.browser(headers={"Accept": "text/html", "Accept-Language": "en"}) as browser:
        answer = await browser.get("/auth/callback", params={"code": "x", "state": "<script>"})
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/html")
    assert "Start again" in answer.text
    assert "<script" not in answer.text


async def test_sign_ins_are_counted_for_each_address(make_world: Any) -> None:
    world = await make_world(sign_in_rate="2/minute")
    async with world.browser() as browser:
        statuses = [(await browser.get("/auth/login")).status_code for _ in range(3)]
        world.clock.at = datetime.now(UTC)  # rates are counted on the database's clock, however slow it is
        refused = await browser.get("/auth/login")
    assert statuses == [302, 302, 429]
    assert 1 <= int(refused.headers["retry-after"]) <= 61
    assert refused.json()["code"] == "OVERLOADED"


@pytest.mark.parametrize(
    "evil",
    [
        "//evil.test",
        "///evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "/%2fevil.test",
        "%2f%2fevil.test",
        "/%5cevil.test",
        "/%255cevil.test",
        "/%25252fevil.test",
        "/\tevil.test",
        "/\t/evil.test",
        "/%09/evil.test",
        "/\n/evil.test",
        "https://evil.test",
        "https:evil.test",
        "javascript:alert(1)",
        "evil.test",
        "/a//evil.test",
        "/..//evil.test",
        "/auth/logout",
        "/api/v1/candidates",
        "/\x00",
        "/é\u0085",
        "",
        "/" + "a" * 2001,
    ],
)
def test_nobody_is_sent_elsewhere(evil: str) -> None:
    assert safe_return_to(evil) == "/"


@pytest.mark.parametrize(
    "good", ["/", "/creneaux?department=94&from=2026-12-09", "/candidats/0199", "/panier?x=a%20b", "/réservations"]
)
def test_pages_of_ours_are_returned_to(good: str) -> None:
    assert safe_return_to(good) == good
