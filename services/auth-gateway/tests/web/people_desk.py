"""People who are no employees, as tests make them: through the pages' own requests."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx2
import sqlalchemy as sa

from resapermis.iam.v1 import iam_pb2
from resapermis.iam.v1.events_pb2 import PersonInvited
from resapermis_auth_gateway import people, tables
from resapermis_auth_gateway.iam.servicer import IamServicer
from resapermis_kit.database.transaction import transaction

from .authenticator import Authenticator

CODE = "ABCDE-FGHJK-LMNPQ-RSTUV-WXYZ2"
PAGE = "/api/v1/people"
ANNE = {"code": CODE, "displayName": "Anne Roche", "email": "anne@plateforme.example", "locale": "fr"}
SAM = {
    "displayName": "Sam Petit",
    "email": "sam@prefecture.example",
    "locale": "fr",
    "role": "supervisor",
    "scope": ["94"],
}


@dataclass
class Someone:
    """A person at their browser, with their authenticator."""

    browser: httpx2.AsyncClient
    authenticator: Authenticator
    id: str = ""

    async def session(self) -> dict[str, Any]:
        """Who the gateway says that this browser is; their token goes with what they change from now on."""
        answer = await self.browser.get("/auth/session")
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        self.browser.headers["X-CSRF-Token"] = found["csrfToken"]
        self.id = found["user"]["id"]
        return found

    async def sign_in(self) -> httpx2.Response:
        """By their passkey."""
        asked = await self.browser.post("/auth/passkey/begin")
        answer = {"credential": self.authenticator.sign(asked.json()["publicKey"])}
        return await self.browser.post("/auth/passkey/finish", json=answer)


def someone_at(world: Any, authenticator: Authenticator | None = None) -> Someone:
    """Somebody at a browser of their own, on this gateway's page."""
    origin = world.dependencies.settings.public_origin
    made = authenticator or Authenticator(origin, urlsplit(origin).hostname or "")
    return Someone(world.browser(), made)


async def let_code_count(world: Any, code: str = CODE, hours: float = 72) -> None:
    """As the operator's command does."""
    now = world.clock()
    row = {"code_hash": people.hash_of(people.code_of(code)), "made_at": now, "ends_at": now + timedelta(hours=hours)}
    async with transaction(world.dependencies.sessions.engine) as tx:
        await tx.execute(sa.insert(tables.administrator_codes).values(row))


async def begin_first(someone: Someone, **changed: str) -> httpx2.Response:
    return await someone.browser.post("/auth/first-administrator/begin", json=ANNE | changed)


async def finish_first(someone: Someone, options: dict[str, Any], **changed: str) -> httpx2.Response:
    body = ANNE | changed | {"credential": someone.authenticator.make(options)}
    return await someone.browser.post("/auth/first-administrator/finish", json=body)


async def administrator(world: Any) -> Someone:
    """The platform's first one, signed in."""
    await let_code_count(world)
    someone = someone_at(world)
    options = (await begin_first(someone)).json()["publicKey"]
    answer = await finish_first(someone, options)
    assert answer.status_code == 204
    await someone.session()
    return someone


async def invite(someone: Someone, key: str = "", **changed: Any) -> httpx2.Response:
    return await someone.browser.post(PAGE, json=SAM | changed, headers={"Idempotency-Key": key or str(uuid4())})


async def word_of(world: Any) -> str:
    """The word of the newest invitation, as notification asks for it."""
    kind = PersonInvited.DESCRIPTOR.full_name
    event = PersonInvited.FromString([payload for name, payload in await world.published() if name == kind][-1])
    servicer = IamServicer(world.dependencies.sessions.engine, world.dependencies.profiles, world.clock)
    question = iam_pb2.IssueInvitationWordRequest(invitation_id=event.invitation_id)
    return str((await servicer.IssueInvitationWord(question, None)).word)


async def begin(someone: Someone, word: str) -> httpx2.Response:
    return await someone.browser.post("/auth/invitation/begin", json={"token": word})


async def accept(someone: Someone, word: str, options: dict[str, Any]) -> httpx2.Response:
    body = {"token": word, "credential": someone.authenticator.make(options)}
    return await someone.browser.post("/auth/invitation/finish", json=body)


async def invited(world: Any, admin: Someone, **changed: Any) -> Someone:
    """Somebody who was invited, accepted, and is signed in."""
    answer = await invite(admin, **changed)
    assert answer.status_code == 201, answer.text
    someone, word = someone_at(world), await word_of(world)
    options = (await begin(someone, word)).json()["publicKey"]
    assert (await accept(someone, word, options)).status_code == 204
    await someone.session()
    assert someone.id == answer.json()["id"]
    return someone


async def live_sessions(world: Any, account_id: str) -> int:
    rows = tables.sessions
    return int(await world.count(rows, rows.c.account_id == UUID(account_id), rows.c.ended_at.is_(None)))
