"""A dashboard as a value: rows of panels, each with its questions to Prometheus."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Query:
    """An expression, and how its series are called (`{{label}}` stands for a label's value)."""

    expression: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """A panel. `kind`: timeseries, or stat for one number each; `unit`: one of Grafana's."""

    title: str
    queries: tuple[Query, ...]
    unit: str = "short"
    kind: str = "timeseries"
    about: str = ""


@dataclass(frozen=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Board:
    """A dashboard. `per_service`: its queries name `$service`, which whoever looks at it chooses."""

    uid: str
    title: str
    about: str
    rows: tuple[Row, ...]
    per_service: bool = False

    @property
    def queries(self) -> Iterator[tuple[str, Query]]:
        """(where, query) of every panel."""
        for row in self.rows:
            for panel in row.panels:
                for query in panel.queries:
                    yield f"{self.uid}: {panel.title}", query
