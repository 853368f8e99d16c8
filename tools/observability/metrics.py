"""The metrics of the code: each is made once, at the head of a module, with its name, its meaning and its labels."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

KINDS = {"Counter": "counter", "Gauge": "gauge", "Histogram": "histogram"}
SOURCES = ("libs/*/src", "services/*/src")
NAME_AND_HELP = 2
CLUSTER = frozenset({"kube_cronjob_status_last_successful_time", "kube_cronjob_created"})
"""Metrics of kube-state-metrics that rules use."""
CLUSTER_LABELS = frozenset({"namespace", "cronjob"})
TARGET = frozenset({"job", "service", "instance", "namespace"})
"""Labels that the scrape adds (deploy/prometheus/prometheus.yml); `namespace` in a cluster alone."""
GIVEN = frozenset({"up", "process_start_time_seconds", "process_cpu_seconds_total", "process_resident_memory_bytes"})
"""Metrics that are Prometheus' own, or prometheus_client's, and that rules and dashboards use."""


@dataclass(frozen=True)
class Metric:
    """A metric as Prometheus shows it: a counter's name ends with `_total`."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...]
    owner: str
    """Who counts it: a service, egress, bus-admin, or every service."""

    @property
    def series(self) -> tuple[str, ...]:
        """Names of its series."""
        if self.kind == "histogram":
            return tuple(f"{self.name}_{suffix}" for suffix in ("bucket", "sum", "count"))
        return (self.name,)

    @property
    def selectable(self) -> frozenset[str]:
        """Labels that a selector may name."""
        return TARGET | frozenset(self.labels) | ({"le"} if self.kind == "histogram" else frozenset())


def metrics(root: Path) -> list[Metric]:
    """Every metric of libraries and services, by name."""
    files = (file for pattern in SOURCES for folder in root.glob(pattern) for file in folder.rglob("*.py"))
    return sorted(
        (one for file in files for one in _made_in(file, file.relative_to(root).parts)), key=lambda one: one.name
    )


def misnamed(found: list[Metric]) -> list[str]:
    """Names against Prometheus' conventions, metrics that are made twice, and labels that the scrape's would hide."""
    wrong = [f"{one.name}: made twice" for one, other in pairwise(found) if one.name == other.name]
    for one in found:
        if not one.name.startswith("resapermis_"):
            wrong.append(f"{one.name}: begins with resapermis_")
        if one.kind != "counter" and one.name.endswith(("_total", "_count", "_sum", "_bucket")):
            wrong.append(f"{one.name}: a {one.kind} does not end so")
        if one.kind == "histogram" and not one.name.endswith("_seconds"):
            wrong.append(f"{one.name}: a histogram ends with its unit, _seconds")
        wrong += [f"{one.name}: the scrape has a label {label}" for label in sorted(TARGET & set(one.labels))]
    return wrong


def _made_in(file: Path, parts: tuple[str, ...]) -> Iterator[Metric]:
    text = file.read_text(encoding="utf-8")
    if "prometheus_client" not in text:
        return
    for node in ast.walk(ast.parse(text)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS):
            continue
        if len(node.args) < NAME_AND_HELP:
            continue  # another Counter: collections'
        name, meaning, *labels = map(ast.literal_eval, node.args)
        kind = KINDS[node.func.id]
        shown = name.removesuffix("_total") + "_total" if kind == "counter" else name
        yield Metric(shown, kind, meaning, tuple(labels[0]) if labels else (), _owner(parts))


def _owner(parts: tuple[str, ...]) -> str:
    if parts[0] == "services":
        return "egress" if "egress" in parts else parts[1]
    return "bus-admin" if parts[-1] == "bus_keeper.py" else "every service"
