"""The evaluator of NetworkPolicies reads them as Kubernetes does."""

from typing import Any

import pytest

from chart.reachable import End, Unknown, may_talk, talks

WEB = End("web", "ours", {"app": "web"}, ports=(80,))
DATA = End("data", "ours", {"app": "data"}, ports=(5432,))
OTHER = End("other", "theirs", {"app": "web"}, ports=(80,))
WORLD = End("world", address="203.0.113.7", ports=(443,))


def policy(selector: dict[str, Any], **rules: Any) -> dict[str, Any]:
    kinds = [kind for kind in ("Ingress", "Egress") if kind.lower() in rules]
    return {"metadata": {"namespace": "ours"}, "spec": {"podSelector": selector, "policyTypes": kinds, **rules}}


def labels(**wanted: str) -> dict[str, Any]:
    return {"matchLabels": wanted}


def test_without_a_policy_everybody_talks_to_everybody() -> None:
    assert len(talks([], [WEB, DATA, OTHER, WORLD], may_talk)) == 16


def test_who_is_selected_is_open_only_to_what_a_policy_lets_through() -> None:
    lets = [
        policy(labels(app="data"), ingress=[{"from": [{"podSelector": labels(app="web")}], "ports": [{"port": 5432}]}])
    ]
    assert may_talk(lets, WEB, DATA, 5432)
    assert not may_talk(lets, WEB, DATA, 80)
    assert not may_talk(lets, OTHER, DATA, 5432)  # of another namespace
    assert not may_talk(lets, WORLD, DATA, 5432)


def test_both_ends_must_let_it_through() -> None:
    shut = [policy(labels(app="web"), egress=[])]
    assert not may_talk(shut, WEB, DATA, 5432)
    assert may_talk(shut, OTHER, DATA, 5432)


def test_policies_add_up() -> None:
    nobody, one = policy({}, ingress=[], egress=[]), policy({}, ingress=[{}], egress=[{}])
    assert not may_talk([nobody], WEB, DATA, 5432)
    assert may_talk([nobody, one], WEB, DATA, 5432)


def test_a_rule_without_peers_is_for_everybody_and_one_without_ports_for_every_port() -> None:
    lets = [
        policy(
            labels(app="data"), ingress=[{"ports": [{"port": 5432}]}, {"from": [{"podSelector": labels(app="web")}]}]
        )
    ]
    assert may_talk(lets, WORLD, DATA, 5432)
    assert not may_talk(lets, WORLD, DATA, 1)
    assert may_talk(lets, WEB, DATA, 1)


def test_a_namespace_and_a_pod_in_one_peer_are_both_asked_for_and_in_two_either() -> None:
    theirs, web = (
        {"namespaceSelector": labels(**{"kubernetes.io/metadata.name": "theirs"})},
        {"podSelector": labels(app="data")},
    )
    both = [policy(labels(app="data"), ingress=[{"from": [{**theirs, **web}]}])]
    either = [policy(labels(app="data"), ingress=[{"from": [theirs, web]}])]
    assert not may_talk(both, OTHER, DATA, 5432)
    assert may_talk(either, OTHER, DATA, 5432)


def test_addresses_but_for_those_left_out() -> None:
    block = {"ipBlock": {"cidr": "203.0.113.0/24", "except": ["203.0.113.7/32"]}}
    assert not may_talk([policy({}, egress=[{"to": [block]}])], WEB, WORLD, 443)
    del block["ipBlock"]["except"]
    assert may_talk([policy({}, egress=[{"to": [block]}])], WEB, WORLD, 443)


@pytest.mark.parametrize(
    ("operator", "values", "holds"),
    [
        ("In", ["web"], True),
        ("In", ["data"], False),
        ("NotIn", ["web"], False),
        ("Exists", [], True),
        ("DoesNotExist", [], False),
    ],
)
def test_expressions(operator: str, values: list[str], *, holds: bool) -> None:
    chosen = {"matchExpressions": [{"key": "app", "operator": operator, "values": values}]}
    assert may_talk([policy(chosen, ingress=[])], DATA, WEB, 80) == (not holds)


@pytest.mark.parametrize("port", [{"port": "http"}, {"port": 80, "endPort": 90}])
def test_what_it_does_not_know_is_refused(port: dict[str, Any]) -> None:
    with pytest.raises(Unknown):
        may_talk([policy({}, ingress=[{"ports": [port]}])], DATA, WEB, 80)
