"""What the chart gives each process, what it refuses to render, and that its copies are what they come from."""

import re
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx2
import pytest

from chart import generated, readme, sums, table, talk
from chart.helm import APIS, CHART, NAMESPACE, TRIAL, NotRendered, Object, render, rendered, size
from chart.objects import Pods, is_hook, kinds, named, pods
from devstack.components import BUS_ADMIN, DATABASES, KEYSETS, NATS, OPERATOR, SERVICES, Service
from devstack.settings import ROOT
from resapermis_kit.process.http import PLATFORM, probes
from resapermis_kit.process.settings import BusSettings, ServiceSettings
from resapermis_kit.process.telemetry import Health

pytestmark = pytest.mark.req("P-02", "P-04")
OF_THE_IMAGE = {"RESAPERMIS_POLICIES"}
"""What the image itself sets."""


def deployment(objects: list[Object], name: str) -> Pods:
    return next(one for one in pods(objects) if one.kind in {"Deployment", "StatefulSet"} and one.component == name)


def settings_of(service: Service) -> type[Any]:
    module = f"{service.package}.{service.face}.settings" if service.face else f"{service.package}.settings"
    (found,) = (
        kind
        for name, kind in vars(import_module(module)).items()
        if isinstance(kind, type) and name.endswith("Settings") and kind.__module__ == module
    )
    return found


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_process_is_given_every_setting_that_it_needs_and_none_that_it_does_not_know(
    service: Service, department: list[Object]
) -> None:
    given = set(deployment(department, service.name).environment())
    fields = {f"RESAPERMIS_{name.upper()}": field for name, field in settings_of(service).model_fields.items()}
    needed = {name for name, field in fields.items() if field.is_required()} - OF_THE_IMAGE
    assert {name for name in needed if not {name, f"{name}_FILE"} & given} == set()
    known = fields.keys() | {f"{name}_FILE" for name in fields}
    assert given - known == set()


def test_bus_admin_is_given_what_it_needs(department: list[Object], national: list[Object]) -> None:
    given = deployment(department, BUS_ADMIN).environment()
    fields = {f"RESAPERMIS_{name.upper()}": field for name, field in BusSettings.model_fields.items()}
    assert given.keys() <= fields.keys()
    assert {name for name, field in fields.items() if field.is_required()} <= given.keys() | OF_THE_IMAGE
    assert deployment(national, BUS_ADMIN).environment()["RESAPERMIS_NATS_REPLICAS"] == "3"


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_it_finds_each_peer_at_every_replica_by_a_name_of_that_peers_own(
    service: Service, department: list[Object]
) -> None:
    environment = deployment(department, service.name).environment()
    peers = {name: value for name, value in environment.items() if name.startswith("RESAPERMIS_PEER_")}
    known = {one.peer_variable: one for one in SERVICES}
    assert {known[name].name for name in peers} == set(service.calls)
    for name, address in peers.items():
        found = re.fullmatch(r"dns:///(resapermis-[a-z-]+)\.resapermis\.svc:(\d+)", address)
        assert found is not None
        headless = named(department, "Service", found[1])["spec"]
        assert headless["clusterIP"] == "None"
        assert headless["selector"].items() <= deployment(department, known[name].name).labels.items()
        assert int(found[2]) in {port["port"] for port in headless["ports"]}


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_it_lets_in_the_certificates_of_who_calls_it_and_no_other(service: Service, department: list[Object]) -> None:
    """Whom its NetworkPolicy lets in, by their names."""
    clients = deployment(department, service.name).environment()["RESAPERMIS_GRPC_CLIENTS"].split(",")
    assert set(clients) == {one.name for one in SERVICES if service.name in one.calls}
    for client in clients:
        assert named(department, "Certificate", f"resapermis-tls-{client}")["spec"]["dnsNames"][0] == client


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_file_that_a_setting_names_is_mounted(service: Service, department: list[Object]) -> None:
    one = deployment(department, service.name)
    mounts = {mount["name"]: mount["mountPath"] for mount in one.spec["containers"][0]["volumeMounts"]}
    files = {
        f"{mounts[volume['name']]}/{item['path']}"
        for volume in one.spec["volumes"]
        if "secret" in volume
        for item in volume["secret"]["items"]
    } | {
        f"{mounts[volume['name']]}/{key}"
        for volume in one.spec["volumes"]
        if "configMap" in volume
        for key in named(department, "ConfigMap", volume["configMap"]["name"])["data"]
    }
    named_files = {
        value for name, value in one.environment().items() if value.startswith("/run/") and name != "RESAPERMIS_TLS_DIR"
    }
    assert named_files <= files
    assert {"/run/tls/ca.pem", "/run/tls/tls.pem", "/run/tls/tls.key"} <= files
    assert ("/run/secrets/keyset.json" in files) == (service.keyset in KEYSETS)


