"""The built interface as browsers fetch it: compressed as the build left it, and asked about by a tag."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from resapermis_auth_gateway.web.security.static import codings

SCRIPT = b"export const words = 'creneau '.repeat(80);" * 20
COMPRESSED = gzip.compress(SCRIPT)


@pytest.fixture
def web_root(web_root: Path) -> Path:
    """A script in three forms. What stands in the .br is never read here, only handed out."""
    (web_root / "assets" / "app-4f9a.js").write_bytes(SCRIPT)
    (web_root / "assets" / "app-4f9a.js.gz").write_bytes(COMPRESSED)
    (web_root / "assets" / "app-4f9a.js.br").write_bytes(b"as brotli left it")
    return web_root


@pytest.mark.parametrize(
    ("accepted", "coding", "length"),
    [
        ("gzip, deflate, br, zstd", "br", len(b"as brotli left it")),
        ("gzip, br;q=0", "gzip", len(COMPRESSED)),
        ("GZIP;q=0.5", "gzip", len(COMPRESSED)),
        ("identity", None, len(SCRIPT)),
        ("br; q=0.000, gzip;q=0", None, len(SCRIPT)),
    ],
)
async def test_a_file_goes_as_the_browser_takes_it(world: Any, accepted: str, coding: str | None, length: int) -> None:
    async with world.browser(headers={"Accept-Encoding": accepted}) as browser:
        answer = await browser.head("/assets/app-4f9a.js")
    assert answer.headers.get("content-encoding") == coding
    assert int(answer.headers["content-length"]) == length
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["vary"] == "Accept-Encoding"


async def test_what_is_compressed_is_the_file(world: Any) -> None:
    async with world.browser(headers={"Accept-Encoding": "gzip"}) as browser:
        assert (await browser.get("/assets/app-4f9a.js")).content == SCRIPT


async def test_a_known_tag_is_answered_without_the_file(world: Any) -> None:
    async with world.browser(headers={"Accept-Encoding": "gzip"}) as browser:
        first = await browser.get("/assets/app-4f9a.js")
        again = await browser.get(
            "/assets/app-4f9a.js", headers={"If-None-Match": f'"other", W/{first.headers["etag"]}'}
        )
        changed = await browser.get("/assets/app-4f9a.js", headers={"If-None-Match": '"other"'})
        plain = await browser.get("/assets/app-4f9a.js", headers={"Accept-Encoding": "identity"})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert again.headers["cache-control"] == first.headers["cache-control"]
    assert (changed.status_code, changed.content) == (200, SCRIPT)
    assert plain.headers["etag"] != first.headers["etag"], "one tag for one form, RFC 9110 8.8.3"


async def test_the_page_is_compressed_with_a_nonce_of_its_own(world: Any) -> None:
    async with world.browser(headers={"Accept": "text/html", "Accept-Encoding": "gzip"}) as browser:
        first, second = await browser.get("/"), await browser.get("/creneaux")
    assert first.headers["content-encoding"] == "gzip"
    assert "nonce=" in first.text
    assert first.text != second.text


@pytest.mark.parametrize("path", ["/assets/app-4f9a.js.gz", "/assets/app-4f9a.js.br"])
async def test_a_compressed_form_has_no_address_of_its_own(world: Any, path: str) -> None:
    async with world.browser() as browser:
        assert (await browser.get(path)).status_code == 404


def test_codings_of_nothing_are_none_that_we_have() -> None:
    assert not codings("") & {"br", "gzip"}
    assert codings("*;q=0, gzip") >= {"gzip"}


async def test_long_answers_are_compressed_and_short_ones_are_not(world: Any) -> None:
    async with world.browser(headers={"Accept-Encoding": "gzip"}) as browser:
        long, short = await browser.get("/api/openapi.json"), await browser.get("/auth/session")
    assert long.headers["content-encoding"] == "gzip"
    assert long.json()["openapi"]
    assert "content-encoding" not in short.headers
