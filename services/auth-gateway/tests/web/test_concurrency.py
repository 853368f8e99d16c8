"""How much of a session, an account or an address goes on at once, and that nothing of it is left behind."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resapermis.notification.v1 import notification_pb2, notification_pb2_grpc
from resapermis_auth_gateway.web.security.concurrency import Concurrency
from resapermis_kit.errors import Failure
from resapermis_testing.eventually import eventually
from resapermis_testing.grpc_server import Serve

pytestmark = pytest.mark.req("S-05")
NOW = datetime(2026, 12, 9, 9, tzinfo=UTC)
INBOX = "/api/v1/notifications"


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("ab"), st.sampled_from("xyz")), max_size=60))
def test_nobody_has_more_than_they_may_and_who_has_none_is_forgotten(steps: list[tuple[bool, str, str]]) -> None:
    most = {"account": 3, "session": 2}
    counted, under_way = Concurrency("request", most, lambda: NOW), list[dict[str, str]]()
    for enters, account, session in steps:
        owners = {"account": account, "session": session}
        if not enters:
            if owners in under_way:
                under_way.remove(owners)
                counted.leave(owners)
            continue
        full = any(sum(one[kind] == who for one in under_way) >= most[kind] for kind, who in owners.items())
        if full:
            with pytest.raises(Failure) as refused:
                counted.enter(owners)
            assert refused.value.retry_at == NOW + timedelta(seconds=5)
        else:
            counted.enter(owners)
            under_way.append(owners)
    for owners in under_way:
        counted.leave(owners)
    assert len(counted) == 0


class Waiting(notification_pb2_grpc.NotificationServiceServicer):
    """Answers when it is let."""

    def __init__(self) -> None:
        self.begun, self.go_on = 0, asyncio.Event()

    async def ListNotices(self, request: Any, context: Any) -> notification_pb2.ListNoticesResponse:
        self.begun += 1
        await self.go_on.wait()
        return notification_pb2.ListNoticesResponse()


@pytest.fixture
async def waiting() -> Waiting:
    return Waiting()


@pytest.fixture
async def make_waiting(make_world: Any, serve: Serve, waiting: Waiting) -> Callable[..., Any]:
    """As `make_world`, with a notification that answers when it is let."""
    add = notification_pb2_grpc.add_NotificationServiceServicer_to_server
    running = await serve("notification", (add, waiting, "resapermis.notification.v1.NotificationService"))
    return lambda **changed: make_world({"notification": running}, **changed)


@pytest.mark.parametrize("limit", ["session_requests", "account_requests"])
async def test_requests_beyond_those_under_way_are_refused_and_nobody_elses_are(
    make_waiting: Any, waiting: Waiting, limit: str
) -> None:
    world = await make_waiting(**{limit: 2})
    signed, stranger = await world.session(), await world.session()
    async with world.browser(signed) as browser, world.browser(stranger) as other:
        asked = [asyncio.create_task(browser.get(INBOX)) for _ in range(2)]

        async def both_wait() -> bool:
            return waiting.begun == 2

        await eventually(both_wait)
        refused = await browser.get("/auth/session")
        assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (429, "OVERLOADED", "5")
        assert (await other.get("/auth/session")).status_code == 200
        waiting.go_on.set()
        assert [(await one).status_code for one in asked] == [200, 200]
        assert (await browser.get("/auth/session")).status_code == 200
    assert len(world.dependencies.under_way) == 0


async def test_whoever_has_too_many_requests_under_way_can_still_sign_out(make_waiting: Any, waiting: Waiting) -> None:
    world = await make_waiting(session_requests=1)
    async with world.browser(await world.session()) as browser:
        asked = asyncio.create_task(browser.get(INBOX))

        async def waits() -> bool:
            return waiting.begun == 1

        await eventually(waits)
        assert (await browser.post("/auth/logout")).status_code == 200
        waiting.go_on.set()
        await asked
