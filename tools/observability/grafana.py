"""Dashboards as Grafana's JSON, made by the types that Grafana generates from its own schema (grafana-foundation-sdk)."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DataSourceRef

from observability.board import Board, Panel

FOLDER = Path("deploy", "grafana", "dashboards")
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
WIDTH, HEIGHT = 8, 8
"""Of a panel: three stand side by side on Grafana's grid of 24."""


def files(boards: tuple[Board, ...]) -> Iterator[tuple[Path, str]]:
    """(path from the root, content) of each dashboard's file."""
    for board in boards:
        yield FOLDER / f"{board.uid.removeprefix('resapermis-')}.json", to_json(board)


def to_json(board: Board) -> str:
    """The dashboard as a file that Grafana provisions."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.about)
        .tags(["resapermis"])
        .timezone("browser")
        .refresh("30s")
        .time("now-1h", "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    )
    if board.per_service:
        made = made.with_variable(
            dashboard.QueryVariable("service")
            .label("Service")
            .datasource(SOURCE)
            .query('label_values(up{job="resapermis"}, service)')
        )
    ids = count(1)
    for row in board.rows:
        made = made.with_row(dashboard.Row(row.title).id(next(ids)))
        for panel in row.panels:
            made = made.with_panel(_panel(panel).id(next(ids)))
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"


def _panel(panel: Panel) -> timeseries.Panel | stat.Panel:
    made = (
        (stat.Panel() if panel.kind == "stat" else timeseries.Panel().min(0).fill_opacity(10))
        .title(panel.title)
        .unit(panel.unit)
    )
    made = made.description(panel.about).datasource(SOURCE).span(WIDTH).height(HEIGHT)
    for number, query in enumerate(panel.queries):
        made = made.with_target(
            prometheus.Dataquery()
            .expr(query.expression)
            .legend_format(query.legend)
            .ref_id(chr(ord("A") + number))
            .range()
        )
    return made
