"""Rendered objects: which pods there are, what runs in them, how they are reached. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]
COMPONENT = "app.kubernetes.io/component"


@dataclass(frozen=True)
class Pods:
    """The pods of one object: its kind and name, how many, their template."""

    kind: str
    name: str
    replicas: int
    template: Object

    @property
    def spec(self) -> Object:
        """The pod's spec."""
        found: Object = self.template["spec"]
        return found

    @property
    def labels(self) -> Mapping[str, str]:
        """The pod's labels."""
        found: Mapping[str, str] = self.template["metadata"]["labels"]
        return found

    @property
    def component(self) -> str:
        """Which part of the platform they are."""
        return self.labels[COMPONENT]

    @property
    def containers(self) -> Sequence[Object]:
        """All of them, those that run before the others too."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def ports(self) -> Mapping[str, int]:
        """Ports by name."""
        return {
            one["name"]: one["containerPort"] for container in self.containers for one in container.get("ports", [])
        }

    def environment(self) -> Mapping[str, str]:
        """Every setting of every container with its value, "" where that comes from elsewhere."""
        return {one["name"]: one.get("value", "") for container in self.containers for one in container.get("env", [])}


def kinds(objects: Iterable[Object], kind: str) -> list[Object]:
    """The objects of a kind."""
    return [one for one in objects if one["kind"] == kind]


def named(objects: Iterable[Object], kind: str, name: str) -> Object:
    """The one of that kind and name; KeyError when there is none."""
    for one in kinds(objects, kind):
        if one["metadata"]["name"] == name:
            return one
    raise KeyError(f"{kind} {name}")


def pods(objects: Iterable[Object]) -> Iterator[Pods]:
    """The pods of each object that has any."""
    for one in objects:
        kind, name = one["kind"], one["metadata"]["name"]
        if kind in {"Deployment", "StatefulSet", "Job"}:
            yield Pods(kind, name, int(one["spec"].get("replicas", 1)), one["spec"]["template"])
        elif kind == "Pod":
            yield Pods(kind, name, 1, one)
        elif kind == "CronJob":
            yield Pods(kind, name, 1, one["spec"]["jobTemplate"]["spec"]["template"])


def is_hook(one: Object, hook: str) -> bool:
    """Whether helm makes an object at that moment only."""
    return hook in one["metadata"].get("annotations", {}).get("helm.sh/hook", "").split(",")
