"""Who may open a connection to whom, by NetworkPolicies: a small evaluator of their rules. Pure.

It knows what ours say: podSelector and namespaceSelector by labels (matchLabels, In, NotIn, Exists, DoesNotExist), ipBlock, ports
by number. A policy that says more is refused rather than misread.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

Policy = Mapping[str, Any]
Labels = Mapping[str, str]
NAMESPACE_NAME = "kubernetes.io/metadata.name"


class Unknown(Exception):
    """A policy says what this evaluator does not know."""


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod of a namespace, or an address outside of the cluster.

    `ports` are those on which it answers.
    """

    name: str
    namespace: str = ""
    labels: Labels = field(default_factory=dict, hash=False)
    address: str = ""
    ports: tuple[int, ...] = ()


def talks(
    policies: Sequence[Policy], ends: Iterable[End], may: Callable[[Sequence[Policy], End, End, int], bool]
) -> set[tuple[str, str, int]]:
    """Every (who, whom, TCP port) that the policies let through by `may`, of ends that answer there."""
    known = list(ends)
    return {
        (one.name, other.name, port)
        for one in known
        for other in known
        for port in other.ports
        if may(policies, one, other, port)
    }


def may_talk(policies: Sequence[Policy], one: End, other: End, port: int) -> bool:
    """Whether a connection of `one` to a port of `other` passes both: what it may ask, and by whom that may be asked."""
    return may_ask(policies, one, other, port) and may_be_asked(policies, one, other, port)


def may_ask(policies: Sequence[Policy], one: End, other: End, port: int) -> bool:
    """Whether what guards `one` lets it out."""
    return _passes(policies, "Egress", one, other, port)


def may_be_asked(policies: Sequence[Policy], one: End, other: End, port: int) -> bool:
    """Whether what guards `other` lets `one` in."""
    return _passes(policies, "Ingress", other, one, port)


def _passes(policies: Sequence[Policy], direction: str, guarded: End, peer: End, port: int) -> bool:
    """Nobody is guarded until a policy selects it; then what any of them lets through passes."""
    if not guarded.namespace:
        return True
    of_it = [
        one["spec"]
        for one in policies
        if one["metadata"]["namespace"] == guarded.namespace
        and direction in one["spec"]["policyTypes"]
        and _selects(one["spec"]["podSelector"], guarded.labels)
    ]
    rules, peers = ("egress", "to") if direction == "Egress" else ("ingress", "from")
    return not of_it or any(
        _is_port(rule.get("ports"), port) and _is_peer(rule.get(peers), peer, guarded.namespace)
        for spec in of_it
        for rule in spec.get(rules) or []
    )


def _is_port(ports: Sequence[Mapping[str, Any]] | None, port: int) -> bool:
    """No list is every port."""
    if ports is None:
        return True
    for one in ports:
        if not isinstance(one.get("port"), int) or "endPort" in one:
            raise Unknown(f"a port that is no number: {one}")
        if one["port"] == port and one.get("protocol", "TCP") == "TCP":
            return True
    return False


def _is_peer(peers: Sequence[Mapping[str, Any]] | None, peer: End, home: str) -> bool:
    """No list, and an empty one, is everybody: Kubernetes says so."""
    return not peers or any(_fits(one, peer, home) for one in peers)


def _fits(wanted: Mapping[str, Any], peer: End, home: str) -> bool:
    if unknown := wanted.keys() - {"ipBlock", "podSelector", "namespaceSelector"}:
        raise Unknown(f"a peer by {', '.join(sorted(unknown))}")
    if "ipBlock" in wanted:
        # Pods' own addresses are of the cluster's range: whether a block holds them is not ours to know, and none of ours means them.
        return bool(peer.address) and _inside(wanted["ipBlock"], peer.address)
    if not peer.namespace:
        return False
    if "namespaceSelector" in wanted:
        if not _selects(wanted["namespaceSelector"], {NAMESPACE_NAME: peer.namespace}):
            return False
    elif peer.namespace != home:
        return False
    return _selects(wanted.get("podSelector", {}), peer.labels)


def _inside(block: Mapping[str, Any], address: str) -> bool:
    where = ip_address(address)
    return where in ip_network(block["cidr"]) and not any(where in ip_network(one) for one in block.get("except", []))


def _selects(selector: Mapping[str, Any], labels: Labels) -> bool:
    """An empty selector is everybody."""
    if unknown := selector.keys() - {"matchLabels", "matchExpressions"}:
        raise Unknown(f"a selector by {', '.join(sorted(unknown))}")
    return all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items()) and all(
        _holds(one, labels) for one in selector.get("matchExpressions", [])
    )


def _holds(expression: Mapping[str, Any], labels: Labels) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values", [])
    operators = {
        "In": value is not None and value in values,
        "NotIn": value is None or value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }
    if expression["operator"] not in operators:
        raise Unknown(f"an expression by {expression['operator']}")
    return operators[expression["operator"]]
