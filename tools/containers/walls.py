"""Who may reach whom in docker-compose.yml, from the one table and what is beside the services there.

A network has neither direction nor port: two that may not meet cannot reach each other, of two that may either can open
the connection, and certificates and policies say who is answered (ADR 29).
"""

from collections.abc import Mapping
from itertools import combinations

from devstack.components import BUS_ADMIN, MAIL, NATS, POSTGRES, SANDBOX, SERVICES, Outside

FRONT, OTEL, PROMETHEUS, GRAFANA = "front", "otel", "prometheus", "grafana"
USED_BY_ALL = frozenset({POSTGRES, NATS, OTEL, PROMETHEUS})
"""They meet in the network of each process that uses them; Prometheus asks the process."""
STANDS_FOR: Mapping[Outside, str] = {
    Outside.ISSUER: SANDBOX,
    Outside.RDVPERMIS: SANDBOX,
    Outside.SMTP: MAIL,
    Outside.OTLP: OTEL,
}
"""Which container is a place outside."""
THE_WORLD = frozenset({SANDBOX, MAIL})
"""What a real deployment has elsewhere."""
CALLS: Mapping[str, tuple[str, ...]] = {
    **{
        one.name: (
            *one.calls,
            POSTGRES,
            NATS,
            *dict.fromkeys(STANDS_FOR[place] for place in one.reaches),
            *((FRONT,) if one.face == "web" else ()),  # it asks the door which certificate that shows
        )
        for one in SERVICES
    },
    BUS_ADMIN: (NATS, OTEL),
    PROMETHEUS: (*(one.name for one in SERVICES), BUS_ADMIN),
    GRAFANA: (PROMETHEUS,),
    FRONT: ("auth-gateway", PROMETHEUS, GRAFANA),
    SANDBOX: (FRONT, MAIL),  # as the world: it comes in by the one door
}
LEAD_OUT = frozenset(
    {FRONT, *(one.name for one in SERVICES if {STANDS_FOR[place] for place in one.reaches} & THE_WORLD)}
)
"""Who is in a network that leads out: the door, and who reaches something outside that is not ours."""


def pair(one: str, other: str) -> frozenset[str]:
    """Two who meet, whoever calls."""
    return frozenset({one, other})


def may_meet() -> set[frozenset[str]]:
    """Every two of which one calls the other, and those that all use."""
    called = {pair(caller, callee) for caller, callees in CALLS.items() for callee in callees if callee != caller}
    return called | {pair(*two) for two in combinations(USED_BY_ALL, 2)}
