"""Who is signed in."""

from datetime import datetime

from resapermis_auth_gateway.web.wire.base import View


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


class SignedOutView(View):
    """Where the browser goes next: the provider's own sign-out."""

    redirect: str