def test_files_that_are_renewed_are_mounted_as_folders(department: list[Object]) -> None:
    """A file mounted by itself (subPath) stays what it was when the pod began."""
    for one in pods(department):
        assert not [mount for container in one.containers for mount in container["volumeMounts"] if "subPath" in mount]


async def test_each_probe_of_a_process_is_answered_by_the_kit(department: list[Object]) -> None:
    health = Health()
    health.started = True
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(probes(health)), base_url="http://kit") as web:
        for name in (BUS_ADMIN, *(one.name for one in SERVICES)):
            container = deployment(department, name).spec["containers"][0]
            for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
                asked = container[kind]["httpGet"]
                assert asked["port"] == "metrics"
                assert (await web.get(asked["path"])).status_code == 200
        health.started = False
        assert (await web.get(container["livenessProbe"]["httpGet"]["path"])).status_code == 200
        assert (await web.get(container["readinessProbe"]["httpGet"]["path"])).status_code == 503


REFUSED = {
    "an unknown value": ({"services.basket.replica": "2"}, "replica"),
    "a value of another kind": ({"services.basket.replicas": '"two"'}, "replicas"),
    "plain http for people": ({"publicUrl": '"http://resapermis.example"'}, "publicUrl"),
    "mails in clear": ({"outside.smtp.url": '"smtp://mail.example:25"'}, "smtp"),
    "an image without a digest": ({"image.digests.basket": '""'}, "image.digests.basket"),
    "more connections than PostgreSQL takes": ({"database.cluster.maxConnections": "200"}, "the processes may hold"),
    "as many synchronous standbys as servers": ({"database.cluster.instances": "1"}, "synchronous"),
    "an even number of NATS' servers": ({"nats.replicas": "2"}, "nats.replicas"),
    "migrations at some other time": ({"migrations.hook": '"never"'}, "hook"),
    "a call of nobody": ({"services.audit.calls": '["nobody"]'}, "nobody"),
    "no place for backups": ({"database.cluster.backup.destination": '""'}, "backup.destination"),
    "a peer that is everybody": ({"edge.from": "[]"}, "from"),
    "a bus outside that is everybody": ({"nats.url": '"tls://nats.example:4222"'}, "nats.to"),
    "databases outside that are everybody": (
        {"database.cluster.enabled": "false", "database.outside.authoritySecret": '"authority"'},
        "database.outside.to",
    ),
}


