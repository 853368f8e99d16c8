"""Who is signed in."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

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
    """A session; `expiresAt` is when it ends unless used."""

    user: UserView
    school: SchoolView
    roles: list[str]
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


class SignedOutView(View):
    """Where the browser goes next: the provider's own sign-out."""

    redirect: str
