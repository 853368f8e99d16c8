"""Who is signed in."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import Field

from resapermis_auth_gateway.grants import RUN_OUT, Grant
from resapermis_auth_gateway.web.wire.base import View

Browser = Annotated[str, Field(json_schema_extra={"enum": ["edge", "opera", "samsung", "firefox", "chrome", "safari"]})]
System = Annotated[str, Field(json_schema_extra={"enum": ["android", "ios", "windows", "chromeos", "macos", "linux"]})]


class UserView(View):
    """The signed-in person: their account's id, and the name that the provider stated."""

    id: str
    display_name: str


class SchoolView(View):
    """The school that the session acts for, as RdvPermis names it at sign-in."""

    id: str
    name: str
    department: str


class SessionView(View):
    """A session; `expiresAt` is when it ends unless used. `school`: null for who is not an employee; `scope`: their departments."""

    user: UserView
    school: SchoolView | None = None
    roles: list[str]
    scope: list[str]
    csrf_token: str
    expires_at: datetime
    server_time: datetime


class OwnSessionView(View):
    """One of the asker's own sessions; browser and system as it was opened with, null where they were not known."""

    id: str
    started_at: datetime
    last_act_at: datetime
    browser: Browser | None = None
    system: System | None = None
    current: bool


class OwnSessionPage(View):
    """The asker's sessions, a hundred at most; `current` is the one that asks."""

    items: list[OwnSessionView]
    server_time: datetime


Use = Annotated[str, Field(json_schema_extra={"enum": ["reconciliation", "results", "polls", "mandates"]})]
GrantEnd = Annotated[
    str,
    Field(
        json_schema_extra={
            "enum": ["withdrawn", "run_out", "refused", "lost", "other_school", "no_right", "other_provider"]
        }
    ),
]


class GrantStartView(View):
    """Where the browser goes: the provider asks the person whether they agree."""

    authorization_url: str


class GrantView(View):
    """A grant for background work that stands; `lastUsedAt` to the hour, null where it was not used yet.

    `refusedAt`: since when RdvPermis does not take it, null where it does.
    """

    given_at: datetime
    ends_at: datetime
    last_used_at: datetime | None = None
    refused_at: datetime | None = None


class EndedGrantView(View):
    """The grant that ended last, and why: by the person, by time, by the provider or RdvPermis, or by what changed here."""

    ended_at: datetime
    reason: GrantEnd


class GrantPage(View):
    """The asker's grant at their school: the one that stands, else the one that ended last; both null where none was given."""

    grant: GrantView | None = None
    ended: EndedGrantView | None = None
    may_give: bool
    uses: list[Use]
    server_time: datetime

    @classmethod
    def of(cls, found: Grant | None, now: datetime, *, may_give: bool, uses: Sequence[str]) -> "GrantPage":
        """From the grant that stands or was given last; one whose time is over has ended, swept or not."""
        standing = ended = None
        if found is not None and found.ended_at is not None:
            ended = EndedGrantView(ended_at=found.ended_at, reason=found.reason)
        elif found is not None and found.ends_at <= now:
            ended = EndedGrantView(ended_at=found.ends_at, reason=RUN_OUT)
        elif found is not None:
            standing = GrantView(
                given_at=found.given_at,
                ends_at=found.ends_at,
                last_used_at=found.used_at,
                refused_at=found.refused_at,
            )
        return cls(grant=standing, ended=ended, may_give=may_give, uses=list(uses), server_time=now)


class BackgroundWorkView(View):
    """Whether work goes on while nobody of the school is signed in: how many gave a grant that RdvPermis takes, until when, and what waits without."""

    granted: bool
    employees: int
    ends_at: datetime | None = None
    waits: list[Use]
    server_time: datetime


class SignedOutView(View):
    """Where the browser goes next: the provider's own sign-out."""

    redirect: str