@pytest.mark.parametrize(("given", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_is_refused_with_a_reason(given: dict[str, str], told: str) -> None:
    with pytest.raises(NotRendered, match=re.escape(told)):
        rendered("department", given=given)


@pytest.mark.parametrize(
    ("monitor", "asked"),
    [("https://one.example:8333,https://two.example", {443, 8333}), ("", set())],
    ids=["with its monitors", "not asked"],
)
def test_a_bus_outside_is_reached_on_the_ports_that_its_urls_name(monitor: str, asked: set[int]) -> None:
    given = {
        "nats.url": '"tls://one.example:4333,tls://two.example"',
        "nats.monitor": f'"{monitor}"',
        "nats.to": '[{"ipBlock": {"cidr": "10.8.0.0/16"}}]',
    }
    objects = rendered("department", given=given)
    for name, ports in (("basket", {4222, 4333} | asked), (BUS_ADMIN, {4222, 4333} | asked), ("invariants", asked)):
        rules = named(objects, "NetworkPolicy", f"resapermis-{name}")["spec"]["egress"]
        to_bus = [rule for rule in rules if {"ipBlock": {"cidr": "10.8.0.0/16"}} in rule["to"]]
        assert {port["port"] for rule in to_bus for port in rule["ports"]} == ports
        assert all(rule["ports"] for rule in to_bus)


def test_a_client_may_prove_itself_by_a_key_and_have_no_secret(tmp_path: Path) -> None:
    """As docs/providers.md writes it."""
    page = (ROOT / "docs" / "providers.md").read_text(encoding="utf-8")
    (values,) = re.findall(r"```yaml\n(services:\n  egress:\n    secrets:\n.*?)```", page, re.DOTALL)
    mine = tmp_path / "mine.yaml"
    mine.write_text(values, encoding="utf-8")
    egress = deployment(render(size("department"), TRIAL, mine), "egress")
    given = egress.environment()
    assert given["RESAPERMIS_OIDC_CLIENT_KEY_FILE"] == "/run/secrets/oidc-client-key.json"
    assert "RESAPERMIS_OIDC_CLIENT_SECRET_FILE" not in given
    (own,) = [volume["secret"]["items"] for volume in egress.spec["volumes"] if volume["name"] == "own"]
    assert {item["key"] for item in own} == {"keyset.json", "oidc-client-key.json"}


RESTORE = {
    "database.cluster.recovery.serverName": '"resapermis-db"',
    "database.cluster.recovery.targetTime": '"2026-11-30 09:00:00+00"',
    "database.cluster.backup.serverName": '"resapermis-db-2"',
}


@pytest.mark.req("D-15")
def test_a_cluster_is_restored_from_backups_and_archives_beside_them(department: list[Object]) -> None:
    cluster = named(rendered("department", given=RESTORE), "Cluster", "resapermis-db")["spec"]
    assert cluster["bootstrap"] == {
        "recovery": {"source": "backups", "recoveryTarget": {"targetTime": "2026-11-30 09:00:00+00"}}
    }
    (source,) = cluster["externalClusters"]
    restored, archive = source["plugin"]["parameters"], cluster["plugins"][0]["parameters"]
    assert source["name"] == "backups"
    assert (restored["serverName"], archive["serverName"]) == ("resapermis-db", "resapermis-db-2")
    assert restored["barmanObjectName"] == archive["barmanObjectName"] == "resapermis-db"
    usual = named(department, "Cluster", "resapermis-db")["spec"]
    assert usual["bootstrap"].keys() == {"initdb"}
    assert "externalClusters" not in usual
    assert usual["plugins"][0]["parameters"]["serverName"] == restored["serverName"], "where the next restore finds it"


@pytest.mark.req("D-15")
@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"database.cluster.backup.serverName": '""'}, "another than resapermis-db"),
        ({"database.cluster.backup.enabled": "false"}, "backups are read by"),
        ({"database.cluster.recovery.targetTime": '"yesterday"'}, "targetTime"),
    ],
)
def test_a_restore_that_would_write_over_what_it_reads_is_not_rendered(change: dict[str, str], refusal: str) -> None:
    with pytest.raises(NotRendered, match=refusal):
        rendered("department", given=RESTORE | change)


@pytest.mark.parametrize("api", [api for api in APIS if not api.startswith(("external-secrets", "custom.metrics"))])
def test_an_operator_that_is_missing_is_named(api: str) -> None:
    with pytest.raises(NotRendered, match=f"{re.escape(api)}: install .+ first"):
        render(size("department"), TRIAL, apis=[one for one in APIS if one != api])


def test_the_two_tables_are_one() -> None:
    assert table.differences(table.services()) == []


def test_a_call_more_or_a_place_less_in_the_charts_table_is_seen() -> None:
    more: Any = deepcopy(table.services())
    more["mandate"]["calls"].append("basket")
    more["notification"]["reaches"].remove("smtp")
    more["egress"]["database"] = "basket"
    assert [line.partition(" is ")[0] for line in table.differences(more)] == [
        "services.egress.database",
        "services.mandate.calls",
        "services.notification.reaches",
    ]


def test_copies_are_what_they_come_from_and_a_changed_one_is_seen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert generated.stale() == []
    other = tmp_path / "alerts.yml"
    other.write_text("groups: []\n", encoding="utf-8")
    monkeypatch.setattr(generated, "RULES", tmp_path)
    assert any("files/rules/alerts.yml" in line for line in generated.stale())


