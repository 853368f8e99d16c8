"""What `make lint` says of metrics, rules, runbooks and dashboards; and what it must not miss."""

import json
import re
from pathlib import Path

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from devstack.components import BUS_ADMIN, SERVICES
from observability import grafana
from observability.boards import BOARDS
from observability.judgement import contradictions
from observability.metrics import Metric, metrics, misnamed
from observability.page import metrics_page
from observability.promql import names_in, selected
from observability.rules import misled, rules, unread_files
from observability.runbooks import complaints

ROOT = Path(__file__).resolve().parents[3]
SECTION = "## TheEnd\n**It means:** a\n\n**People feel:** b\n\n**Look at:** c\n\n**Do:**\n1. d\n"
ALERT = """groups:
  - name: x
    rules:
      - alert: TheEnd
        expr: sum by (service) (rate(resapermis_end_total{kind="a"}[5m])) > 0
        labels: { severity: page }
        annotations: { summary: it ends, runbook_url: docs/runbooks/ends.md#theend }
"""
CODE = """from prometheus_client import Counter, Histogram
ENDED = Counter("resapermis_end", "Ends, "
    "by kind", ["kind"])
TOOK = Histogram("resapermis_end_seconds", "Time to the end", buckets=(1, 2))
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with one metric, one alert and its runbook, all as they must be."""
    for path, text in {
        "services/basket/src/x/end.py": CODE,
        "services/basket/src/x/other.py": "from collections import Counter\nMANY = Counter()\nMORE = Counter('abc')\n",
        "deploy/prometheus/prometheus.yml": "rule_files: [alerts.yml]\n",
        "deploy/prometheus/alerts.yml": ALERT,
        "deploy/prometheus/web.yml": "tls_server_config: {}\n",
        "docs/runbooks/ends.md": f"# Ends\n\nOf ends.\n\n{SECTION}\n## What they share\nMuch.\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    return tmp_path


def _said(tree: Path) -> list[str]:
    found = metrics(tree)
    return [*misnamed(found), *unread_files(tree), *misled(tree, found), *complaints(tree)]


def test_the_metrics_of_the_code_are_found_with_their_labels(tree: Path) -> None:
    assert metrics(tree) == [
        Metric("resapermis_end_seconds", "histogram", "Time to the end", (), "basket"),
        Metric("resapermis_end_total", "counter", "Ends, by kind", ("kind",), "basket"),
    ]
    assert "| `resapermis_end_total` | counter | `kind` | Ends, by kind |" in metrics_page(metrics(tree))


def test_what_fits_together_is_not_complained_of(tree: Path) -> None:
    assert _said(tree) == []


@pytest.mark.req("P-03")
@pytest.mark.parametrize(
    ("file", "before", "after", "said"),
    [
        (
            "deploy/prometheus/alerts.yml",
            "resapermis_end_total",
            "resapermis_ends_total",
            "no metric is called resapermis_ends_total",
        ),
        ("deploy/prometheus/alerts.yml", 'kind="a"', 'king="a"', "resapermis_end_total has no label king"),
        ("deploy/prometheus/alerts.yml", "severity: page", "severity: critical", "severity is page or ticket"),
        ("deploy/prometheus/alerts.yml", "summary: it ends, ", "", "no summary"),
        (
            "deploy/prometheus/alerts.yml",
            "ends.md#theend",
            "end.md#theend",
            "runbook_url is docs/runbooks/PAGE.md#theend",
        ),
        (
            "deploy/prometheus/alerts.yml",
            "ends.md#theend",
            "ends.md#end",
            "runbook_url is docs/runbooks/PAGE.md#theend",
        ),
        ("deploy/prometheus/alerts.yml", "alert: TheEnd", "alert: AnEnd", "AnEnd: runbook_url is"),
        ("deploy/prometheus/alerts.yml", "alert: TheEnd", "alert: AnEnd", "TheEnd: no alert is called so"),
        ("deploy/prometheus/prometheus.yml", "[alerts.yml]", "[]", "alerts.yml: prometheus.yml does not name it"),
        ("docs/runbooks/ends.md", "**People feel:** b\n\n", "", "TheEnd: says It means, People feel, Look at, Do"),
        (
            "docs/runbooks/ends.md",
            "**People feel:** b",
            "**People feel:**",
            "TheEnd: says It means, People feel, Look at, Do",
        ),
        ("docs/runbooks/ends.md", "## What they share", "## AnotherEnd", "AnotherEnd: no alert is called so"),
        ("services/basket/src/x/end.py", "resapermis_end_seconds", "resapermis_end_time", "ends with its unit"),
        ("services/basket/src/x/end.py", '"resapermis_end"', '"end"', "end_total: begins with resapermis_"),
        ("services/basket/src/x/end.py", '["kind"]', '["kind", "service"]', "the scrape has a label service"),
        (
            "services/basket/src/x/end.py",
            "buckets=(1, 2))",
            'buckets=(1, 2))\nX = Gauge("resapermis_end_seconds", "x")',
            "made twice",
        ),
    ],
)
def test_what_does_not_is(tree: Path, file: str, before: str, after: str, said: str) -> None:
    text = (tree / file).read_text(encoding="utf-8")
    assert text.count(before) == 1
    (tree / file).write_text(text.replace(before, after), encoding="utf-8")
    assert any(said in line for line in _said(tree)), _said(tree)


def test_a_page_that_no_alert_leads_to_is_complained_of(tree: Path) -> None:
    (tree / "docs/runbooks/old.md").write_text("# Old\n\nOnce.\n", encoding="utf-8")
    assert _said(tree) == ["docs/runbooks/old.md: no alert leads here"]


def test_an_alert_watches_that_each_service_is_there() -> None:
    (gone,) = (rule for rule in rules(ROOT) if rule.name == "ServiceGone")
    assert set(re.findall(r'service="([^"]+)"', gone.expression)) == {BUS_ADMIN, *(one.name for one in SERVICES)}


def test_of_this_repository_nothing_is_said() -> None:
    assert contradictions(ROOT) == []


@pytest.mark.parametrize(
    ("expression", "names", "labels"),
    [
        (
            'sum by (service, a_b) (rate(x_total{code=~"A|B{2}",m!="c"}[$__rate_interval])) or vector(0)',
            {"x_total"},
            {("x_total", "code"), ("x_total", "m")},
        ),
        ("max by (s) (x and on (instance) resapermis_leader == 1) > 0", {"x", "resapermis_leader"}, set()),
        ("(sum(a:b:rate2m[1h]) > bool 0) * on (z) group_left (q) c offset 5m", {"a:b:rate2m", "c"}, set()),
        ('label_replace(x, "a", "$1", "b", "(.+)") unless y', {"x", "y"}, set()),
        ("time() - x > 14.4e3", {"x"}, set()),
    ],
)
def test_what_an_expression_asks_for(expression: str, names: set[str], labels: set[tuple[str, str]]) -> None:
    assert names_in(expression) == names
    assert set(selected(expression)) == labels


@pytest.mark.req("P-03")
@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_a_dashboard_is_what_grafanas_own_types_read_and_write(board: object) -> None:
    register_default_plugins()
    ((_, text),) = grafana.files((board,))  # type: ignore[arg-type]
    written = json.loads(text)
    read = json.loads(JSONEncoder().encode(Dashboard.from_json(written)))
    assert read == written
    panels = [panel for panel in written["panels"] if panel["type"] != "row"]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in written["panels"]]
    assert len(set(places)) == len(places)
    assert all(
        panel["title"] and panel["targets"] and panel["datasource"]["uid"] == "${datasource}" for panel in panels
    )
