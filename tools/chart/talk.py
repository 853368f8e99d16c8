"""Who may talk to whom: what the rendered NetworkPolicies let through beside what the table of components says. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from chart.objects import COMPONENT, Object, kinds, pods
from chart.reachable import End, may_ask, may_be_asked, talks
from devstack.components import BUS_ADMIN, NATS, SERVICES, Outside

Talk = tuple[str, str, int]
NAMESPACE = "resapermis"
DATABASE, EDGE, PROMETHEUS, OPERATOR, STRANGER, NEIGHBOUR = (
    "db",
    "edge",
    "prometheus",
    "operator",
    "stranger",
    "neighbour",
)
MIGRATE, INVARIANTS, SERVES, FIRST_STEPS = "migrate", "invariants", "serves", "first-steps"
FIRST_ADMINISTRATOR = "first-administrator"
GRPC, METRICS, WEB, POSTGRES, INSTANCE, DATABASE_METRICS = 9000, 9100, 8080, 5432, 8000, 9187
CLIENT, CLUSTER, MONITOR = 4222, 6222, 8222
INTERNET, INSIDE, SHARED, COLLECTOR = "internet", "inside", "shared", "collector"
HTTPS, SMTPS, SMTP, API, OTLP, WEBHOOK = 443, 465, 25, 6443, 4317, 8443


def ends(objects: Sequence[Object]) -> Iterator[End]:
    """The chart's pods, PostgreSQL's as CloudNativePG labels them, and those of others who may meet them."""
    seen = set()
    for one in pods(objects):
        if one.component in seen:
            continue
        seen.add(one.component)
        yield End(one.component, NAMESPACE, one.labels, ports=tuple(one.ports.values()))
    for cluster in kinds(objects, "Cluster"):
        labels = {"cnpg.io/cluster": cluster["metadata"]["name"], "cnpg.io/podRole": "instance"}
        yield End(DATABASE, NAMESPACE, labels, ports=(POSTGRES, INSTANCE, DATABASE_METRICS))
    yield End(STRANGER, NAMESPACE, {"app": "stranger"}, ports=(HTTPS,))
    yield End(NEIGHBOUR, "default", {COMPONENT: "basket"}, ports=(HTTPS, POSTGRES, CLIENT))
    yield End(EDGE, "gateways", {"app": "proxy"})
    yield End(PROMETHEUS, "monitoring", {"app.kubernetes.io/name": "prometheus"}, ports=(9090,))
    yield End(COLLECTOR, "monitoring", {"app.kubernetes.io/name": "collector"}, ports=(OTLP,))
    yield End(OPERATOR, "cnpg-system", {"app.kubernetes.io/name": "cloudnative-pg"})
    yield End(INTERNET, address="203.0.113.7", ports=(HTTPS, SMTPS, SMTP, POSTGRES))
    # RFC 6598: of no internet, and in many clusters nodes', pods' or Services' own.
    yield End(SHARED, address="100.64.0.1", ports=(HTTPS, SMTPS, API))
    yield End(INSIDE, address="10.96.0.1", ports=(HTTPS, API, WEBHOOK))


def _everyone() -> Iterator[Talk]:
    for one in SERVICES:
        yield from ((one.name, called, GRPC) for called in one.calls)
        yield from ((one.name, whom, port) for whom, port in ((DATABASE, POSTGRES), (NATS, CLIENT), (NATS, MONITOR)))
        if Outside.ISSUER in one.reaches or Outside.RDVPERMIS in one.reaches:
            yield one.name, INTERNET, HTTPS
        if Outside.SMTP in one.reaches:
            yield one.name, INTERNET, SMTPS
        if one.face == "web":
            yield EDGE, one.name, WEB
    for name, reaches in [*((one.name, one.reaches) for one in SERVICES), (BUS_ADMIN, (Outside.OTLP,))]:
        if Outside.OTLP in reaches:
            yield name, COLLECTOR, OTLP
        # The namespace of the collector is Prometheus', which reads all; so do those who ask whether the platform serves.
        yield from ((whom, name, METRICS) for whom in (PROMETHEUS, COLLECTOR, SERVES))
    yield from ((BUS_ADMIN, NATS, port) for port in (CLIENT, MONITOR))
    yield NATS, NATS, CLUSTER
    yield MIGRATE, DATABASE, POSTGRES
    yield FIRST_ADMINISTRATOR, DATABASE, POSTGRES
    yield from ((FIRST_STEPS, INSIDE, port) for port in (HTTPS, API))
    yield from ((INVARIANTS, whom, port) for whom, port in ((DATABASE, POSTGRES), (NATS, MONITOR)))
    for who in (DATABASE, OPERATOR):
        yield from ((who, DATABASE, port) for port in (POSTGRES, INSTANCE))
    yield from ((DATABASE, whom, port) for whom, port in ((INSIDE, HTTPS), (INSIDE, API), (INTERNET, HTTPS)))
    yield from ((who, DATABASE, DATABASE_METRICS) for who in (PROMETHEUS, COLLECTOR))


def expected(objects: Sequence[Object], known: Iterable[End]) -> set[Talk]:
    """What the table says, of those that there are."""
    names = {one.name for one in known}
    there = {one["kind"] for one in objects}
    absent = set() if there & {"HTTPRoute", "Ingress"} else {(EDGE, one.name) for one in SERVICES}
    absent |= set() if "ObjectStore" in there else {(DATABASE, INTERNET)}
    return {
        (who, whom, port)
        for who, whom, port in _everyone()
        if who in names and whom in names and (who, whom) not in absent
    }


def differences(objects: Sequence[Object]) -> list[str]:
    """A line for each connection that is let through and should not be, or the other way round.

    Who asks and who is asked are each guarded by a policy of their own: both must say what the table says, as if there were no other.
    """
    known = list(ends(objects))
    ours = {one.name for one in known if one.namespace == NAMESPACE}
    policies = kinds(objects, "NetworkPolicy")
    should = expected(objects, known)
    wrong = []
    for may, side, word in ((may_ask, 0, "ask"), (may_be_asked, 1, "be asked")):
        lets = {one for one in talks(policies, known, may) if one[side] in ours}
        wanted = {one for one in should if one[side] in ours}
        wrong += [f"{_said(one, word)}, and should not" for one in sorted(lets - wanted)]
        wrong += [f"{_said(one, word)}, and should".replace(" may ", " may not ") for one in sorted(wanted - lets)]
    return wrong


def _said(one: Talk, word: str) -> str:
    who, whom, port = one
    return f"{who} may ask {whom} on port {port}" if word == "ask" else f"{whom} may be asked by {who} on port {port}"
