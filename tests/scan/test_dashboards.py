"""A real Prometheus scrapes a platform at work: each panel of each dashboard shows something, and nobody is woken."""

import json
import math
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from journey import DrivingSchool, Schools, until

from devstack.components import BUS_ADMIN, SERVICES
from devstack.probes import free_port
from devstack.settings import ROOT
from devstack.stack import Stack
from resapermis_testing.certificates import NOBODY

pytestmark = [pytest.mark.xdist_group("scan"), pytest.mark.long_only, pytest.mark.prometheus, pytest.mark.timeout(400)]
RULES, DASHBOARDS = ROOT / "deploy" / "prometheus", ROOT / "deploy" / "grafana" / "dashboards"
VARIABLES = {"$__rate_interval": "30s", "$__range": "5m", "$service": "basket"}


class Prometheus:
    """Its HTTP API."""

    def __init__(self, port: int) -> None:
        self._web = httpx2.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=10, verify=NOBODY)
        self._since = datetime.now(UTC).timestamp()

    def ask(self, path: str, **params: Any) -> Any:
        answer = self._web.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def is_ready(self) -> bool:
        try:
            return self._web.get("/query", params={"query": "1"}).status_code == 200
        except httpx2.TransportError:
            return False

    def shows(self, expression: str) -> bool:
        """Whether a panel with it has a point that can be drawn."""
        now = datetime.now(UTC).timestamp()
        found = self.ask("/query_range", query=expression, start=self._since, end=now, step=1)["result"]
        return any(math.isfinite(float(value)) for series in found for _, value in series["values"])

    def close(self) -> None:
        self._web.close()


def _configuration(stack: Stack, folder: Path) -> Path:
    """Ours, with this stack's ports; scrapes and rules come every second, not every few or every minute."""
    told = yaml.safe_load((RULES / "prometheus.yml").read_text(encoding="utf-8"))
    ports = {service.name: stack.ports.metrics(service) for service in SERVICES} | {BUS_ADMIN: stack.ports.bus_admin}
    (job,) = told["scrape_configs"]
    named = {target.partition(":")[0] for target in job["static_configs"][0]["targets"]}
    assert named == set(ports), "prometheus.yml scrapes each process"
    job["static_configs"] = [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"service": name}} for name, port in ports.items()
    ]
    del job["relabel_configs"]
    told["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for name in told["rule_files"]:
        rules = (RULES / name).read_text(encoding="utf-8")
        (folder / name).write_text(rules.replace("interval: 1m", "interval: 1s"), encoding="utf-8")
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(told), encoding="utf-8")
    return file


@pytest.fixture
def prometheus(stack: Stack, tmp_path: Path) -> Iterator[Prometheus]:
    program = shutil.which("prometheus")
    if program is None:
        pytest.fail("prometheus is not installed: .ci/run installs it where it is root")
    port = free_port([0], start=19_000 + os.getpid() % 500, step=1, attempts=400)
    file = _configuration(stack, tmp_path)
    arguments = (
        f"--config.file={file}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    )
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([program, *arguments], stdout=log, stderr=log)  # noqa: S603 - its own path
        api = Prometheus(port)
        try:
            until(api.is_ready, "Prometheus")
            yield api
        finally:
            api.close()
            process.terminate()
            process.wait(20)


def _panels() -> dict[str, str]:
    """Each query of each panel, as Grafana would put it, by where it stands."""
    found = {}
    for file in sorted(DASHBOARDS.glob("*.json")):
        for panel in json.loads(file.read_text(encoding="utf-8"))["panels"]:
            for target in panel.get("targets", []):
                expression = target["expr"]
                for name, value in VARIABLES.items():
                    expression = expression.replace(name, value)
                found[f"{file.stem}: {panel['title']} {target['refId']}"] = expression
    return found


def _work(school: DrivingSchool) -> None:
    """What an opening is made of, a refusal by a rule and an answer for the journal among it."""
    group = school.held(school.slots(1), [school.candidate()])
    assert school.validate(group["id"]).status_code == 200
    school.hold(school.slots(5))
    school.get("/api/v1/audit/records", limit=5)


@pytest.mark.req("P-03")
def test_each_panel_shows_something_and_a_platform_at_work_wakes_nobody(
    prometheus: Prometheus, schools: Schools
) -> None:
    panels = _panels()
    assert len(panels) > 60
    until(lambda: prometheus.shows('count(up{job="resapermis"} == 1) == 8'), "every process to be scraped")
    missing = dict(panels)

    def all_shown() -> bool:
        _work(schools.new())  # each has calls of its own
        for where in [where for where, expression in missing.items() if prometheus.shows(expression)]:
            del missing[where]
        return not missing

    try:
        until(all_shown, "data for each panel", seconds=200, pause_seconds=10)
    except AssertionError:
        raise AssertionError(f"nothing to show: {missing}") from None
    groups = prometheus.ask("/rules")["groups"]
    unwell = [rule["name"] for group in groups for rule in group["rules"] if rule["health"] != "ok"]
    assert unwell == []
    assert not prometheus.shows('ALERTS{alertstate="firing",severity="page"}')
