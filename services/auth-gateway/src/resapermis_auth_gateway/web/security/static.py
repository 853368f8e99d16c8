"""The built interface: files as they are, and one page for every address that a person may open."""

import secrets
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


class Files:
    """What answers where no route does. Only files that stood in the folder at the start are ever opened."""

    def __init__(self, settings: WebSettings) -> None:
        """List the folder."""
        root = settings.web_root.resolve()
        files = [path for path in root.rglob("*") if path.is_file()] if root.is_dir() else []
        names = {path.relative_to(root).as_posix(): path for path in files}
        self._known = {name: path for name, path in names.items() if not _hidden(name)}
        self._page = self._known.pop("index.html", None)
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        await self._answer(Request(scope))(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        path = request.scope["path"].lstrip("/")
        if request.method not in {"GET", "HEAD"} or path.partition("/")[0] in OURS:
            raise Failure(Code.CODE_NOT_FOUND, "no such resource")
        if path in self._known:
            return _file(self._known[path], path)
        wants_page = "text/html" in request.headers.get("accept", "")
        if self._page is None or not wants_page or path.startswith(HASHED):
            raise Failure(Code.CODE_NOT_FOUND, "no such file")
        return _page(self._page, self._settings)


def _hidden(name: str) -> bool:
    """A build leaves notes of its own beside what is for browsers."""
    return any(part.startswith(".") for part in name.split("/"))


def _file(path: Path, name: str) -> Response:
    lasts = "public, max-age=31536000, immutable" if name.startswith(HASHED) else "no-cache"
    return FileResponse(path, headers={"Cache-Control": lasts})


def _page(page: Path, settings: WebSettings) -> Response:
    nonce = secrets.token_urlsafe(18)
    return Response(
        page.read_text(encoding="utf-8").replace(PLACEHOLDER, nonce),
        media_type="text/html",
        headers={
            "Content-Security-Policy": page_policy(nonce, settings),
            "Reporting-Endpoints": f'csp="{REPORTS}"',
            "Cache-Control": "no-store",
        },
    )