def test_every_alert_arrives_as_prometheus_is_to_read_it(department: list[Object]) -> None:
    """Helm leaves `{{ $labels }}` alone: it is Prometheus' own."""
    text = (ROOT / "deploy" / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
    rules = [
        rule
        for one in kinds(department, "PrometheusRule")
        for group in one["spec"]["groups"]
        for rule in group["rules"]
    ]
    names = {rule.get("alert") for rule in rules}
    assert set(re.findall(r"- alert: (\w+)", text)) <= names
    summaries = " ".join(rule["annotations"]["summary"] for rule in rules if "alert" in rule)
    assert "{{ $labels.service }}" in summaries


def test_another_platform_of_the_cluster_does_not_stand_in_for_a_service_that_is_gone(
    department: list[Object],
) -> None:
    absent = [
        expression
        for one in kinds(department, "PrometheusRule")
        for group in one["spec"]["groups"]
        for rule in group["rules"]
        for expression in re.findall(r"absent\([^)]*\)", rule["expr"])
    ]
    assert {f'absent(up{{job="resapermis",namespace="{NAMESPACE}",service="{one.name}"}})' for one in SERVICES} < {
        *absent
    }
    assert all(f'namespace="{NAMESPACE}"' in expression for expression in absent)


def test_alerts_lead_to_their_runbooks_where_these_are_read() -> None:
    where = {"monitoring.runbooks": '"https://docs.example/0.2.0"'}
    links = [
        rule["annotations"]["runbook_url"]
        for one in kinds(rendered("department", given=where), "PrometheusRule")
        for group in one["spec"]["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    assert links
    assert all(link.startswith("https://docs.example/0.2.0/docs/runbooks/") for link in links)


def test_metrics_are_labelled_as_alerts_ask_for_them(department: list[Object]) -> None:
    monitor = named(department, "PodMonitor", "resapermis-processes")["spec"]
    relabelled = {rule["targetLabel"]: rule for rule in monitor["podMetricsEndpoints"][0]["relabelings"]}
    assert relabelled["service"]["sourceLabels"] == ["__meta_kubernetes_pod_label_app_kubernetes_io_component"]
    chosen = monitor["selector"]["matchExpressions"][0]["values"]
    assert set(chosen) == {BUS_ADMIN, *(one.name for one in SERVICES)}


def test_helm_test_asks_every_process_and_whether_the_platform_serves(department: list[Object]) -> None:
    (asks,) = (one for one in pods(department) if one.component == "serves")
    assert asks.kind == "Pod", "helm test --logs looks for one of the hook's name"
    asked = {
        url.rpartition("svc:")[2] + " " + url.split("/")[2].split(".")[0]
        for url in asks.containers[0]["args"]
        if url.startswith("http")
    }
    wanted = {f"9100/readyz resapermis-{name}" for name in (BUS_ADMIN, *(one.name for one in SERVICES))}
    assert asked == wanted | {f"9100{PLATFORM} resapermis-auth-gateway"}


def test_hsts_at_the_edge_is_what_the_web_face_sends(department: list[Object]) -> None:
    headers = (ROOT / "services/auth-gateway/src/resapermis_auth_gateway/web/security/headers.py").read_text(
        encoding="utf-8"
    )
    route = named(department, "HTTPRoute", "resapermis-auth-gateway")["spec"]["rules"][0]
    (header,) = route["filters"][0]["responseHeaderModifier"]["set"]
    assert header["name"] == "Strict-Transport-Security"
    assert f'"{header["value"]}"' in headers


def test_migrations_come_before_all_else_in_an_upgrade_and_beside_the_database_at_first(
    national: list[Object], upgrade: list[Object]
) -> None:
    for objects, hook in ((national, None), (upgrade, "pre-upgrade")):
        jobs = [one for one in kinds(objects, "Job") if "-migrate-" in one["metadata"]["name"]]
        assert len(jobs) == len({one.database for one in SERVICES})
        assert {one["metadata"].get("annotations", {}).get("helm.sh/hook") for one in jobs} == {hook}


def test_what_the_page_says_of_going_back_is_what_helm_does(upgrade: list[Object], department: list[Object]) -> None:
    """A rollback makes again what its revision's manifest holds, hooks of an upgrade not among it."""
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    found = re.search(r"`(resapermis-migrate)-<database>-(\d+)`", page)
    assert found is not None
    first = {one["metadata"]["name"] for one in kinds(department, "Job") if not is_hook(one, "pre-install")}
    names = {f"{found[1]}-{one.database.replace('_', '-')}-{found[2]}" for one in SERVICES}
    assert names <= first
    jobs = [one for one in kinds(upgrade, "Job") if one["metadata"]["name"].startswith(found[1])]
    assert jobs
    assert all(is_hook(one, "pre-upgrade") and not is_hook(one, "pre-rollback") for one in jobs)


def test_where_another_tool_renders_migrations_come_first_when_it_is_told_so() -> None:
    """`helm template` knows neither upgrades nor revisions: the Job of before has the same name, and cannot be changed."""
    objects = rendered("department", given={"migrations.hook": '"always"'})
    jobs = [one["metadata"] for one in kinds(objects, "Job") if "-migrate-" in one["metadata"]["name"]]
    assert len(jobs) == len({one.database for one in SERVICES})
    for job in jobs:
        assert job["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
        assert "before-hook-creation" in job["annotations"]["helm.sh/hook-delete-policy"]


def test_helm_waits_for_longer_than_a_migration_may_take(upgrade: list[Object]) -> None:
    """By itself it gives up after five minutes, and leaves a release that failed beside a migration that goes on."""
    (most,) = {
        one["spec"]["activeDeadlineSeconds"] for one in kinds(upgrade, "Job") if "-migrate-" in one["metadata"]["name"]
    }
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    commands = re.findall(r"^helm upgrade .*$", page, re.MULTILINE)
    assert commands
    for command in commands:
        told = re.search(r" --timeout (\d+)m", command)
        assert told is not None, command
        assert int(told[1]) * 60 >= most + 300
    notes = (CHART / "templates" / "NOTES.txt").read_text(encoding="utf-8")
    assert "--timeout {{ add .Values.migrations.seconds 300 }}s" in notes


def test_a_queue_adds_replicas_and_slowly_takes_them_away(national: list[Object]) -> None:
    exported = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "services").glob("*/src/**/*.py"))
    queued = set()
    for one in kinds(national, "HorizontalPodAutoscaler"):
        name, spec = one["metadata"]["name"], one["spec"]
        assert "replicas" not in named(national, "Deployment", name)["spec"]
        assert (
            spec["behavior"]["scaleUp"]["stabilizationWindowSeconds"]
            < spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"]
        )
        assert spec["metrics"][0]["resource"]["name"] == "cpu"
        for metric in spec["metrics"][1:]:
            queued.add(name)
            assert f'"{metric["pods"]["metric"]["name"]}"' in exported
    assert queued == {"resapermis-auth-gateway", "resapermis-basket"}


def test_a_service_that_is_held_stays_on_its_image_and_its_database_is_migrated_by_the_new_one() -> None:
    old = f"sha256:{'f' * 64}"
    objects = rendered("department", given={"services.egress.held": f'"{old}"'}, upgrade=True)
    assert deployment(objects, "egress").containers[0]["image"].endswith(old)
    assert not deployment(objects, "auth-gateway").containers[0]["image"].endswith(old)
    assert not [one for one in pods(objects) if one.component == "migrate" and one.containers[0]["image"].endswith(old)]


def test_first_steps_run_once_with_a_right_to_create_secrets_and_no_other() -> None:
    objects = rendered("small", given={"firstSteps.secrets": "true", "firstSteps.given": '"given"'})
    role = named(objects, "Role", "resapermis-first-steps")
    assert role["rules"] == [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]}]
    job = named(objects, "Job", "resapermis-first-steps")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install"
    with_token = {
        one.component for one in pods(objects) if any("projected" in volume for volume in one.spec["volumes"])
    }
    assert with_token == {"first-steps"}


