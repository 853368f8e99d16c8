"""What is rendered is as it must be, and each thing taken out of it is seen."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from chart.helm import Object
from chart.judgement import RULES, complaints
from chart.objects import kinds, named, pods
from devstack.components import SERVICES

pytestmark = pytest.mark.req("P-02")
Change = Callable[[list[Object]], Any]


def test_nothing_is_wrong_with_a_department(department: list[Object]) -> None:
    assert complaints(department) == []


def test_nothing_is_wrong_with_the_whole_country_as_it_is_installed_and_upgraded(
    national: list[Object], upgrade: list[Object]
) -> None:
    assert complaints(national) == []
    assert complaints(upgrade) == []


def without(kind: str, name: str) -> Change:
    return lambda objects: objects.remove(named(objects, kind, name))  # type: ignore[arg-type]


def pod(objects: list[Object], component: str) -> Any:
    return next(one.spec for one in pods(objects) if one.component == component)


def container(objects: list[Object], component: str) -> Any:
    return pod(objects, component)["containers"][0]


def spec(objects: list[Object], kind: str, name: str) -> Any:
    return named(objects, kind, name)["spec"]


def one_more_peer(objects: list[Object]) -> None:
    """mandate would let notification's pods ... and everybody else of the namespace in."""
    spec(objects, "NetworkPolicy", "resapermis-mandate")["ingress"][0]["from"].append({"podSelector": {}})


def everywhere(objects: list[Object]) -> None:
    spec(objects, "NetworkPolicy", "resapermis-basket")["egress"].append({})


def same_role(objects: list[Object]) -> None:
    for one in pods(objects):
        if one.name.startswith("resapermis-migrate-basket"):
            volume = next(one for one in one.spec["volumes"] if one["name"] == "database")
            volume["secret"]["secretName"] = "resapermis-db-basket"


def owner_serves(objects: list[Object]) -> None:
    volume = next(one for one in pod(objects, "basket")["volumes"] if one["name"] == "database")
    volume["secret"]["secretName"] += "-owner"


def as_egress(objects: list[Object]) -> None:
    volume = next(one for one in pod(objects, "auth-gateway")["volumes"] if one["name"] == "database")
    volume["secret"]["secretName"] = "resapermis-db-auth-gateway-egress"


