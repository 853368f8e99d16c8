"""Once a stack says that the platform serves, the very first acts are served, whichever service they need.

Seen to fail without the wait (`Stack._until_it_serves`): the first acts then hear 503 from services that are not connected yet.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from demo import School
from devstack.background import BackgroundStack
from devstack.components import offsets
from devstack.probes import free_port
from devstack.stack import Stack

TIMES = 10
QUESTIONS = (
    "/auth/session",
    "/api/v1/candidates",
    "/api/v1/mandates",
    "/api/v1/thresholds",
    "/api/v1/saved-searches",
    "/api/v1/basket",
    "/api/v1/bookings?filter=upcoming",
    "/api/v1/notifications",
    "/api/v1/audit/records",
    "/api/v1/school/background-work",
    "/api/v1/me/grant",
)
Ask = Callable[[], httpx2.Response]


def _acts(school: School, stranger: httpx2.Client) -> dict[str, Ask]:
    """At least one for each service, those that reach RdvPermis among them."""
    day = (datetime.now(UTC) + timedelta(days=9)).date()
    slots = f"/api/v1/slots?department=94&category=B&from={day}&to={day}&pollNow=true"
    unknown = {"items": [{"slotId": "no-such-slot"}]}
    asked: dict[str, Ask] = {path: lambda path=path: school.web.get(path) for path in (*QUESTIONS, slots)}  # type: ignore[misc]
    return asked | {
        "a sign-in": lambda: stranger.get("/auth/login"),
        "a hold": lambda: school.send("POST", "/api/v1/basket/items", unknown),
    }


@pytest.mark.long_only
@pytest.mark.timeout(900)
@pytest.mark.req("P-04")
def test_the_first_acts_are_served_ten_times_cold(tmp_path: Path) -> None:
    home, school = tmp_path / "home", None
    tmp_path.chmod(0o755)  # as root, PostgreSQL runs as another user and must reach its folder
    port = free_port(offsets(), start=31_000 + 40 * (os.getpid() % 50), step=40, attempts=80)
    refused = []
    for time in range(TIMES):
        with BackgroundStack(Stack(home, port)) as running:
            if school is None:  # its session outlives each stop, so that later nothing comes before the first acts
                school = School(running.stack.url)
                school.sign_in("gerant.094-1", "sandbox")
            with (
                httpx2.Client(base_url=running.stack.url, trust_env=False) as stranger,
                ThreadPoolExecutor(16) as people,
            ):
                acts = _acts(school, stranger)
                answers = dict(zip(acts, people.map(lambda act: act(), acts.values()), strict=True))
        refused += [
            (time, act, one.status_code, one.text[:200]) for act, one in answers.items() if one.status_code >= 500
        ]
        assert {one.status_code for act, one in answers.items() if act in QUESTIONS} == {200}, "signed in, and served"
    assert school is not None
    school.web.close()
    assert refused == []