def test_the_first_administrators_code_is_a_hash_that_a_job_takes_to_the_database_and_nowhere_else() -> None:
    digest = "0123456789abcdef" * 4
    objects = rendered("small", given={"firstSteps.administrator": f'"{digest}"'})
    (pod,) = [one for one in pods(objects) if one.component == "first-administrator"]
    assert pod.containers[0]["args"] == ["people", "first-administrator", "--code-hash", digest]
    assert pod.containers[0]["env"] == [
        {"name": "RESAPERMIS_AUTH_GATEWAY_DATABASE_URL_FILE", "value": "/run/database/url"}
    ]
    secrets = [one["projected"]["sources"] if "projected" in one else one.get("secret") for one in pod.spec["volumes"]]
    assert "resapermis-db-auth-gateway-web" in str(secrets)
    assert talk.differences(objects) == []
    objects.remove(named(objects, "NetworkPolicy", "resapermis-first-administrator"))
    assert any(line.startswith("first-administrator may not ask") for line in talk.differences(objects))
    assert not [one for one in pods(rendered("small")) if one.component == "first-administrator"]


def test_first_steps_reach_the_api_server_and_nobody_else_before_they_begin() -> None:
    """Where another release, or the same, has its policies already, the Job could ask nobody without one of its own."""
    objects = rendered("department", given={"firstSteps.secrets": "true"})
    policy, job = (named(objects, kind, "resapermis-first-steps") for kind in ("NetworkPolicy", "Job"))
    weights = [int(one["metadata"]["annotations"]["helm.sh/hook-weight"]) for one in (policy, job)]
    assert policy["metadata"]["annotations"]["helm.sh/hook"] == "pre-install"
    assert weights == sorted(set(weights))
    assert talk.differences(objects) == []
    objects.remove(policy)
    assert any(line.startswith("first-steps may not ask") for line in talk.differences(objects))


