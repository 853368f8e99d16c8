"""Prometheus' rules: what they ask for exists."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from observability.metrics import CLUSTER, CLUSTER_LABELS, GIVEN, TARGET, Metric
from observability.promql import names_in, selected

FOLDER = Path("deploy", "prometheus")
ALERT_LABELS = {"page", "ticket"}
"""Severities: somebody is woken, or somebody looks at it by day."""
_FOREIGN = {**dict.fromkeys(GIVEN, TARGET), **dict.fromkeys(CLUSTER, CLUSTER_LABELS)}
"""Labels of metrics that are not ours."""


@dataclass(frozen=True)
class Rule:
    """A recording or alerting rule."""

    file: str
    name: str
    alert: bool
    expression: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


def rule_files(root: Path) -> list[Path]:
    """The files that Prometheus is told of, in its order."""
    told = yaml.safe_load((root / FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    return [root / FOLDER / name for name in told["rule_files"]]


def rules(root: Path) -> list[Rule]:
    """Every rule of these files."""
    return [rule for file in rule_files(root) for rule in _rules_of(file)]


def _rules_of(file: Path) -> Iterator[Rule]:
    content: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    for group in content["groups"]:
        for one in group["rules"]:
            name = one.get("alert") or one["record"]
            yield Rule(
                file.name, name, "alert" in one, str(one["expr"]), one.get("labels", {}), one.get("annotations", {})
            )


def unread_files(root: Path) -> list[str]:
    """Files of rules that Prometheus is not told of; others of the folder are its settings."""
    told = set(rule_files(root))
    return [
        f"{file.relative_to(root)}: prometheus.yml does not name it"
        for file in sorted((root / FOLDER).glob("*.yml"))
        if file not in told and "groups" in (yaml.safe_load(file.read_text(encoding="utf-8")) or {})
    ]


def unknown(where: str, expression: str, known: Iterable[Metric], recorded: Iterable[str]) -> list[str]:
    """Series that no code makes and no rule records, and labels that a metric does not have."""
    of = {series: metric for metric in known for series in metric.series}
    wrong = [
        f"{where}: no metric is called {name}"
        for name in sorted(names_in(expression) - of.keys() - set(recorded) - GIVEN - CLUSTER)
    ]
    for name, label in selected(expression):
        allowed = of[name].selectable if name in of else _FOREIGN.get(name)
        if allowed is not None and label not in allowed:
            wrong.append(f"{where}: {name} has no label {label}")
    return wrong


def misled(root: Path, known: Iterable[Metric]) -> list[str]:
    """Rules that ask for what does not exist, and alerts without a severity or a summary."""
    found, metrics = rules(root), list(known)
    recorded = {rule.name for rule in found if not rule.alert}
    wrong = []
    for rule in found:
        where = f"{rule.file}: {rule.name}"
        wrong += unknown(where, rule.expression, metrics, recorded)
        if rule.alert and rule.labels.get("severity") not in ALERT_LABELS:
            wrong.append(f"{where}: severity is page or ticket")
        if rule.alert and not rule.annotations.get("summary"):
            wrong.append(f"{where}: no summary")
    return wrong
