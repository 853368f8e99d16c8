"""About the service itself: health, the contract, what browsers report of the content security policy."""

import json
from typing import Any
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from resapermis_auth_gateway.web.dependencies import dependencies_of
from resapermis_auth_gateway.web.security.headers import REPORTS

router = APIRouter(tags=["service"])
log = structlog.get_logger()
MOST_REPORTS = 10


@router.get("/healthz", response_class=PlainTextResponse)
async def alive() -> str:
    """200 as soon as the process answers, whatever its dependencies do."""
    return "ok\n"


@router.get("/readyz", response_class=PlainTextResponse, responses={503: {"description": "Names what is missing."}})
async def ready(request: Request) -> Response:
    """Say whether the process can do its work, as it was last found: about once a second, however often it is asked."""
    problems = dependencies_of(request).health.known()
    return PlainTextResponse((", ".join(problems) or "ready") + "\n", status_code=503 if problems else 200)


@router.get("/api/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> Response:
    """This contract (OpenAPI 3.1)."""
    return JSONResponse(request.app.openapi())


@router.post(REPORTS, status_code=204, include_in_schema=False)
async def csp_reports(request: Request) -> Response:
    """Count what browsers blocked: the directive and the other site, nothing about the person."""
    document = json.loads(await request.body() or b"[]")
    for report in (document if isinstance(document, list) else [document])[:MOST_REPORTS]:
        found = report.get("body", report.get("csp-report")) if isinstance(report, dict) else None
        if isinstance(found, dict):
            log.warning("csp.blocked", directive=_directive(found), blocked=_site(found))
    return Response(status_code=204)


def _directive(found: dict[str, Any]) -> str:
    return str(found.get("effectiveDirective", found.get("effective-directive", "")))[:40]


def _site(found: dict[str, Any]) -> str:
    try:
        parts = urlsplit(str(found.get("blockedURL", found.get("blocked-uri", "")))[:500])
    except ValueError:
        return "unreadable"
    return (f"{parts.scheme}://{parts.hostname}" if parts.hostname else parts.path)[:100]
