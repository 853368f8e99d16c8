"""Outbound TLS verifies chain and host name; no address or setting talks it out of that."""

import asyncio
import ssl

import pytest

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as pb
from resapermis_auth_gateway.egress.http import Client, base_of
from resapermis_auth_gateway.egress.settings import EgressSettings
from resapermis_kit.errors import Code

pytestmark = pytest.mark.req("S-25")
PLANNING = pb.SearchPlanningRequest(category="B", centre_id="c-1", date="2026-12-09")


@pytest.fixture
async def over_tls(responder, tls):
    """The responder once more, over TLS with a certificate of the test authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tls / "audit" / "tls.pem", tls / "audit" / "tls.key")
    server = await asyncio.start_server(responder.handle, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.mark.parametrize(
    ("host", "believed", "answers"),
    [("audit", True, True), ("audit", False, False), ("rdvpermis.example", True, False)],
    ids=["right", "unknown-authority", "wrong-name"],
)
async def test_a_false_certificate_is_refused(
    make_world, responder, over_tls, tls, monkeypatch, host, believed, answers
):
    resolve = asyncio.get_running_loop().getaddrinfo

    async def here(_host, port, **more):
        return await resolve("127.0.0.1", port, **more)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", here)
    world = await make_world(f"https://{host}:{over_tls}", f"{responder.url}/realm")
    await world.client.close()
    world.client = world.rdvpermis._client = Client(tls / "audit" / "ca.pem" if believed else None)
    session = await world.sign_in()
    responder.on("POST", "/planning/recherche", (200, []))
    if answers:
        await world.ask("SearchPlanning", PLANNING, session)
    else:
        assert (await world.refused("SearchPlanning", PLANNING, session)).code == Code.CODE_RDVPERMIS_DOWN
        assert responder.asked == []


def test_no_setting_speaks_of_not_verifying():
    words = " ".join(EgressSettings.model_fields)
    assert not any(word in words for word in ("verify", "insecure", "trust_all"))


@pytest.mark.req("D-04")
@pytest.mark.parametrize(
    "url", ["http://rdvpermis.example.org", "http://sandbox", "http://10.0.0.8:80", "ftp://localhost", "rdv", ""]
)
def test_tokens_never_leave_in_clear(url):
    with pytest.raises(ValueError, match="https"):
        base_of(url)


@pytest.mark.parametrize(
    "url", ["https://rdv.example.org/", "http://localhost:1", "http://127.0.0.1:1", "http://rdvpermis.localhost:1"]
)
def test_https_and_near_places_are_fine(url):
    assert base_of(url) == url.rstrip("/")
