"""The built interface: files as they are or as the build compressed them, and one page for every address that a person may open."""

import gzip
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from mimetypes import guess_type
from pathlib import Path

from fastapi import Request, Response
from fastapi.responses import FileResponse
from starlette.types import Receive, Scope, Send

from resapermis_auth_gateway.web.security.headers import REPORTS, page_policy
from resapermis_auth_gateway.web.settings import WebSettings
from resapermis_kit.errors import Code, Failure

HASHED = "assets/"
"""Vite names these after their content."""
OURS = ("api", "auth", "calendars", REPORTS.strip("/"))
PLACEHOLDER = "__CSP_NONCE__"
SUFFIXES: Mapping[str, str] = {"br": ".br", "gzip": ".gz"}
"""Content coding → what the build's compressed file is named by; the first that a browser takes is sent."""
PAGE_LEVEL = 6
"""gzip's level for the page, which is made anew for each answer."""


@dataclass(frozen=True)
class File:
    """A built file: where it is, plain and by content coding, and a tag of its content."""

    plain: Path
    encoded: Mapping[str, Path]
    tag: str

    @classmethod
    def of(cls, path: Path) -> "File":
        """Read the file once, for its tag."""
        encoded = {coding: path.with_name(path.name + suffix) for coding, suffix in SUFFIXES.items()}
        tag = hashlib.sha256(path.read_bytes()).hexdigest()[:32]
        return cls(path, {coding: file for coding, file in encoded.items() if file.is_file()}, tag)


class Files:
    """What answers where no route does. Only files that stood in the folder at the start are ever opened."""

    def __init__(self, settings: WebSettings) -> None:
        """List the folder."""
        root = settings.web_root.resolve()
        files = [path for path in root.rglob("*") if path.is_file()] if root.is_dir() else []
        names = {path.relative_to(root).as_posix(): path for path in files}
        page = names.pop("index.html", None)
        self._known = {
            name: File.of(path) for name, path in names.items() if not _hidden(name) and not _is_encoded(name, names)
        }
        self._page = page
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        await self._answer(Request(scope))(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        path = request.scope["path"].lstrip("/")
        if request.method not in {"GET", "HEAD"} or path.partition("/")[0] in OURS:
            raise Failure(Code.CODE_NOT_FOUND, "no such resource")
        if path in self._known:
            return _file(self._known[path], path, request)
        wants_page = "text/html" in request.headers.get("accept", "")
        if self._page is None or not wants_page or path.startswith(HASHED):
            raise Failure(Code.CODE_NOT_FOUND, "no such file")
        return _page(self._page, self._settings, request)


def codings(accept_encoding: str) -> frozenset[str]:
    """The content codings that an Accept-Encoding header allows by name (RFC 9110 12.5.3); one with a weight of 0 is refused."""
    found: set[str] = set()
    for word in accept_encoding.lower().split(","):
        name, _, weight = word.partition(";")
        if weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}:
            found.add(name.strip())
    return frozenset(found)


def _hidden(name: str) -> bool:
    """A build leaves notes of its own beside what is for browsers."""
    return any(part.startswith(".") for part in name.split("/"))


def _is_encoded(name: str, names: Mapping[str, Path]) -> bool:
    return any(name.endswith(suffix) and name.removesuffix(suffix) in names for suffix in SUFFIXES.values())


def _file(file: File, name: str, request: Request) -> Response:
    taken = codings(request.headers.get("accept-encoding", ""))
    coding = next((one for one in file.encoded if one in taken), None)
    tag = f'"{file.tag}"' if coding is None else f'"{file.tag}-{coding}"'
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if name.startswith(HASHED) else "no-cache",
        "ETag": tag,
    }
    if file.encoded:
        headers["Vary"] = "Accept-Encoding"
    if _unchanged(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if coding is not None:
        headers["Content-Encoding"] = coding
    media_type = guess_type(file.plain.name)[0] or "application/octet-stream"
    return FileResponse(file.plain if coding is None else file.encoded[coding], headers=headers, media_type=media_type)


def _unchanged(if_none_match: str, tag: str) -> bool:
    known = {one.strip().removeprefix("W/") for one in if_none_match.split(",")}
    return tag in known or "*" in known


def _page(page: Path, settings: WebSettings, request: Request) -> Response:
    nonce = secrets.token_urlsafe(18)
    body = page.read_text(encoding="utf-8").replace(PLACEHOLDER, nonce).encode()
    headers = {
        "Content-Security-Policy": page_policy(nonce, settings),
        "Reporting-Endpoints": f'csp="{REPORTS}"',
        "Cache-Control": "no-store",
        "Vary": "Accept-Encoding",
    }
    # Nothing of a request is in the page, so its size tells nobody anything.
    if "gzip" in codings(request.headers.get("accept-encoding", "")):
        body = gzip.compress(body, PAGE_LEVEL, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(body, media_type="text/html", headers=headers)
