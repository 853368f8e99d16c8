"""The one table of routes: in which order they are tried, under which prefix, and what each is called in records, metrics and traces."""

import re
from collections.abc import Mapping
from functools import cache

from fastapi import FastAPI
from starlette.routing import Route, compile_path

from resapermis_auth_gateway.web.routes import (
    audit,
    auth,
    availability,
    basket,
    bookings,
    candidates,
    mandates,
    meta,
    notifications,
    school,
    slots,
    watchlist,
)
from resapermis_auth_gateway.web.routes.people import entrance, persons

API = "/api/v1"
ENDLESS = f"{API}/notifications/stream"
PROBES = frozenset({"/healthz", "/readyz"})
"""Asked every second by whoever runs us: neither traced nor limited."""
ENTRANCE = frozenset(
    f"/auth/{way}/{step}" for way in ("passkey", "invitation", "first-administrator") for step in ("begin", "finish")
)
"""Where somebody without a session changes something: from our own page alone, counted for each address."""
ROUTERS = (
    (basket.router, API),
    (slots.router, API),
    (candidates.router, API),
    (mandates.router, API),
    (watchlist.router, API),
    (bookings.router, API),
    (school.router, API),
    (availability.router, API),
    (notifications.router, API),
    (audit.router, API),
    (auth.me, API),
    (candidates.restrictions, API),
    (persons.router, API),
    (meta.router, ""),
    (auth.router, ""),
    (entrance.router, ""),
    (availability.open_router, ""),
)
"""Tried in this order, 3 µs each: what an opening waits for comes first."""
PATTERN_OF: Mapping[int, str] = {
    id(route): prefix + route.path for router, prefix in ROUTERS for route in router.routes if isinstance(route, Route)
}
"""What a route is called, by its `id`: the route that a request's scope names is the router's own, which lacks the prefix."""


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], frozenset[str], str], ...]:
    """Of each route: what its paths match, its methods, and its pattern."""
    return tuple(
        (compile_path(PATTERN_OF[id(route)])[0], frozenset(route.methods or ()), PATTERN_OF[id(route)])
        for router, _ in ROUTERS
        for route in router.routes
        if isinstance(route, Route)
    )


def patterns_of(path: str) -> dict[str, str]:
    """The patterns of the routes that a path may be, by method: HEAD too where it is read; empty where there is none."""
    found: dict[str, str] = {}
    for expression, methods, pattern in _patterns():
        if expression.match(path):
            found = dict.fromkeys(methods, pattern) | found
    # To begin a sign-in is more than reading about it, and a stream has no length.
    if "GET" in found and not path.startswith("/auth/") and path != ENDLESS:
        found["HEAD"] = found["GET"]
    return found


def pattern_of(method: str, path: str) -> str:
    """What a request is called that no route has answered: the pattern of its route, or of its path's other ones; or empty."""
    patterns = patterns_of(path)
    return patterns.get(method) or next(iter(patterns.values()), "")


def include_routes(app: FastAPI) -> None:
    """Every route of the contract, each router by itself: FastAPI looks through nested ones again at each level."""
    for router, prefix in ROUTERS:
        app.include_router(router, prefix=prefix)
