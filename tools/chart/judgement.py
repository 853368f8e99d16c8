"""What must hold of whatever is rendered: each rule is a function from objects to complaints. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta

from chart.objects import Object, Pods, kinds, pods
from chart.talk import differences
from devstack.components import SERVICES

Rule = Callable[[Sequence[Object]], list[str]]
DIGEST = re.compile(r"^[\w./:-]+@sha256:[0-9a-f]{64}$")
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|KEYSET|KEY(?!_FILE)|DATABASE_URL|JWK(?!S)", re.IGNORECASE)
CREDENTIALS_IN_URL = re.compile(r"://[^/@\s]+:[^/@\s]+@")
TOKEN_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a folder
MAKES_SECRETS = "first-steps"
AFTER_DRAIN = 10
"""Seconds that a process has after its calls have ended: requests of browsers, the last events."""


def _security_of(one: Pods) -> Iterator[str]:
    pod = one.spec.get("securityContext", {})
    for container in one.containers:
        own = container.get("securityContext", {})
        wanted = {
            "runAsNonRoot": own.get("runAsNonRoot", pod.get("runAsNonRoot")) is True,
            "a user above 0": own.get("runAsUser", pod.get("runAsUser", 0)) > 0,
            "allowPrivilegeEscalation: false": own.get("allowPrivilegeEscalation") is False,
            "readOnlyRootFilesystem": own.get("readOnlyRootFilesystem") is True,
            "drop ALL": own.get("capabilities") == {"drop": ["ALL"]},
            "seccomp RuntimeDefault": own.get("seccompProfile", pod.get("seccompProfile"))
            == {"type": "RuntimeDefault"},
        }
        yield from (f"{container['name']}: not {name}" for name, holds in wanted.items() if not holds)
    shared = {name for name in ("hostNetwork", "hostPID", "hostIPC") if one.spec.get(name)}
    yield from (f"shares the node's {name}" for name in sorted(shared))
    yield from (
        f"mounts a folder of the node ({volume['name']})"
        for volume in one.spec.get("volumes", [])
        if "hostPath" in volume
    )


def _token_of(one: Pods) -> Iterator[str]:
    if one.spec.get("automountServiceAccountToken") is not False:
        yield "a token of the API server is mounted unasked"
    projected = [
        source
        for volume in one.spec.get("volumes", [])
        for source in volume.get("projected", {}).get("sources", [])
        if "serviceAccountToken" in source
    ]
    if projected and one.component != MAKES_SECRETS:
        yield "a token of the API server is mounted"
    if one.spec.get("serviceAccountName", "default") == "default":
        yield "runs under the account that the namespace gives to everybody"


def _environment_of(one: Pods) -> Iterator[str]:
    for container in one.containers:
        if container.get("envFrom"):
            yield "takes its environment from elsewhere"
        for setting in container.get("env", []):
            name, value = setting["name"], setting.get("value", "")
            if "secretKeyRef" in setting.get("valueFrom", {}):
                yield f"{name} is a Secret's content"
            if SECRET.search(name) and not (name.endswith("_FILE") and value.startswith("/run/")):
                yield f"{name} looks like a secret, and is no file's name"
            if CREDENTIALS_IN_URL.search(value):
                yield f"{name} holds credentials"


def _digests_of(one: Pods) -> Iterator[str]:
    yield from (
        f"{container['image']} is not named by its digest"
        for container in one.containers
        if not DIGEST.match(container["image"])
    )


def _amounts_of(one: Pods) -> Iterator[str]:
    for container in one.containers:
        for kind in ("requests", "limits"):
            missing = {"cpu", "memory"} - container.get("resources", {}).get(kind, {}).keys()
            yield from (f"{container['name']}: {kind} say no {amount}" for amount in sorted(missing))


def _probes_of(one: Pods) -> Iterator[str]:
    if one.kind not in {"Deployment", "StatefulSet"}:
        return
    container = one.spec["containers"][0]
    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container.get(kind, {}).get("httpGet")
        if asked is None:
            yield f"no {kind}"
        elif asked["port"] not in one.ports:
            yield f"{kind} asks {asked['port']}, which is no port of it"


def _ending_of(one: Pods) -> Iterator[str]:
    if one.kind not in {"Deployment", "StatefulSet"}:
        return
    hook = one.spec["containers"][0].get("lifecycle", {}).get("preStop")
    if not hook:
        yield "no preStop: it is killed while it is still asked"
        return
    needed = (
        hook.get("sleep", {}).get("seconds", 0)
        + float(one.environment().get("RESAPERMIS_DRAIN_SECONDS", 0))
        + AFTER_DRAIN
    )
    if one.spec.get("terminationGracePeriodSeconds", 30) < needed:
        yield f"is killed after {one.spec.get('terminationGracePeriodSeconds', 30)} s, and needs {needed:.0f}"


def _spread_of(one: Pods) -> Iterator[str]:
    if one.kind not in {"Deployment", "StatefulSet"} or one.replicas < 2:
        return
    keys = {
        constraint["topologyKey"]
        for constraint in one.spec.get("topologySpreadConstraints", [])
        if constraint["labelSelector"]["matchLabels"].items() <= one.labels.items()
    }
    yield from (
        f"not spread over {key}" for key in sorted({"kubernetes.io/hostname", "topology.kubernetes.io/zone"} - keys)
    )


def _each(judge: Callable[[Pods], Iterator[str]]) -> Rule:
    def rule(objects: Sequence[Object]) -> list[str]:
        return [f"{one.kind} {one.name}: {wrong}" for one in pods(objects) for wrong in judge(one)]

    return rule


def budgets(objects: Sequence[Object]) -> list[str]:
    """What runs more than once, or may, has a PodDisruptionBudget of its own that lets one go at a time."""
    scaled = {one["spec"]["scaleTargetRef"]["name"] for one in kinds(objects, "HorizontalPodAutoscaler")}
    wrong = []
    for one in pods(objects):
        if one.kind in {"Deployment", "StatefulSet"} and (one.replicas > 1 or one.name in scaled):
            of_it = [
                budget["spec"]
                for budget in kinds(objects, "PodDisruptionBudget")
                if budget["spec"]["selector"]["matchLabels"].items() <= one.labels.items()
            ]
            if [budget.get("maxUnavailable") for budget in of_it] != [1]:
                wrong.append(f"{one.kind} {one.name}: {len(of_it)} budgets of disruptions, or not one at a time")
    return wrong


def migrations(objects: Sequence[Object]) -> list[str]:
    """Each database is migrated by its owner; who serves has the Secret of its own role."""
    wrong, owners = [], set()
    for one in pods(objects):
        used = {
            volume["secret"]["secretName"]
            for volume in one.spec.get("volumes", [])
            if volume.get("secret", {}).get("items") and volume["secret"]["secretName"].partition("-db-")[2]
        }
        migrates = one.component == "migrate"
        if migrates:
            owners |= used
        wrong += [
            f"{one.kind} {one.name}: {'migrates as a role that serves' if migrates else 'serves as an owner'} ({name})"
            for name in sorted(used)
            if name.endswith("-owner") != migrates and not name.endswith("-db-ca")
        ]
    roles_of = {service.name: f"-db-{service.role.replace('_', '-')}" for service in SERVICES}
    wrong += [
        f"{one.kind} {one.name}: serves as another than {roles_of[one.component]}"
        for one in pods(objects)
        if one.component in roles_of
        and not any(
            volume.get("secret", {}).get("secretName", "").endswith(roles_of[one.component])
            for volume in one.spec.get("volumes", [])
        )
    ]
    wanted = {service.database.replace("_", "-") for service in SERVICES}
    found = {name.partition("-db-")[2].removesuffix("-owner") for name in owners if name.endswith("-owner")}
    return wrong + [f"nobody migrates {name}" for name in sorted(wanted - found)]


def roles(objects: Sequence[Object]) -> list[str]:
    """Of each database one role owns it, and each process serves as its own; none may do more in the server."""
    wrong = []
    for cluster in kinds(objects, "Cluster"):
        found = {role["name"]: role for role in cluster["spec"]["managed"]["roles"]}
        wrong += [
            f"the role {name} may {word}"
            for name, role in found.items()
            for word in ("superuser", "createdb", "createrole")
            if role[word]
        ]
        owners = {one["spec"]["name"]: one["spec"]["owner"] for one in kinds(objects, "Database")}
        wanted = {service.database: f"{service.database}_owner" for service in SERVICES}
        if owners != wanted:
            wrong.append(f"databases and their owners are {owners}")
        serving = {service.role for service in SERVICES}
        wrong += [f"there is no role {name}" for name in sorted({*serving, *wanted.values()} - found.keys())]
    return wrong


def certificates(objects: Sequence[Object]) -> list[str]:
    """Each process has a certificate with its own name, first and alone for who is asked by it; short; renewed in time."""
    found = {
        one["metadata"]["name"]: one["spec"] for one in kinds(objects, "Certificate") if not one["spec"].get("isCA")
    }
    wrong = []
    for one in pods(objects):
        for volume in one.spec.get("volumes", []):
            secret = volume.get("secret", {}).get("secretName", "")
            if volume["name"] == "tls" and secret not in {spec["secretName"] for spec in found.values()}:
                wrong.append(f"{one.kind} {one.name}: nobody makes {secret}")
    for name, spec in found.items():
        if spec["dnsNames"][0] != spec["commonName"]:
            wrong.append(f"{name}: NATS would take {spec['dnsNames'][0]} for its user")
        if _span(spec["duration"]) > timedelta(days=7) or _span(spec["renewBefore"]) * 4 < _span(spec["duration"]):
            wrong.append(f"{name}: lives {spec['duration']}, is renewed {spec['renewBefore']} before its end")
        if spec["privateKey"].get("rotationPolicy") != "Always":
            wrong.append(f"{name}: keeps its key when it is renewed")
    return wrong


def _span(text: str) -> timedelta:
    hours, minutes = (re.search(rf"(\d+){unit}", text) for unit in "hm")
    return timedelta(hours=int(hours[1]) if hours else 0, minutes=int(minutes[1]) if minutes else 0)


def deny_by_default(objects: Sequence[Object]) -> list[str]:
    """Some policy selects every pod of the namespace, both ways, and lets nothing through."""
    nothing = [
        one
        for one in kinds(objects, "NetworkPolicy")
        if one["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    ]
    return [] if nothing else ["no policy forbids what none allows"]


RULES: Mapping[str, Rule] = {
    "restricted Pod Security": _each(_security_of),
    "no token of the API server": _each(_token_of),
    "no secret in an environment": _each(_environment_of),
    "images by digest": _each(_digests_of),
    "requests and limits": _each(_amounts_of),
    "probes": _each(_probes_of),
    "time to end": _each(_ending_of),
    "spread over nodes and zones": _each(_spread_of),
    "budgets of disruptions": budgets,
    "migrations by the owner": migrations,
    "roles of databases": roles,
    "certificates": certificates,
    "nobody unless": deny_by_default,
    "who talks to whom": differences,
}
"""By what they are about."""


def complaints(objects: Sequence[Object]) -> list[str]:
    """Of every rule."""
    return [f"{name}: {wrong}" for name, rule in RULES.items() for wrong in rule(objects)]
