"""One function from a refusal to an RFC 9457 problem body; and the refusals that only an edge knows."""

import math
from datetime import datetime
from http import HTTPStatus

from fastapi import Response

from resapermis_auth_gateway.web.texts.remedies import remedy_of
from resapermis_auth_gateway.web.texts.rule_sentences import rule_sentence
from resapermis_auth_gateway.web.texts.sentences import Language, sentence
from resapermis_auth_gateway.web.wire.base import VerdictView, View
from resapermis_kit.errors import Code, Failure

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:resapermis:problem:"


class ViolationView(View):
    """A field that cannot be read, and why, without its value."""

    field: str
    description: str


class ProblemView(View):
    """Why not, and what to do: the body of every refusal (application/problem+json).

    `objectId`: where to go on; whose NEPH it is (NEPH_KNOWN), which mandate (CANDIDATE_MANDATED).
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    remedy: str | None = None
    verdicts: list[VerdictView]
    violations: list[ViolationView]
    retry_at: datetime | None = None
    rdvpermis_code: str | None = None
    error_id: str | None = None
    object_id: str | None = None


class EdgeFailure(Failure):
    """A refusal whose HTTP status says more than its code does: 400, 404, 405, 413, 415, 429."""

    def __init__(self, status: HTTPStatus, failure: Failure) -> None:
        """As `failure`, with its own status."""
        super().__init__(
            failure.code,
            failure.detail,
            violations=failure.violations,
            retry_at=failure.retry_at,
            denied=failure.denied,
        )
        self.status = status


def bad_request(
    field: str, description: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST, *, denied: str = ""
) -> EdgeFailure:
    """A refusal of the request itself, naming the field; 400 unless another status says more. `denied`: of a limit, which."""
    violations = [(field, description)]
    return EdgeFailure(
        status, Failure(Code.CODE_MALFORMED, f"{field}: {description}", violations=violations, denied=denied)
    )


def too_many(retry_at: datetime, denied: str) -> EdgeFailure:
    """OVERLOADED with status 429, and from when on the next request is accepted; `denied`: which limit, for the journal."""
    return EdgeFailure(
        HTTPStatus.TOO_MANY_REQUESTS,
        Failure(Code.CODE_OVERLOADED, "too many requests", retry_at=retry_at, denied=denied),
    )


def body_of(failure: Failure, language: Language) -> ProblemView:
    """The problem body; the sentence is the catalogue's, `failure.detail` stays in the logs."""
    text = sentence(failure.name, language)
    return ProblemView(
        type=TYPE + failure.name,
        title=text.title,
        status=status_of(failure),
        detail=rule_sentence(failure.verdicts, language) or text.detail,
        code=failure.name,
        remedy=remedy_of(failure.name, failure.verdicts),
        verdicts=[VerdictView.of(verdict) for verdict in failure.verdicts],
        violations=[ViolationView(field=field, description=what) for field, what in failure.violations],
        retry_at=failure.retry_at,
        rdvpermis_code=failure.rdvpermis_code or None,
        error_id=failure.error_id or None,
        object_id=failure.object_id or None,
    )


def status_of(failure: Failure) -> int:
    """The HTTP status: an EdgeFailure's own, else that of its code in the kit's table."""
    return int(failure.status if isinstance(failure, EdgeFailure) else failure.rendering.http)


def headers_of(failure: Failure, language: Language, now: datetime) -> dict[str, str]:
    """Content-Language, no-store, and Retry-After in whole seconds where the failure says when, or for a 503."""
    headers = {"Content-Language": language, "Vary": "Accept-Language", "Cache-Control": "no-store"}
    if failure.retry_at is not None:
        headers["Retry-After"] = str(max(1, math.ceil((failure.retry_at - now).total_seconds())))
    elif status_of(failure) == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "1"
    return headers


def response_of(failure: Failure, language: Language, now: datetime) -> Response:
    """The refusal as application/problem+json (RFC 9457), with its status and headers."""
    return Response(
        body_of(failure, language).model_dump_json(by_alias=True),
        status_code=status_of(failure),
        media_type=MEDIA_TYPE,
        headers=headers_of(failure, language, now),
    )
