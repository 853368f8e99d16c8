"""The one table of what runs where: services, ports, peers, subjects. Everything else in devstack derives from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from resapermis_kit.roles.handover import Database

METRICS_ABOVE_GRPC = 10
"""A service's metrics and health port is its gRPC port plus this."""
ABOVE_THE_REPLICA_BEFORE = 20
"""A further replica's ports are those of the one before it plus this."""
SERVES = "/healthz/platform"
"""Where a process says on its metrics port whether it, and each service that it calls, serves: the web face calls all."""
PAGES_BESIDE_GRPC = 17
"""A further web face's HTTP port: the first's plus this, beside the gRPC ports of its replicas."""
MOST_REPLICAS = 4


class Outside(StrEnum):
    """What lies outside of the platform and is asked by it; each value is the setting that says where."""

    ISSUER = "RESAPERMIS_OIDC_ISSUER"
    RDVPERMIS = "RESAPERMIS_RDVPERMIS_URL"
    SMTP = "RESAPERMIS_SMTP_URL"
    OTLP = "RESAPERMIS_OTLP_ENDPOINT"


@dataclass(frozen=True)
class Service:
    """One service process.

    `name` is its certificate's common name and DNS name, and how others call it. `grpc` is its gRPC port above the
    stack's port. `database` is its database, which the faces of one package share. `calls` are the services that it
    asks, or has events repeated by: it is told their addresses, and a network that both are in (docker-compose.yml). `reaches`
    are the places outside that it alone opens connections to; any process may send its traces to OTLP. What it may do on
    the bus stands in `policies/bus.toml`.
    """

    name: str
    package: str
    grpc: int
    database: str
    face: str = ""
    keyset: str = ""
    migrates: bool = True
    calls: tuple[str, ...] = ()
    reaches: tuple[Outside, ...] = (Outside.OTLP,)

    @property
    def peer_variable(self) -> str:
        """The setting by which the others find it."""
        return "RESAPERMIS_PEER_" + self.name.upper().replace("-", "_")

    @property
    def role(self) -> str:
        """The role that it serves as: its database's name, and which of the faces it is where several share that (ADR 41)."""
        return f"{self.database}_{self.face}" if self.face else self.database

    @property
    def command(self) -> tuple[str, ...]:
        """Arguments of the Python interpreter that run this service."""
        return ("-m", self.package, *([self.face] if self.face else []))


SERVICES: tuple[Service, ...] = (
    Service(
        "auth-gateway",
        "resapermis_auth_gateway",
        10,
        "auth_gateway",
        face="web",
        keyset="auth-gateway",
        calls=("egress", "mandate", "scheduling-rules", "basket", "audit", "notification"),
    ),
    Service(
        "egress",
        "resapermis_auth_gateway",
        11,
        "auth_gateway",
        face="egress",
        keyset="egress",
        migrates=False,
        reaches=(Outside.ISSUER, Outside.RDVPERMIS, Outside.OTLP),
    ),
    Service(
        "mandate",
        "resapermis_mandate",
        12,
        "mandate",
        keyset="mandate",
        calls=("egress",),
    ),
    Service(
        "scheduling-rules",
        "resapermis_scheduling_rules",
        13,
        "scheduling_rules",
        keyset="scheduling-rules",
        calls=("egress", "basket"),
    ),
    Service(
        "basket",
        "resapermis_basket",
        14,
        "basket",
        calls=("egress", "mandate", "scheduling-rules"),
    ),
    Service(
        "audit",
        "resapermis_audit",
        15,
        "audit",
        keyset="audit",
        calls=("auth-gateway", "mandate", "scheduling-rules", "basket", "notification", "audit"),
    ),
    Service(
        "notification",
        "resapermis_notification",
        16,
        "notification",
        calls=("auth-gateway", "mandate", "scheduling-rules", "basket"),
        reaches=(Outside.SMTP, Outside.OTLP),
    ),
)

POSTGRES, NATS, BUS_ADMIN, MAIL, SANDBOX = "postgres", "nats", "bus-admin", "mail", "rdvpermis"
FOUNDATION: tuple[str, ...] = (POSTGRES, NATS, BUS_ADMIN, MAIL, SANDBOX)
"""BUS_ADMIN is there wherever NATS is: without it no service has a stream."""
ALL_COMPONENTS: tuple[str, ...] = (*FOUNDATION, *(service.name for service in SERVICES))

DATABASES: tuple[Database, ...] = tuple(
    Database.of(name, sorted({service.face for service in SERVICES if service.database == name and service.face}))
    for name in sorted({service.database for service in SERVICES})
)
"""Each with the role that owns it, as which `migrate` alone connects, and those that serve from it.

Of a database with several faces the role of its plain name is that of release 0.2.0, while its processes are replaced.
"""
PUBLISHERS: Mapping[str, Service] = {service.database: service for service in reversed(SERVICES)}
"""Of each database the process that publishes its outbox: the first of the table."""

