"""Two web faces and two egress processes of one stack: what is limited is limited once."""

import asyncpg
import httpx2
import pytest

from devstack.components import NATS, POSTGRES, SANDBOX, offsets
from devstack.probes import free_port
from devstack.stack import Stack

OFTEN = {"auth-gateway": 2, "egress": 2}
COMPONENTS = (POSTGRES, NATS, SANDBOX, "auth-gateway", "egress")
LIMIT = 4


async def parts(stack: Stack) -> dict[str, list[int]]:
    """Process → into how many parts each of its replicas divides its limits."""
    connection = await asyncpg.connect(stack.database_url("auth_gateway"))
    try:
        rows = await connection.fetch("SELECT process, array_agg(parts) AS parts FROM replica GROUP BY process")
    finally:
        await connection.close()
    return {row["process"]: row["parts"] for row in rows}


@pytest.mark.long_only  # in `make test`: services/auth-gateway/tests/test_replicas.py and web/test_rates.py, without processes
@pytest.mark.req("S-05", "R-27")
async def test_two_web_faces_count_sign_ins_together_and_replicas_divide_the_rest(tmp_path):
    settings = {"auth-gateway": {"RESAPERMIS_SIGN_IN_RATE": f"{LIMIT}/hour"}}
    stack = Stack(
        tmp_path / "home",
        free_port(offsets(OFTEN), start=28_000),
        components=COMPONENTS,
        component_settings=settings,
        replicas=OFTEN,
    )
    async with stack:
        faces = [f"http://localhost:{stack.ports.pages(replica)}" for replica in (1, 2)]
        async with httpx2.AsyncClient(trust_env=False) as browser:
            answers = [await browser.get(f"{faces[number % 2]}/auth/login") for number in range(2 * LIMIT)]
        # who is ready has its part, and the first has given way to the second
        assert await parts(stack) == {"auth-gateway": [2, 2], "egress": [2, 2]}
        await stack.stop_component("egress-2")
        await stack.start_component("egress-2")
        assert (await parts(stack))["egress"] == [2, 2]
    assert [answer.status_code for answer in answers] == [302] * LIMIT + [429] * LIMIT
    assert {
        answer.headers["location"].partition("?")[0].startswith(stack.settings.sandbox_url)
        for answer in answers[:LIMIT]
    } == {True}
