"""RFC 9457 problem bodies."""

from datetime import datetime

from resapermis_auth_gateway.web.views.base import VerdictView, View


class ViolationView(View):
    """A field that cannot be read, and why, without its value."""

    field: str
    description: str


class ProblemView(View):
    """Why not, and what to do: the body of every refusal (application/problem+json)."""

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
