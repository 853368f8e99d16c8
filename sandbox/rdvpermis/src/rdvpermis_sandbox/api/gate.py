"""Who asks, when, and whether the call may go on at all: token, scope and budget before any rule."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from fastapi import Request

from rdvpermis_sandbox.clock import Clock
from rdvpermis_sandbox.domain.model import Employee, School
from rdvpermis_sandbox.domain.state import State
from rdvpermis_sandbox.identity.introspection import Elsewhere
from rdvpermis_sandbox.identity.tokens import Tokens
from rdvpermis_sandbox.limits import Limits

BASE = "/api/v2/auto-ecole"


class NotAdmitted(Exception):
    """Refused before any rule: 401, 403 or 429."""

    def __init__(self, status: int, code: str, headers: dict[str, str]) -> None:
        super().__init__(code)
        self.status, self.code, self.headers = status, code, headers


class Caller:
    """Who calls, for which school, and when."""

    def __init__(self, employee: Employee, school: School, now: datetime) -> None:
        self.employee, self.school, self.now = employee, school, now


def gate_of(
    state: State, tokens: Tokens, elsewhere: Elsewhere, limits: Limits, clock: Clock
) -> Callable[[Request], Any]:
    """The dependency before every call: it checks token and budget, counts the call and lets time pass."""

    async def admit(request: Request) -> Caller:
        now = clock.now()
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        found = (tokens.access(token, now) or await elsewhere(token)) if scheme.casefold() == "bearer" else None
        if found is None:
            raise NotAdmitted(401, "NON_AUTHENTIFIE", {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        if "rdvpermis" not in found.scope.split():
            raise NotAdmitted(403, "ACTION_INTERDITE", {"WWW-Authenticate": 'Bearer error="insufficient_scope"'})
        employee = state.world.employees[found.employee]
        school = state.school(employee.school)
        who, allowed = (school.id, limits.online) if school.online else (employee.id, limits.employee)
        route = getattr(request.scope.get("route"), "path", request.url.path).removeprefix(BASE)
        state.calls[f"{employee.id}|{request.method} {route}"] += 1
        refused = limits.take(who, allowed, now)
        if refused is not None:
            raise NotAdmitted(429, "TROP_DE_REQUETES", refused)
        state.touch(now)
        return Caller(employee, school, now)

    return admit