CHANGES: list[tuple[str, str, Change]] = [
    ("nobody unless", "the policy that forbids", without("NetworkPolicy", "resapermis-nobody")),
    ("who talks to whom", "basket's policy", without("NetworkPolicy", "resapermis-basket")),
    ("who talks to whom", "PostgreSQL's policy", without("NetworkPolicy", "resapermis-db")),
    ("who talks to whom", "NATS' policy", without("NetworkPolicy", "resapermis-nats")),
    ("who talks to whom", "migrations' policy", without("NetworkPolicy", "resapermis-migrate")),
    ("who talks to whom", "a peer more", one_more_peer),
    ("who talks to whom", "a way to everywhere", everywhere),
    (
        "who talks to whom",
        "a port less",
        lambda objects: spec(objects, "NetworkPolicy", "resapermis-egress")["ingress"].pop(0),
    ),
    ("probes", "the startup probe", lambda objects: container(objects, "basket").pop("startupProbe")),
    ("probes", "the liveness probe", lambda objects: container(objects, "nats").pop("livenessProbe")),
    ("probes", "the readiness probe", lambda objects: container(objects, "auth-gateway").pop("readinessProbe")),
    (
        "probes",
        "a probe of no port",
        lambda objects: container(objects, "audit")["livenessProbe"]["httpGet"].update(port="admin"),
    ),
    (
        "restricted Pod Security",
        "a container's context",
        lambda objects: container(objects, "egress").pop("securityContext"),
    ),
    (
        "restricted Pod Security",
        "the read-only root",
        lambda objects: container(objects, "nats")["securityContext"].pop("readOnlyRootFilesystem"),
    ),
    (
        "restricted Pod Security",
        "a capability kept",
        lambda objects: container(objects, "mandate")["securityContext"].update(capabilities={"add": ["NET_RAW"]}),
    ),
    (
        "restricted Pod Security",
        "of the container beside NATS",
        lambda objects: pod(objects, "nats")["containers"][1].pop("securityContext"),
    ),
    ("restricted Pod Security", "of a migration", lambda objects: container(objects, "migrate").pop("securityContext")),
    ("restricted Pod Security", "the node's network", lambda objects: pod(objects, "basket").update(hostNetwork=True)),
    (
        "restricted Pod Security",
        "a folder of the node",
        lambda objects: pod(objects, "basket")["volumes"].append({"name": "node", "hostPath": {"path": "/"}}),
    ),
    (
        "no token of the API server",
        "a token mounted",
        lambda objects: pod(objects, "audit").pop("automountServiceAccountToken"),
    ),
    (
        "no token of the API server",
        "a token projected",
        lambda objects: pod(objects, "audit")["volumes"].append(
            {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
        ),
    ),
    ("no token of the API server", "no account", lambda objects: pod(objects, "audit").pop("serviceAccountName")),
    (
        "no secret in an environment",
        "a database's URL",
        lambda objects: container(objects, "basket")["env"].append(
            {"name": "RESAPERMIS_DATABASE_URL", "value": "postgresql://basket@db/basket"}
        ),
    ),
    (
        "no secret in an environment",
        "a Secret's key",
        lambda objects: container(objects, "basket")["env"].append(
            {"name": "OTHER", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
        ),
    ),
    (
        "no secret in an environment",
        "credentials in a URL",
        lambda objects: container(objects, "basket")["env"].append({"name": "OTHER", "value": "nats://a:b@nats:4222"}),
    ),
    (
        "no secret in an environment",
        "all of a Secret",
        lambda objects: container(objects, "basket").update(envFrom=[{"secretRef": {"name": "s"}}]),
    ),
    ("images by digest", "a tag", lambda objects: container(objects, "basket").update(image="resapermis/basket:0.2.0")),
    (
        "requests and limits",
        "a limit",
        lambda objects: container(objects, "basket")["resources"]["limits"].pop("memory"),
    ),
    ("requests and limits", "requests", lambda objects: container(objects, "migrate")["resources"].pop("requests")),
    ("time to end", "no pause before SIGTERM", lambda objects: container(objects, "basket").pop("lifecycle")),
    ("time to end", "killed at once", lambda objects: pod(objects, "basket").update(terminationGracePeriodSeconds=10)),
    (
        "spread over nodes and zones",
        "on one node",
        lambda objects: pod(objects, "basket")["topologySpreadConstraints"].pop(0),
    ),
    ("budgets of disruptions", "basket's", without("PodDisruptionBudget", "resapermis-basket")),
    ("budgets of disruptions", "NATS'", without("PodDisruptionBudget", "resapermis-nats")),
    (
        "budgets of disruptions",
        "two at a time",
        lambda objects: spec(objects, "PodDisruptionBudget", "resapermis-audit").update(maxUnavailable=2),
    ),
    ("migrations by the owner", "by the role that serves", same_role),
    ("migrations by the owner", "the owner serves", owner_serves),
    ("migrations by the owner", "the web face serves as egress", as_egress),
    ("migrations by the owner", "no migration", without("Job", "resapermis-migrate-audit-1")),
    (
        "roles of databases",
        "a superuser",
        lambda objects: spec(objects, "Cluster", "resapermis-db")["managed"]["roles"][0].update(superuser=True),
    ),
    (
        "roles of databases",
        "the role that serves owns",
        lambda objects: spec(objects, "Database", "resapermis-db-basket").update(owner="basket"),
    ),
    ("certificates", "nobody's certificate", without("Certificate", "resapermis-tls-egress")),
    (
        "certificates",
        "another's name first",
        lambda objects: spec(objects, "Certificate", "resapermis-tls-egress")["dnsNames"].insert(0, "basket"),
    ),
    (
        "certificates",
        "a year",
        lambda objects: spec(objects, "Certificate", "resapermis-tls-egress").update(duration="8760h"),
    ),
]


@pytest.mark.parametrize(
    ("rule", "change"),
    [(rule, change) for rule, _, change in CHANGES],
    ids=[f"{rule}: {what}" for rule, what, _ in CHANGES],
)
def test_what_is_taken_out_or_put_in_is_seen(rule: str, change: Change, department: list[Object]) -> None:
    change(department)
    assert RULES[rule](department)


def test_each_rule_is_tried() -> None:
    assert {rule for rule, _, _ in CHANGES} == RULES.keys()


def test_a_secret_that_a_pod_mounts_is_made_by_somebody(department: list[Object]) -> None:
    """By cert-manager, by CloudNativePG, or by whoever installs: of those docs/deploy.md speaks."""
    made = {one["spec"]["secretName"] for one in kinds(department, "Certificate")} | {"resapermis-db-ca"}
    mounted = {
        volume["secret"]["secretName"]
        for one in pods(department)
        for volume in one.spec["volumes"]
        if "secret" in volume
    }
    keys = {
        f"resapermis-{name}"
        for name in ("auth-gateway", "egress", "mandate", "scheduling-rules", "audit", "notification")
    }
    databases = {name for name in mounted if re.fullmatch(r"resapermis-db-[a-z-]+", name)} - made
    assert mounted == made - {"resapermis-authority"} | keys | databases
    assert len(databases) == len(SERVICES) + len(kinds(department, "Database"))


def test_of_the_gateways_secret_others_see_the_public_keys_alone(department: list[Object]) -> None:
    for one in pods(department):
        items = [
            item["path"]
            for volume in one.spec["volumes"]
            if volume.get("secret", {}).get("secretName") == "resapermis-auth-gateway"
            for item in volume["secret"]["items"]
        ]
        assert one.component == "auth-gateway" or set(items) <= {"principal.jwks.json"}
