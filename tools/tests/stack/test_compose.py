"""docker-compose.yml has the walls of the table: who shares a network may call, nobody else; few lead out, and it is said who."""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from importlib import import_module
from itertools import combinations
from typing import Any

import pytest
import yaml

from devstack.components import BUS_ADMIN, MAIL, NATS, POSTGRES, SANDBOX, SERVICES, Service
from devstack.settings import ROOT

FRONT, OTEL, PROMETHEUS, GRAFANA = "front", "otel", "prometheus", "grafana"
USED_BY_ALL = frozenset({POSTGRES, NATS, OTEL, PROMETHEUS})
"""They meet in the network of each process that uses them; Prometheus asks the process."""
CALLS: Mapping[str, tuple[str, ...]] = {
    **{one.name: (*one.calls, POSTGRES, NATS, OTEL) for one in SERVICES},
    "egress": (POSTGRES, NATS, OTEL, SANDBOX),
    "notification": (*next(one.calls for one in SERVICES if one.name == "notification"), POSTGRES, NATS, OTEL, MAIL),
    BUS_ADMIN: (NATS, OTEL),
    PROMETHEUS: (*(one.name for one in SERVICES), BUS_ADMIN),
    GRAFANA: (PROMETHEUS,),
    FRONT: ("auth-gateway", PROMETHEUS, GRAFANA),
    SANDBOX: (FRONT, MAIL),  # as the world: it comes in by the one door
}
LEAD_OUT = {FRONT, "egress", "notification"}
THE_WORLD = {SANDBOX, MAIL}
"""What a real deployment has outside."""


@pytest.fixture
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return found


def pair(one: str, other: str) -> frozenset[str]:
    return frozenset({one, other})


def may_call() -> set[frozenset[str]]:
    called = {pair(caller, callee) for caller, callees in CALLS.items() for callee in callees if callee != caller}
    return called | {pair(*two) for two in combinations(USED_BY_ALL, 2)}


def members(compose: Mapping[str, Any]) -> dict[str, set[str]]:
    """Network → who is in it; a service's migration is counted as the service."""
    found: dict[str, set[str]] = {name: set() for name in compose["networks"]}
    for name, service in compose["services"].items():
        for network in service["networks"]:
            found[network].add(name.removeprefix("migrate-"))
    return found


def meet(compose: Mapping[str, Any]) -> set[frozenset[str]]:
    return {pair(*two) for inside in members(compose).values() for two in combinations(inside, 2)}


def leading_out(compose: Mapping[str, Any]) -> set[str]:
    internal = {name for name, network in compose["networks"].items() if (network or {}).get("internal") is True}
    return {
        name
        for name, service in compose["services"].items()
        if not set(service["networks"]) <= internal
        or {"network_mode", "extra_hosts", "pid", "privileged"} & set(service)
    }


def test_who_shares_a_network_is_who_may_call(compose: dict[str, Any]) -> None:
    assert meet(compose) == may_call()


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
    assert meet(wrong) > may_call()
    assert (who in leading_out(wrong)) == lead_out


def test_a_network_that_is_no_longer_internal_and_one_too_few_are_seen(compose: dict[str, Any]) -> None:
    wrong = deepcopy(compose)
    del wrong["networks"]["front"]["internal"]
    assert "auth-gateway" in leading_out(wrong)
    few = deepcopy(compose)
    few["services"]["mandate"]["networks"].remove("mandate-egress")
    assert may_call() - meet(few) == {pair("mandate", "egress")}


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


def volumes(compose: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, service in compose["services"].items():
        for volume in service.get("volumes", []):
            yield name.removeprefix("migrate-"), volume


def test_each_process_mounts_the_keys_and_the_certificate_of_itself_alone(compose: dict[str, Any]) -> None:
    found = {
        (name, kept[1], kept[2])
        for name, volume in volumes(compose)
        if (kept := re.match(r"\./\.resapermis/compose/(keys|tls)/([^/:]+)", volume))
    }
    own = {(one.name, kind, one.name) for one in SERVICES for kind in ("keys", "tls")}
    assert found == own | {(NATS, "tls", NATS), (BUS_ADMIN, "tls", "operator")}


def test_a_migration_is_given_its_database_and_nothing_else(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        if name.startswith("migrate-"):
            own = name.removeprefix("migrate-")
            assert service["environment"] == {"RESAPERMIS_DATABASE_URL_FILE": "/run/database-url"}
            assert service["volumes"] == [f"./.resapermis/compose/keys/{own}/database-url:/run/database-url:ro"]


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
    published = {port.rpartition(":")[2] for port in compose["services"][FRONT]["ports"]}
    assert set(re.findall(r"bind :(\d+)", door)) == published
    assert {name.partition(":")[0] for name in re.findall(r"(?m)^ +server \S+ (\S+)", door)} == set(CALLS[FRONT])
