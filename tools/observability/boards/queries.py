"""Queries that several dashboards ask alike."""

from collections.abc import Sequence

from observability.board import Query

ERRORS = 'code=~"UNSPECIFIED|OVERLOADED|UNAVAILABLE|DEADLINE|INTERNAL"'
"""Labels of answers that are errors of ours."""


def quantiles(name: str, by: str, selector: str = "", quantiles: Sequence[float] = (0.5, 0.99)) -> tuple[Query, ...]:
    """Quantiles of a histogram, by a label."""
    grouped = f"le, {by}" if by else "le"
    legend = f"{{{{{by}}}}} " if by else ""
    return tuple(
        Query(
            f"histogram_quantile({q}, sum by ({grouped}) (rate({name}_bucket{{{selector}}}[$__rate_interval])))",
            f"{legend}p{q * 100:g}",
        )
        for q in quantiles
    )


def leaders(metric: str, by: str = "service") -> str:
    """A gauge that the leader sets, without what stands still in replicas that led before."""
    return f"max by ({by}) ({metric} and on (instance) resapermis_leader == 1)"


def rate(counter: str, by: str, selector: str = "") -> Query:
    """How much a counter grows a second, by a label."""
    return Query(f"sum by ({by}) (rate({counter}{{{selector}}}[$__rate_interval]))", f"{{{{{by}}}}}")
