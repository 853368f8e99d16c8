"""docker-compose.yml has the walls of the table: who shares a network may call, nobody else; few lead out, and it is said who."""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from importlib import import_module
from itertools import combinations
from typing import Any

import pytest
import yaml

from containers.prepared import INSIDE, OUTSIDE
from containers.walls import CALLS, FRONT, GRAFANA, LEAD_OUT, OTEL, PROMETHEUS, THE_WORLD, USED_BY_ALL, may_meet, pair
from devstack.components import (
    BUS_ADMIN,
    DATABASES,
    MAIL,
    NATS,
    POSTGRES,
    SANDBOX,
    SERVICES,
    Outside,
    Service,
    callers_of,
)
from devstack.settings import ROOT

HOME = "${RESAPERMIS_COMPOSE_HOME:-./.resapermis/compose}"


@pytest.fixture
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return found


def members(compose: Mapping[str, Any]) -> dict[str, set[str]]:
    """Network → who is in it; a service's migration is counted as the service."""
    found: dict[str, set[str]] = {name: set() for name in compose["networks"]}
    for name, service in compose["services"].items():
        for network in service.get("networks", ()):
            found[network].add(name.removeprefix("migrate-"))
    return found


def meet(compose: Mapping[str, Any]) -> set[frozenset[str]]:
    return {pair(*two) for inside in members(compose).values() for two in combinations(inside, 2)}


def test_the_table_of_places_outside_says_who_leads_out() -> None:
    reaching = {place: {one.name for one in SERVICES if place in one.reaches} for place in Outside}
    assert reaching == {
        Outside.ISSUER: {"egress"},
        Outside.RDVPERMIS: {"egress"},
        Outside.SMTP: {"notification"},
        Outside.OTLP: {one.name for one in SERVICES},
    }
    assert {FRONT, "egress", "notification"} == LEAD_OUT
    assert {caller for caller, callees in CALLS.items() if SANDBOX in callees} == {"egress"}
    assert {caller for caller, callees in CALLS.items() if MAIL in callees} == {"notification", SANDBOX}


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_process_is_told_the_places_outside_that_it_reaches_and_no_other_knows_its_way(
    compose: dict[str, Any], service: Service
) -> None:
    given = set(compose["services"][service.name]["environment"])
    names = {place.value for place in service.reaches}
    assert names <= given
    # The web face compares tokens with the issuer's name, and asks it nothing.
    assert {place.value for place in Outside} & given - {Outside.ISSUER.value} == names - {Outside.ISSUER.value}


def leading_out(compose: Mapping[str, Any]) -> set[str]:
    internal = {name for name, network in compose["networks"].items() if (network or {}).get("internal") is True}
    return {
        name
        for name, service in compose["services"].items()
        if not set(service.get("networks", ())) <= internal
        or {"extra_hosts", "pid", "privileged"} & set(service)
        or service.get("network_mode", "none") != "none"
    }


def test_who_shares_a_network_is_who_may_call(compose: dict[str, Any]) -> None:
    assert meet(compose) == may_meet()


def test_only_the_door_egress_and_notification_are_in_a_network_that_leads_out(compose: dict[str, Any]) -> None:
    assert leading_out(compose) == LEAD_OUT | THE_WORLD
    assert {name for name, service in compose["services"].items() if "ports" in service} == {FRONT} | THE_WORLD


def test_the_three_that_lead_out_meet_nobody_else_there(compose: dict[str, Any]) -> None:
    outer = [
        inside for name, inside in members(compose).items() if not (compose["networks"][name] or {}).get("internal")
    ]
    assert sorted(map(sorted, outer)) == [["egress", SANDBOX], [FRONT, SANDBOX], [MAIL, "notification"]]


def test_a_migration_reaches_the_database_and_no_other_service(compose: dict[str, Any]) -> None:
    """It runs with the networks of its service's own: what all use is there, and the service."""
    migrations = [name for name in compose["services"] if name.startswith("migrate-")]
    assert len(migrations) == len([one for one in SERVICES if one.migrates])
    for name in migrations:
        own = name.removeprefix("migrate-")
        assert compose["services"][name]["networks"] == [f"{own}-base"]
        assert members(compose)[f"{own}-base"] == {own, *USED_BY_ALL}


