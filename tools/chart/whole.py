"""`make chart`: all that can be said of the chart without a cluster. `make chart ARGS=write` writes what is made from elsewhere."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence

from chart import generated, readme, table
from chart.helm import CHART, SIZES, TRIAL, NotRendered, Object, rendered, run, size
from chart.judgement import complaints
from chart.others import operators, scan, schemas, workshop

VARIANTS = {
    "an Ingress": {"edge.kind": '"ingress"', "edge.ingress.tlsSecret": '"web-tls"'},
    "databases and a bus outside": {
        "database.cluster.enabled": "false",
        "database.outside.to": '[{"ipBlock": {"cidr": "10.9.0.0/16"}}]',
        "database.outside.authoritySecret": '"postgres-authority"',
        "nats.url": '"tls://nats.example:4222"',
        "nats.to": '[{"ipBlock": {"cidr": "10.8.0.0/16"}}]',
    },
    "Secrets from a store": {"secrets.external.enabled": "true", "secrets.external.store.name": '"vault"'},
    "the first steps": {"firstSteps.secrets": "true", "firstSteps.given": '"resapermis-given"'},
    "a restore": {
        "database.cluster.recovery.serverName": '"resapermis-db"',
        "database.cluster.recovery.targetTime": '"2026-11-30 09:00:00+00"',
        "database.cluster.backup.serverName": '"resapermis-db-2"',
    },
    "bare": {
        "monitoring.enabled": "false",
        "invariants.enabled": "false",
        "edge.kind": '"none"',
        "monitoring.dashboards.enabled": "false",
    },
}
"""Choices beside the sizes: name → values."""


def renderings() -> dict[str, list[Object]]:
    """Every size, as it is installed and upgraded, and every choice."""
    return (
        {f"values-{name}": rendered(name) for name in SIZES}
        | {"an upgrade": rendered("national", upgrade=True)}
        | {name: rendered("department", given=given) for name, given in VARIANTS.items()}
    )


def lint() -> list[str]:
    """Helm's own check of the chart with each size."""
    for name in SIZES:
        run("lint", str(CHART), "--strict", "--quiet", "--values", str(size(name)), "--values", str(TRIAL))
    return []


def structure(all_of: Mapping[str, Sequence[Object]]) -> list[str]:
    """Tables and copies are as they come from elsewhere, and each rendering is as it must be."""
    return [
        *table.differences(table.services()),
        *generated.stale(),
        *generated.stale_page({name: list(all_of[f"values-{name}"]) for name in SIZES}),
        *(f"{name}: {wrong}" for name, objects in all_of.items() for wrong in complaints(objects)),
    ]


def not_validated(all_of: Mapping[str, Sequence[Object]]) -> list[str]:
    """Kinds that nothing here has a schema or a type of."""
    return sorted(
        {
            f"{one['apiVersion']} {one['kind']}"
            for objects in all_of.values()
            for one in objects
            if not (schemas.is_known(one) or operators.is_known(one))
        }
    )


def main(words: Sequence[str]) -> int:
    """Do what is asked, or check everything; the exit status."""
    if list(words) == ["write"]:
        generated.write()
        return 0
    if words:
        print("usage: make chart [ARGS=write]", file=sys.stderr)
        return 2
    try:
        all_of = renderings()
    except NotRendered as refused:
        print(f"chart: {refused}", file=sys.stderr)
        return 1
    steps: tuple[tuple[str, Callable[[], list[str]]], ...] = (
        ("helm lint", lint),
        ("tables, copies, structure", lambda: structure(all_of)),
        (f"Kubernetes {', '.join(schemas.VERSIONS)}", lambda: schemas.complaints(all_of)),
        ("operators' kinds, by their types", lambda: operators.complaints(all_of)),
        ("checkov", lambda: scan.complaints(all_of)),
    )
    failed = 0
    for name, step in steps:
        since = time.monotonic()
        try:
            wrong = step()
        except (NotRendered, readme.Undocumented, scan.NotScanned, workshop.NotMade) as refused:
            wrong = [str(refused)]
        failed += bool(wrong)
        print(f"  {'✗' if wrong else '✓'} {name:<40}{time.monotonic() - since:5.1f} s", flush=True)
        print("".join(f"      {line}\n" for line in wrong), end="", flush=True)
    for kind in not_validated(all_of):
        print(f"  not validated: {kind}")
    print(
        f"\nchart: {failed} of {len(steps)} checks failed"
        if failed
        else f"\nchart: {len(all_of)} renderings passed; none was run in a cluster"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