def test_a_certificate_is_good_for_what_its_process_does(department: list[Object]) -> None:
    """Who only asks cannot be taken for a server; NATS' servers ask each other, one alone asks nobody."""
    uses = {
        certificate["spec"]["commonName"]: set(certificate["spec"]["usages"]) - {"digital signature"}
        for certificate in kinds(department, "Certificate")
        if not certificate["spec"].get("isCA")
    }
    both = {"server auth", "client auth"}
    assert uses == {one.name: both for one in SERVICES} | {NATS: both, OPERATOR: {"client auth"}}
    alone = named(rendered("small"), "Certificate", "resapermis-tls-nats")["spec"]
    assert alone["usages"] == ["digital signature", "server auth"]


def test_values_are_all_explained() -> None:
    rows = {row.name for row in readme.rows((CHART / "values.yaml").read_text(encoding="utf-8"))}
    assert {"publicUrl", "services", "image.digests", "nats.replicas"} <= rows
    with pytest.raises(readme.Undocumented, match="b"):
        readme.rows("# -- a\na: 1\nb: 2\n")


def test_sizes_fit_into_their_connections_and_grow(department: list[Object], national: list[Object]) -> None:
    for objects in (department, national):
        held, taken = sums.connections(objects)
        assert held + sums.RESERVED <= taken
    few, many = (
        sums.asked(national, sums.least(national), "requests"),
        sums.asked(national, sums.most(national), "requests"),
    )
    assert few < many


def test_each_role_may_hold_what_its_processes_hold(department: list[Object]) -> None:
    """One process that opens too many connections takes none from the others."""
    limits = {
        role["name"]: role["connectionLimit"]
        for role in named(department, "Cluster", "resapermis-db")["spec"]["managed"]["roles"]
    }
    often = sums.most(department)
    for service in SERVICES:
        one = deployment(department, service.name)
        pool = int(one.environment()["RESAPERMIS_DATABASE_POOL"])
        assert limits[service.role] == (often[one.name] + 1) * (pool + 2) + 2


def test_by_the_network_services_databases_are_reached_over_tls_and_no_other(department: list[Object]) -> None:
    (cluster,) = [one for one in department if one["kind"] == "Cluster"]
    clear, let_in, last = [line.split() for line in cluster["spec"]["postgresql"]["pg_hba"]]
    assert (clear, last) == (["hostnossl", "all", "all", "all", "reject"], ["host", "all", "all", "all", "reject"])
    assert (let_in[0], let_in[2:]) == ("hostssl", ["all", "all", "scram-sha-256"])
    assert set(let_in[1].split(",")) == {database.name for database in DATABASES}


def test_a_pool_holds_what_a_service_keeps_for_good() -> None:
    """The chart's pools are those of the settings, where it does not say more."""
    for one in SERVICES:
        default = settings_of(one).model_fields["database_pool"].default
        assert table.services()[one.name]["pool"] >= default
    assert issubclass(settings_of(SERVICES[0]), ServiceSettings)