@pytest.mark.parametrize(
    ("who", "network", "lead_out"),
    [("auth-gateway", "rdvpermis", True), ("audit", "egress-base", False), ("mandate", "rules-egress", False)],
)
def test_a_service_in_one_network_too_many_is_seen(
    compose: dict[str, Any], who: str, network: str, *, lead_out: bool
) -> None:
    wrong = deepcopy(compose)
    wrong["services"][who]["networks"].append(network)
    assert meet(wrong) > may_meet()
    assert (who in leading_out(wrong)) == lead_out


def test_a_network_that_is_no_longer_internal_and_one_too_few_are_seen(compose: dict[str, Any]) -> None:
    wrong = deepcopy(compose)
    del wrong["networks"]["front"]["internal"]
    assert "auth-gateway" in leading_out(wrong)
    few = deepcopy(compose)
    few["services"]["mandate"]["networks"].remove("mandate-egress")
    assert may_meet() - meet(few) == {pair("mandate", "egress")}


def settings_of(service: Service) -> type[Any]:
    module = f"{service.package}.{service.face}.settings" if service.face else f"{service.package}.settings"
    kinds = [
        kind
        for name, kind in vars(import_module(module)).items()
        if isinstance(kind, type) and name.endswith("Settings") and kind.__module__ == module
    ]
    (found,) = kinds
    return found


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_the_table_names_whom_a_service_has_addresses_of(service: Service) -> None:
    peers = {name for name in settings_of(service).model_fields if name.startswith("peer_")}
    assert peers == {"peer_" + name.replace("-", "_") for name in service.calls}


def test_a_service_lets_in_who_calls_it_and_no_other(compose: dict[str, Any]) -> None:
    for one in SERVICES:
        given = compose["services"][one.name]["environment"]["RESAPERMIS_GRPC_CLIENTS"]
        assert given == ",".join(callers_of(one)), one.name