KEYSETS: tuple[str, ...] = tuple(sorted({service.keyset for service in SERVICES if service.keyset}))
OPERATOR = "operator"
"""A certificate for bus-admin, and for tools and tests that must see the whole bus; no service has it."""


@dataclass(frozen=True)
class Ports:
    """Every TCP port of a stack, counted from the one that people type."""

    web: int

    @property
    def sandbox(self) -> int:
        """RdvPermis, and its OpenID provider."""
        return self.web + 1

    @property
    def mail_web(self) -> int:
        """The mail catcher's page, HTTP."""
        return self.web + 2

    @property
    def smtp(self) -> int:
        """The mail catcher, SMTP."""
        return self.web + 3

    @property
    def nats(self) -> int:
        """NATS, TLS only."""
        return self.web + 4

    @property
    def nats_monitor(self) -> int:
        """Where NATS answers how it is set, HTTPS."""
        return self.web + 5

    @property
    def bus_admin(self) -> int:
        """bus-admin's metrics and readiness, plain HTTP."""
        return self.web + 6

    def grpc(self, service: Service, replica: int = 1) -> int:
        """gRPC of a service's replica, mTLS only."""
        return self.web + service.grpc + (replica - 1) * ABOVE_THE_REPLICA_BEFORE

    def metrics(self, service: Service, replica: int = 1) -> int:
        """Metrics, health and readiness of a service's replica, plain HTTP."""
        return self.grpc(service, replica) + METRICS_ABOVE_GRPC

    def pages(self, replica: int = 1) -> int:
        """HTTP of a web face's replica: the first's is what people type, a further one has no address of its own for them."""
        return self.web if replica == 1 else self.web + PAGES_BESIDE_GRPC + (replica - 1) * ABOVE_THE_REPLICA_BEFORE

    def of(self, component: str) -> dict[str, int]:
        """What a component listens on: purpose → port."""
        fixed = {
            POSTGRES: {},
            NATS: {"NATS": self.nats, "NATS monitor": self.nats_monitor},
            BUS_ADMIN: {"bus-admin metrics": self.bus_admin},
            MAIL: {"mail page": self.mail_web, "SMTP": self.smtp},
            SANDBOX: {"RdvPermis sandbox": self.sandbox},
        }
        if component in fixed:
            return fixed[component]
        service, replica = replica_named(component)
        ports = {
            f"{component} gRPC": self.grpc(service, replica),
            f"{component} metrics": self.metrics(service, replica),
        }
        return {"web and API": self.pages(replica), **ports} if service.face == "web" else ports


def service_named(name: str) -> Service:
    """The service of that name; KeyError when there is none."""
    for service in SERVICES:
        if service.name == name:
            return service
    raise KeyError(name)


def callers_of(service: Service) -> tuple[str, ...]:
    """Who may call it: whoever has it among their `calls`, in the order of the table. The common names of their certificates."""
    return tuple(other.name for other in SERVICES if service.name in other.calls)


def components_of(service: Service, replicas: int) -> tuple[str, ...]:
    """The components that run a service: "basket", and "basket-2" and so on for further replicas; ValueError for a number that cannot be."""
    if not 1 <= replicas <= MOST_REPLICAS:
        msg = f"{service.name} cannot run {replicas} times: 1 to {MOST_REPLICAS}"
        raise ValueError(msg)
    return (service.name, *(f"{service.name}-{number}" for number in range(2, replicas + 1)))


def offsets(replicas: Mapping[str, int] | None = None) -> list[int]:
    """Every port that a whole stack listens on, counted from its first."""
    often = replicas or {}
    further = (
        component for service in SERVICES for component in components_of(service, often.get(service.name, 1))[1:]
    )
    return sorted({port - 1 for component in (*ALL_COMPONENTS, *further) for port in Ports(1).of(component).values()})


def replica_named(component: str) -> tuple[Service, int]:
    """The service that a component runs, and which of its replicas the component is; KeyError when there is none."""
    name, _, number = component.rpartition("-")
    if number.isdecimal() and 2 <= int(number) <= MOST_REPLICAS:
        return service_named(name), int(number)
    return service_named(component), 1


def replicas_of(text: str) -> dict[str, int]:
    """Read "basket=2,mandate=3"; ValueError names what cannot be read."""
    found = {}
    for word in filter(None, text.split(",")):
        name, _, number = word.partition("=")
        if name not in {service.name for service in SERVICES} or not number.isdecimal():
            msg = f"{word!r} is not a service and how often it runs, as in basket=2"
            raise ValueError(msg)
        found[name] = int(number)
    return found
