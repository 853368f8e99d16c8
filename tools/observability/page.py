"""docs/metrics.md: every metric, from the code."""

from collections.abc import Iterable

from observability.metrics import Metric

HEAD = """# Metrics

Written by `make dashboards` from the code. Every process answers them on `/metrics` of its metrics' port (`RESAPERMIS_METRICS_LISTEN`), beside those of `prometheus_client` about the process
(CPU, memory, open files, Python's collector). Prometheus adds `job`, `service` and `instance`. Labels have values of closed lists: routes as patterns, methods, codes, rules, states, tasks; never an id, a name, an address.
What they are for: [Observability](observability.md).
"""


def metrics_page(found: Iterable[Metric]) -> str:
    """The page's text: a table for each owner, those of every service first."""
    metrics = list(found)
    owners = sorted({one.owner for one in metrics}, key=lambda owner: (owner != "every service", owner))
    parts = [HEAD]
    for owner in owners:
        rows = [
            f"| `{one.name}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)} | {one.help} |"
            for one in metrics
            if one.owner == owner
        ]
        title = owner[0].upper() + owner[1:] if owner == "every service" else owner
        parts.append(f"\n## {title}\n\n| metric | type | labels | what |\n|---|---|---|---|\n" + "\n".join(rows) + "\n")
    return "".join(parts)