def volumes(compose: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, service in compose["services"].items():
        for volume in service.get("volumes", []):
            yield name.removeprefix("migrate-"), volume


def test_each_process_mounts_the_keys_and_the_certificate_of_itself_alone(compose: dict[str, Any]) -> None:
    found = {
        (name, kept[1], kept[2])
        for name, volume in volumes(compose)
        if (kept := re.match(re.escape(HOME) + r"/(keys|tls|public)/([^/:]+)(?=:)", volume))
    }
    own = {(one.name, kind, one.name) for one in SERVICES for kind in ("keys", "tls")}
    beside = {(one, "tls", one) for one in (POSTGRES, NATS, OTEL, PROMETHEUS, GRAFANA)}
    public = {
        (FRONT, "public", "resapermis.localhost"),
        (SANDBOX, "public", "rdvpermis.localhost"),
        (MAIL, "public", MAIL),
    }
    authorities = {
        (FRONT, "tls", "ca.pem"),
        *((one, "public", "ca.pem") for one in ("auth-gateway", "egress", "notification")),
    }
    migrations = {(one.name, "tls", "ca.pem") for one in SERVICES if one.migrates}
    keys = {(name, "keys", name) for name in (POSTGRES, SANDBOX, "databases")}
    assert found == own | beside | public | authorities | migrations | keys | {(BUS_ADMIN, "tls", "operator")}
    assert {name for _, kind, name in found if kind == "tls"} - {"ca.pem"} == set(INSIDE)
    assert {name for _, kind, name in found if kind == "public"} - {"ca.pem"} == set(OUTSIDE)


def test_a_migration_is_given_its_owners_database_url_and_nothing_else(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        if name.startswith("migrate-"):
            assert service["environment"] == {"RESAPERMIS_DATABASE_URL_FILE": "/run/database-url"}
            assert service["volumes"] == [
                f"{HOME}/keys/{name}/database-url:/run/database-url:ro",
                f"{HOME}/tls/ca.pem:/run/tls/ca.pem:ro",
            ]


def test_no_secret_is_in_the_environment_and_everybody_runs_without_rights(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for variable, value in service.get("environment", {}).items():
            secret = re.search("SECRET|PASSWORD|KEY", variable)
            assert not secret or variable.endswith("_FILE") or str(value).startswith("/run/"), (name, variable)
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True
        assert service["user"].startswith("${RESAPERMIS_UID:-65532}")
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_every_connection_that_the_file_names_is_tls(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for variable, value in service.get("environment", {}).items():
            assert not re.search(r"(?:^|-)(?:http|smtp|nats)://", str(value)), (name, variable)
            # By a file (verify-full: test_prepared.py), or by the socket.
            assert not re.search("postgresql://[^/]*@[^/]", str(value)), (name, variable)


def test_by_the_network_services_databases_are_reached_and_no_other() -> None:
    lines = (ROOT / "deploy" / "postgres" / "pg_hba.conf").read_text(encoding="utf-8").splitlines()
    local, *others = [line.split() for line in lines if line and not line.startswith("#")]
    assert local == ["local", "all", "resapermis", "trust"]
    assert [line[0] for line in others] == ["hostssl"] * len(others)
    (let_in,) = [line for line in others if line[-1] != "reject"]
    assert set(let_in[1].split(",")) == {database.name for database in DATABASES}


def test_what_is_not_ours_is_a_setting_with_a_pinned_default(compose: dict[str, Any]) -> None:
    ours = re.compile(r"resapermis/[a-z-]+")
    for name, service in compose["services"].items():
        if not ours.fullmatch(service["image"]):
            assert re.fullmatch(
                r"\$\{RESAPERMIS_[A-Z]+_IMAGE:-docker\.io/[a-z/-]+:v?[0-9.]+(-alpine)?\}", service["image"]
            ), name


def test_the_file_is_one_that_docker_compose_1_reads(compose: dict[str, Any]) -> None:
    """Its schema knows no `name` at the top; the project is named in `.env`."""
    assert {word for word in compose if not word.startswith("x-")} == {"services", "networks"}


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_process_is_given_every_setting_that_it_cannot_start_without(
    compose: dict[str, Any], service: Service
) -> None:
    given = set(compose["services"][service.name]["environment"]) | {"RESAPERMIS_POLICIES"}  # the image's own
    for name, field in settings_of(service).model_fields.items():
        setting = f"RESAPERMIS_{name.upper()}"
        assert not field.is_required() or {setting, f"{setting}_FILE"} & given, setting
    peers = {one.peer_variable: f"{one.name}:9000" for one in SERVICES if one.name in service.calls}
    assert peers.items() <= compose["services"][service.name]["environment"].items()


def test_the_web_face_believes_the_door_alone_which_replaces_what_browsers_say_of_their_address(
    compose: dict[str, Any],
) -> None:
    (subnet,) = (one["subnet"] for one in compose["networks"]["front"]["ipam"]["config"])
    assert compose["services"]["auth-gateway"]["environment"]["RESAPERMIS_TRUSTED_PROXIES"] == subnet
    assert members(compose)["front"] == {FRONT, "auth-gateway"}
    door = (ROOT / "deploy" / "front" / "haproxy.cfg").read_text(encoding="utf-8")
    assert "http-request set-header X-Forwarded-For %[src]" in door
    assert "log " not in re.sub("#.*", "", door)
    assert re.findall(r"(?m)bind :(\d+)$", door) == ["8080"]  # which only leads to https
    door_port = compose["services"]["auth-gateway"]["environment"]["RESAPERMIS_REVERSE_PROXY"].removeprefix(f"{FRONT}:")
    assert f"bind :{door_port} ssl crt /run/public/door.pem" in door  # of which it watches the certificate
    published = {port.rpartition(":")[2] for port in compose["services"][FRONT]["ports"]}
    assert set(re.findall(r"bind :(\d+)", door)) == published
    assert {name.partition(":")[0] for name in re.findall(r"(?m)^ +server \S+ (\S+)", door)} == set(CALLS[FRONT])
