"""Tokens of another provider: worth what it says of them, and nothing when it says nothing."""

import base64
import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import pytest

from rdvpermis_sandbox.identity import introspection
from rdvpermis_sandbox.settings import Settings

pytestmark = pytest.mark.req("P-06")
ACTIVE = {"active": True, "sub": "gerant.094-1", "scope": "openid rdvpermis", "exp": 4102444800}


@pytest.mark.parametrize(
    ("told", "status"),
    [
        (ACTIVE, 200),
        (ACTIVE | {"sub": "em-gerant-094-1"}, 200),
        (ACTIVE | {"active": False}, 401),
        (ACTIVE | {"active": "true"}, 401),
        (ACTIVE | {"sub": "nobody"}, 401),
        (ACTIVE | {"scope": "openid"}, 403),
        ({}, 401),
    ],
)
async def test_a_token_is_worth_what_its_provider_says(actor, monkeypatch, told, status):
    monkeypatch.setattr(type(actor.sandbox.settings), "introspection_url", "https://idp.test/introspect")
    monkeypatch.setattr(introspection, "introspect", lambda _settings, _token: told)
    actor.token = "opaque"
    answer = await actor.call("GET", "/moi")
    assert answer.status_code == status, answer.text


async def test_without_another_provider_nobody_is_asked(actor, monkeypatch):
    monkeypatch.setattr(introspection, "introspect", lambda *_: pytest.fail("asked"))
    actor.token = "opaque"
    assert (await actor.call("GET", "/moi")).status_code == 401


@pytest.fixture
def provider():
    asked, answers = [], []

    class Introspection(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            asked.append((self.path, self.headers["authorization"], parse_qs(body)))
            status, answer = answers.pop()
            self.send_response(status)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            """Nothing is logged."""

    server = HTTPServer(("127.0.0.1", 0), Introspection)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    settings = replace(
        Settings(),
        introspection_url=f"http://127.0.0.1:{server.server_address[1]}/token/introspection",
        introspection_client_secret="50 %/+",
    )
    yield settings, asked, answers
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_is_asked_with_our_proof(provider):
    settings, asked, answers = provider
    answers.append((200, json.dumps(ACTIVE).encode()))
    assert introspection.introspect(settings, "a/b+c") == ACTIVE
    proof = base64.b64encode(b"rdvpermis:50+%25%2F%2B").decode()
    assert asked == [("/token/introspection", f"Basic {proof}", {"token": ["a/b+c"]})]


@pytest.mark.parametrize("answer", [(401, b"{}"), (500, b""), (200, b"<html>"), (200, b"[]")])
def test_what_is_no_answer_is_worth_nothing(provider, answer):
    settings, _, answers = provider
    answers.append(answer)
    assert introspection.introspect(settings, "t") == {}


def test_a_provider_that_is_away_is_worth_nothing_and_is_logged(caplog):
    away = replace(Settings(), introspection_url="http://127.0.0.1:9/introspect")
    assert introspection.introspect(away, "secret-token") == {}
    assert "not introspected" in caplog.text
    assert "secret-token" not in caplog.text
