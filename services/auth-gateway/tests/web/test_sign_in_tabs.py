"""Signing in with several tabs, and with the browser's way back: who is signed in stays so and loses no page."""

from typing import Any

import pytest
import sqlalchemy as sa

from resapermis.audit.v1.events_pb2 import OUTCOME_REFUSED
from resapermis_auth_gateway import tables
from resapermis_auth_gateway.web.sign_in import queries
from resapermis_kit.database.transaction import transaction

PAGE = {"Accept": "text/html,application/xhtml+xml"}


async def _refusals(world: Any) -> list[str]:
    found = [one.action for one in await world.records() if one.outcome == OUTCOME_REFUSED]
    return [action for action in found if action != "access.denied"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_of_two_tabs_that_sign_in_both_succeed(with_egress: Any, order: tuple[int, int]) -> None:
    pages = ("/creneaux", "/panier")
    async with with_egress.browser(headers=PAGE) as browser:
        out = [(await browser.get("/auth/login", params={"returnTo": page})).headers["location"] for page in pages]
        back = [await browser.get(with_egress.provider.sign_in(out[tab])) for tab in order]
        assert [(one.status_code, one.headers.get("location")) for one in back] == [(302, pages[tab]) for tab in order]
        assert (await browser.get("/auth/session")).status_code == 200
    assert await with_egress.count(tables.sessions, queries.LIVE) == 1
    assert await _refusals(with_egress) == []


@pytest.mark.parametrize(("asked", "page"), [("/panier", "/panier"), ("https://evil.test/panier", "/")])
async def test_going_back_to_the_callback_leads_to_the_page(with_egress: Any, asked: str, page: str) -> None:
    async with with_egress.browser(headers=PAGE) as browser:
        out = await browser.get("/auth/login", params={"returnTo": asked})
        address = with_egress.provider.sign_in(out.headers["location"])
        await browser.get(address)
        cookie = browser.cookies[with_egress.cookie]
        again = await browser.get(address)
        assert (again.status_code, again.headers["location"]) == (302, page)
        assert browser.cookies[with_egress.cookie] == cookie
        assert (await browser.get("/auth/session")).status_code == 200
    assert len(with_egress.provider.redeemed) == 1, "a code is redeemed once"


async def test_going_back_in_each_tab_leads_to_its_own_page(with_egress: Any) -> None:
    pages = ("/creneaux?departement=94", "/panier")
    async with with_egress.browser(headers=PAGE) as browser:
        out = [(await browser.get("/auth/login", params={"returnTo": page})).headers["location"] for page in pages]
        back = [with_egress.provider.sign_in(one) for one in out]
        for address in back:
            await browser.get(address)
        again = [(await browser.get(address)).headers["location"] for address in back]
    assert again == list(pages)


async def test_going_back_to_the_callback_writes_no_refusal(with_egress: Any) -> None:
    async with with_egress.browser(headers=PAGE) as browser:
        out = await browser.get("/auth/login")
        address = with_egress.provider.sign_in(out.headers["location"])
        await browser.get(address)
        await browser.get(address)
    assert await _refusals(with_egress) == []


async def test_the_page_is_known_for_ten_minutes_and_then_it_is_home(with_egress: Any) -> None:
    async with with_egress.browser(headers=PAGE) as browser:
        out = await browser.get("/auth/login", params={"returnTo": "/panier"})
        address = with_egress.provider.sign_in(out.headers["location"])
        await browser.get(address)
        del browser.cookies["__Host-resapermis-sign-in"]  # its ten minutes are over
        with_egress.clock.pass_(minutes=10)
        assert (await browser.get(address)).headers["location"] == "/panier"
        with_egress.clock.pass_(seconds=1)
        for _ in ("nobody swept it", "swept"):
            again = await browser.get(address)
            assert (again.status_code, again.headers["location"]) == (302, "/")
            await with_egress.dependencies.attempts.forget_old()
    assert await with_egress.count(tables.attempts) == 0
    assert await _refusals(with_egress) == []


@pytest.mark.req("D-03")
async def test_where_a_sign_in_leads_is_read_by_nobody_who_has_the_database(with_egress: Any) -> None:
    page = "/candidats?recherche=Dupont"
    async with with_egress.browser(headers=PAGE) as browser:
        out = await browser.get("/auth/login", params={"returnTo": page})
        await browser.get("/auth/login", params={"returnTo": "/panier"})
        rows = await _rows(with_egress)
        assert "Dupont" not in repr(rows)
        assert {row.return_to for row in rows} == {"/"}
        back = await browser.get(with_egress.provider.sign_in(out.headers["location"]))
    assert back.headers["location"] == page
    assert "Dupont" not in repr(await _rows(with_egress))


@pytest.mark.parametrize("what", ["of another", "dust", "of release 0.2.0"])
async def test_a_page_that_cannot_be_opened_is_home_and_the_sign_in_succeeds(with_egress: Any, what: str) -> None:
    async with with_egress.browser(headers=PAGE) as browser:
        outs = [await browser.get("/auth/login", params={"returnTo": page}) for page in ("/panier", "/creneaux")]
        pages = [row.page for row in await _rows(with_egress)]
        page = {"of another": sa.case((tables.attempts.c.page == pages[0], pages[1]), else_=pages[0])}.get(what)
        if page is None:
            page = sa.literal(b"dust") if what == "dust" else sa.null()
        async with transaction(with_egress.dependencies.sessions.engine) as tx:
            await tx.execute(sa.update(tables.attempts).values(page=page))
        for out in outs:
            back = await browser.get(with_egress.provider.sign_in(out.headers["location"]))
            assert (back.status_code, back.headers["location"]) == (302, "/")
        assert (await browser.get("/auth/session")).status_code == 200


async def _rows(world: Any) -> list[Any]:
    async with transaction(world.dependencies.sessions.engine) as tx:
        return list(await tx.execute(sa.select(tables.attempts)))


async def test_a_sign_in_that_nobody_came_back_from_is_forgotten_after_ten_minutes(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        out = await browser.get("/auth/login", params={"returnTo": "/panier"})
        with_egress.clock.pass_(minutes=10, seconds=1)
        await with_egress.sign_in(browser)
        await with_egress.dependencies.attempts.forget_old()
        assert await with_egress.count(tables.attempts) == 1
        again = await browser.get(with_egress.provider.sign_in(out.headers["location"]))
        assert (again.status_code, again.headers["location"]) == (302, "/")


@pytest.mark.req("S-01")
async def test_the_callback_of_somebody_else_changes_nothing_for_who_is_signed_in(with_egress: Any) -> None:
    async with with_egress.browser(headers=PAGE) as attacker:
        out = await attacker.get("/auth/login")
    address = with_egress.provider.sign_in(out.headers["location"], "mallory")
    async with with_egress.browser(headers=PAGE) as victim:
        await with_egress.sign_in(victim)
        before = (await victim.get("/auth/session")).json()["user"]
        assert "set-cookie" not in (await victim.get(address)).headers
        assert (await victim.get("/auth/session")).json()["user"] == before
    assert len(with_egress.provider.redeemed) == 1, "her own"


async def test_going_back_to_the_callback_without_a_session_is_refused(with_egress: Any) -> None:
    async with with_egress.browser(headers=PAGE) as browser:
        out = await browser.get("/auth/login")
        address = with_egress.provider.sign_in(out.headers["location"])
        await browser.get(address)
        browser.cookies.clear()
        assert (await browser.get(address)).status_code == 401
    assert len(with_egress.provider.redeemed) == 1
    assert await _refusals(with_egress) == ["session.start"]


@pytest.mark.req("S-05")
async def test_a_tab_reads_the_token_of_the_session_that_another_tab_opened(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        await with_egress.sign_in(browser)
        first = (await browser.get("/auth/session")).json()["csrfToken"]
        await with_egress.sign_in(browser)
        old = await browser.post("/api/v1/candidates/search", json={}, headers={"X-CSRF-Token": first})
        second = (await browser.get("/auth/session")).json()["csrfToken"]
        new = await browser.post("/api/v1/candidates/search", json={}, headers={"X-CSRF-Token": second})
    assert (old.status_code, old.json()["code"]) == (403, "CSRF")
    assert second != first
    assert (new.status_code, new.json()["code"]) == (422, "MALFORMED"), "past the gate, the body is judged"
