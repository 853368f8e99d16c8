import re
from collections import defaultdict
from copy import copy
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from rdvpermis_sandbox.app import Sandbox
from rdvpermis_sandbox.domain import seed
from rdvpermis_sandbox.settings import Settings

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
BACK = "http://localhost:8080/auth/callback"
CONNECT = "/realms/formation/protocol/openid-connect"
SECRET = {"client_id": "resapermis", "client_secret": "sandbox-secret"}


class Actor:
    """One browser and program against one sandbox."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self.http = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=sandbox.asgi), base_url="http://localhost:8081"
        )
        self.token = ""

    async def code(self, username, scope="openid rdvpermis", **more):
        asked = {
            "client_id": "resapermis",
            "redirect_uri": BACK,
            "response_type": "code",
            "scope": scope,
            "state": "s",
        } | more
        page = await self.http.get(f"{CONNECT}/auth", params=asked)
        action = re.search('action="([^"]+)"', page.text)[1].replace("&amp;", "&")
        left = await self.http.post(action, data={"username": username, "password": "sandbox"})
        return {key: value[0] for key, value in parse_qs(urlsplit(left.headers["location"]).query).items()}

    async def exchange(self, code, **more):
        form = SECRET | {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK} | more
        return await self.http.post(f"{CONNECT}/token", data=form)

    async def refresh(self, token):
        return await self.http.post(
            f"{CONNECT}/token", data=SECRET | {"grant_type": "refresh_token", "refresh_token": token}
        )

    async def sign_in(self, username, scope="openid rdvpermis"):
        answer = await self.exchange((await self.code(username, scope))["code"])
        self.token = answer.json()["access_token"]
        return answer.json()

    async def sign_in_as(self, username):
        self.http.cookies.clear()
        return await self.sign_in(username)

    async def sign_in_again(self):
        return await self.sign_in_as("gerant.094-1")

    async def call(self, method, path, json=None, **params):
        headers = {"authorization": f"Bearer {self.token}"}
        return await self.http.request(method, f"/api/v2/auto-ecole{path}", headers=headers, json=json, params=params)

    async def basket(self, *slots):
        basket = (await self.call("POST", "/paniers")).json()["id"]
        for slot in slots:
            assert (await self.call("POST", f"/paniers/{basket}/creneaux", {"creneauId": slot})).status_code == 201
        return basket

    async def book(self, slot, candidate):
        basket = await self.basket(slot)
        await self.call("PUT", f"/paniers/{basket}/creneaux/{slot}/candidat", {"candidatId": candidate})
        return (await self.call("POST", f"/paniers/{basket}/valider")).json()["data"][0]["examenId"]

    async def control(self, path, json):
        answer = await self.http.post(f"/control{path}", json=json)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    async def publish(
        self, *, centre="ce-094-1", group="B", date="2026-12-09", starts=("08:00", "08:32", "09:04", "09:36")
    ):
        return await self.control(
            "/slots/publish", {"centre": centre, "group": group, "date": date, "starts": list(starts)}
        )

    def people(self, turn, school="ae-094-1"):
        """Candidates of a school by the seed's rhythm: 0-17 mandated, 26 without mail, 27 without demand, 28 with a penalty, 29 done."""
        index = list(self.sandbox.state.world.schools).index(school)
        return self.sandbox.state.world.candidates[f"ca-{turn * 1000 + index:05}"]


@pytest.fixture(scope="session")
def made():
    """One sandbox, reset for each test. Its people and slots are made and indexed once: they never change, and take a second."""
    serial, make, days = count(), seed.day_slots, {}
    build, countries = seed.world, {}
    grow, grown = seed.World.grow, {}

    def day_slots(centres, day):
        if day not in days:
            days[day] = make(centres, day)
        return days[day]

    def world(number, schools):
        if (number, schools) not in countries:
            countries[number, schools] = build(number, schools)
        made = countries[number, schools]
        return replace(made, **{one.name: copy(getattr(made, one.name)) for one in fields(made)})

    def grow_as_before(self, start, now):
        if self.until is not None:
            grow(self, start, now)
        elif (self.number, start, now) not in grown:
            grow(self, start, now)
            grown[self.number, start, now] = self.slots.copy(), copies(self.index), self.until
        else:
            slots, index, self.until = grown[self.number, start, now]
            self.slots, self.index = slots.copy(), copies(index)

    def copies(index):
        return defaultdict(list, {key: found.copy() for key, found in index.items()})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seed, "day_slots", day_slots)
        patch.setattr(seed, "world", world)
        patch.setattr(seed.World, "grow", grow_as_before)
        yield Sandbox(Settings(), lambda: NOW, lambda: f"secret-{next(serial)}-" + "x" * 24)


@pytest.fixture
async def actor(made):
    made.clock.offset, made.clock.frozen_at = timedelta(), None
    made.state.reset(NOW)
    made.asgi.rules = []
    made.limits.employee, made.limits.online, made.limits.retry_after = 210, 600, "cycle"
    made.limits.clear()
    one = Actor(made)
    async with one.http:
        yield one


@pytest.fixture
async def school(actor):
    await actor.sign_in("gerant.094-1")
    return actor
