"""`make compose-demo`: docker-compose.yml brought up on a place of its own, tried, and taken down.

A school's morning over TLS, then traces, metrics, who reaches whom, TLS of every port, and every certificate made anew while
all runs on. Ends with a summary in JSON; the whole report is .resapermis/compose-demo.json.

Needs podman (with podman-compose, which make setup installs) or docker with compose. Without images of ours it builds them:
BASE=debian where no registry of images is reached (deploy/README.md). Images of others come by RESAPERMIS_POSTGRES_IMAGE,
_NATS_IMAGE, _HAPROXY_IMAGE, _PROMETHEUS_IMAGE; else ours under their own names where they are here, else those of the file.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx2 as httpx

from containers import tried
from containers.engine import Engine, Failed, Missing, Project, find
from containers.prepared import DOOR, prepare
from containers.prepared import RDVPERMIS as STATE
from containers.scan import Port
from containers.walls import FRONT, OTEL, PROMETHEUS
from demo import Broken, Places, morning
from devstack.components import BUS_ADMIN, MAIL, NATS, POSTGRES, SANDBOX, SERVICES
from devstack.probes import free_port
from devstack.settings import ROOT

PROJECT = "resapermis-demo"
SUBNET = "172.30.253.0/29"
"""Not the one of a stack that somebody uses."""
OURS = (
    "auth-gateway",
    "mandate",
    "scheduling-rules",
    "basket",
    "audit",
    "notification",
    "rdvpermis",
    "mailcatcher",
    "otlp-receiver",
)
OTHERS = {
    "RESAPERMIS_POSTGRES_IMAGE": "postgres18",
    "RESAPERMIS_NATS_IMAGE": "nats",
    "RESAPERMIS_HAPROXY_IMAGE": "haproxy",
    "RESAPERMIS_PROMETHEUS_IMAGE": "prometheus",
}
"""Setting → what we build in its place, under a name of ours."""
HTTPS, HTTP, METRICS, DASHBOARDS, RDVPERMIS, MAILS = range(6)
"""Ports of this machine, counted from the first."""
UP = ("up", "-d", "--no-deps", "--no-build")
"""Who waits for whom is `bring_up`'s: podman before 4.6 reads over what the file says of it, and starts what has ended again."""
HEALTHY_SECONDS, MIGRATED_SECONDS, TRACES_SECONDS = 240.0, 180.0, 30.0
RENEWED_SECONDS = 120.0
"""Services look at their files every ten seconds, the web face at the door's certificate once a minute, Prometheus at it after that."""
STEPS = (
    (POSTGRES, NATS, MAIL, SANDBOX, OTEL, PROMETHEUS),
    tuple(f"migrate-{service.name}" for service in SERVICES if service.migrates),
    (*(service.name for service in SERVICES), FRONT),
)


class Wrong(Exception):
    """The stack did not come up, or is not what it must be; the message says what."""


class ByName(httpx.HTTPTransport):
    """Connects to loopback whatever *.localhost name is asked for, as browsers do; TLS and cookies go by the name."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it on."""
        host = request.url.host
        there = httpx.Request(
            request.method,
            request.url.copy_with(host="127.0.0.1"),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": host},
        )
        return super().handle_request(there)


@dataclass
class Report:
    """What is said at the end."""

    seconds: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Say a step and how long it took."""
        print(f"  {what} …", flush=True)
        since = time.monotonic()
        try:
            yield
        finally:
            self.seconds[what] = round(time.monotonic() - since, 1)
        print(f"✓ {what:<52}{self.seconds[what]:7.1f} s", flush=True)


def images(engine: Engine) -> dict[str, str]:
    """Settings that name the images; builds what is missing of ours. Failed when that does not work."""
    names = list(OURS)
    own = os.environ.get("BASE") == "debian"
    chosen = {"RESAPERMIS_OTEL_IMAGE": "resapermis/otlp-receiver"}
    for setting, image in OTHERS.items():
        if given := os.environ.get(setting):
            chosen[setting] = given
        elif own or engine.has(f"resapermis/{image}"):
            chosen[setting] = f"resapermis/{image}"
            names.append(image)
    missing = [name for name in names if not engine.has(f"resapermis/{name}")]
    if missing:
        print(f"  building {', '.join(missing)}", flush=True)
        base = ["base"] if own and not engine.has("resapermis/base") else []
        if subprocess.run([str(ROOT / "tools" / "images.sh"), *base, *missing], cwd=ROOT, check=False).returncode != 0:
            msg = "the images cannot be built; where no registry of images is reached: make compose-demo BASE=debian (deploy/README.md)"
            raise Wrong(msg)
    return chosen


def settings(chosen: dict[str, str], base: int) -> dict[str, str]:
    """What goes into `.env`: images, ports, and addresses by these."""
    return {
        **chosen,
        "COMPOSE_PROJECT_NAME": PROJECT,
        "COMPOSE_PROFILES": "traces",
        "RESAPERMIS_OTLP_ENDPOINT": "https://otel:4317",
        "RESAPERMIS_TRACE_RATIO": "1",
        "RESAPERMIS_FRONT_SUBNET": SUBNET,
        "RESAPERMIS_HTTPS_PORT": str(base + HTTPS),
        "RESAPERMIS_HTTP_PORT": str(base + HTTP),
        "RESAPERMIS_PROMETHEUS_PORT": str(base + METRICS),
        "RESAPERMIS_GRAFANA_PORT": str(base + DASHBOARDS),
        "RESAPERMIS_SANDBOX_PORT": str(base + RDVPERMIS),
        "RESAPERMIS_MAIL_PORT": str(base + MAILS),
        "RESAPERMIS_PUBLIC_URL": f"https://{DOOR}:{base + HTTPS}",
        "RESAPERMIS_RDVPERMIS_URL": f"https://{STATE}:{base + RDVPERMIS}",
        "RESAPERMIS_OIDC_ISSUER": f"https://{STATE}:{base + RDVPERMIS}/realms/formation",
    }


def bring_up(project: Project, places: Places, report: Report) -> None:
    """Start everything and wait until it serves; Wrong with the logs' ends where it does not."""
    first, migrations, last = STEPS
    with report.step("start the foundation"):
        project.compose(*UP, *first)
        wait(project, first, project.healthy, HEALTHY_SECONDS)
    with report.step("make databases and their tables"):
        project.compose(*UP, BUS_ADMIN, "databases")
        wait(project, ("databases",), ended_well, MIGRATED_SECONDS)
        project.compose(*UP, *migrations)
        wait(project, migrations, ended_well, MIGRATED_SECONDS)
    with report.step("start the services"):
        project.compose(*UP, *last)
        wait(project, (BUS_ADMIN, *last), project.healthy, HEALTHY_SECONDS)
        wait_at_door(places)


def wait_at_door(places: Places) -> None:
    """Wait until browsers reach the web face: the door looks it up by itself, and answers 503 until it has. Wrong where it never does."""
    end = time.monotonic() + HEALTHY_SECONDS
    with places.client() as client:
        while (status := client.get(f"{places.web}/readyz").status_code) != HTTPStatus.OK:
            if time.monotonic() > end:
                msg = f"the door answers {status} after {HEALTHY_SECONDS:.0f} s"
                raise Wrong(msg)
            time.sleep(0.2)


def ended_well(container: Any) -> bool:
    """Whether it did its work; Wrong where it failed."""
    state = container["State"]
    if state["Status"] in {"exited", "stopped"} and state["ExitCode"] != 0:
        msg = f"{container['Name']} ended with {state['ExitCode']}"
        raise Wrong(msg)
    return state["Status"] in {"exited", "stopped"}


def wait(project: Project, names: tuple[str, ...], good: Callable[[Any], bool], seconds: float) -> None:
    """Ask again until `good` of each, saying how many are; Wrong with the last words of the others."""
    pending, end = list(names), time.monotonic() + seconds
    while True:
        containers = project.containers()
        still = [name for name in pending if name not in containers or not good(containers[name])]
        if len(still) < len(pending):
            print(
                f"    {len(names) - len(still)} of {len(names)}{': waiting for ' + ', '.join(still) if still else ''}",
                flush=True,
            )
        pending = still
        if not pending:
            return
        if time.monotonic() > end:
            tails = [f"{name}:\n{tail(project, containers[name])}" for name in pending if name in containers]
            msg = "\n".join([f"not there after {seconds:.0f} s: {', '.join(pending)}", *tails])
            raise Wrong(msg)
        time.sleep(0.5)


def tail(project: Project, container: Any) -> str:
    """The last lines that it said."""
    return "\n".join("  | " + line for line in project.logs(container).splitlines()[-12:])


def try_all(project: Project, place: Path, places: Places, base: int, report: Report) -> None:
    """The morning, then what stands around it; what is wrong goes into the report."""
    with report.step("a school's morning"):
        if not morning(places):
            report.wrong.append("a step of the morning did not hold")
    containers = tried.running(project.containers())
    with report.step("traces"):
        end = time.monotonic() + TRACES_SECONDS
        while tried.silent(found := tried.spans(project.logs(containers[OTEL]))) and time.monotonic() < end:
            time.sleep(1)
        report.wrong += tried.silent(found)
        report.figures["spans"] = dict(sorted(found.items()))
    with report.step("metrics"), places.client() as client:
        report.wrong += tried.unread(client, f"https://{DOOR}:{base + METRICS}")
        report.wrong += tried.careless(project, containers)
    with report.step("walls"), elsewhere(project) as outside:
        inside = {**containers, tried.ELSEWHERE: outside}
        ports = tried.listening(project, inside)
        seen = tried.reached(project, inside, ports)
        report.wrong += tried.breaches(seen)
        report.figures |= {"tries": len(seen), "reached": sum(one.reached for one in seen)}
    with report.step("TLS of every port"):
        scan = tried.scanned(project, containers, ports, place)
        report.wrong += tried.faults(scan)
        report.figures["ports"] = len(scan)
        report.figures["ports with TLS"] = sum(bool(port.seen["begins"]) for port in scan)
    with report.step("every certificate made anew, none started again"), places.client() as client:
        report.wrong += renewed(project, containers, scan, place, lambda: ends_of_door(client, base))
    (ROOT / ".resapermis").mkdir(exist_ok=True)
    whole = {**tried.shown(seen, scan), "wrong": report.wrong}
    (ROOT / ".resapermis" / "compose-demo.json").write_text(json.dumps(whole, indent=1), encoding="utf-8")


def ends_of_door(client: httpx.Client, base: int) -> list[float]:
    """When the door's certificate ends, as Prometheus has it."""
    return tried.measured(client, f"https://{DOOR}:{base + METRICS}", tried.DOORS_END)


def renewed(
    project: Project, containers: tried.Containers, scan: list[Port], place: Path, door: Callable[[], list[float]]
) -> list[str]:
    """Make every certificate anew, as tools/compose.py --renew does; what is not shown soon by who runs on, in words."""
    end = time.monotonic() + RENEWED_SECONDS
    while not (before := door()) and time.monotonic() < end:
        time.sleep(1)
    prepare(place, datetime.now(UTC), {}, renew=True)
    project.compose("kill", "-s", "HUP", *tried.AT_A_SIGNAL)
    end = time.monotonic() + RENEWED_SECONDS
    while True:
        wrong = tried.not_renewed(project, containers, scan, place)
        if not before or min(door(), default=0.0) <= max(before):
            wrong.append("no metric says when the door's certificate of now ends")
        if not wrong or time.monotonic() > end:
            break
        time.sleep(1)
    now = project.containers()
    wrong += tried.started_again(containers, now)
    wrong += [f"{name} is not healthy any more" for name in containers if not project.healthy(now[name])]
    return wrong


@contextlib.contextmanager
def elsewhere(project: Project) -> Iterator[Any]:
    """A container that listens in a network of no service, as the rest of the world does."""
    name, engine = f"{PROJECT}-elsewhere", project.engine
    engine.run("network", "create", name)
    try:
        words = ("--smtp", "0.0.0.0:8025", "--web", "0.0.0.0:8082")
        engine.run("run", "-d", "--rm", "--name", name, "--network", name, "resapermis/mailcatcher", *words)
        try:
            found = json.loads(engine.run("inspect", "--type", "container", name))[0]
            end = time.monotonic() + 20
            while not project.probe(found, {"do": "listening"}):
                if time.monotonic() > end:
                    msg = "nothing listens elsewhere"
                    raise Wrong(msg)
                time.sleep(0.2)
            yield found
        finally:
            engine.run("rm", "-f", name)
    finally:
        engine.run("network", "rm", "-f", name)


def take_down(project: Project, home: Path, *, keep_logs: bool) -> None:
    """Nothing of it stays but, where something was wrong, the logs. A second Ctrl-C does not stop this."""
    held = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        if keep_logs:
            log = home / "log"
            log.mkdir(exist_ok=True)
            for name, container in project.containers().items():
                (log / f"{name}.log").write_text(project.logs(container), encoding="utf-8")
            print(f"  logs: {log}", flush=True)
        project.compose("down", "-v", "-t", "5")
        shutil.rmtree(home / "compose", ignore_errors=True)
        if not keep_logs:
            shutil.rmtree(home, ignore_errors=True)
    finally:
        signal.signal(signal.SIGINT, held)


def main() -> int:
    """Returns 0 if everything held, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", action="store_true", help="leave the stack up and say how to take it down")
    keep = parser.parse_args().keep
    since, report = time.monotonic(), Report()
    try:
        engine = find()
        with report.step("images"):
            chosen = images(engine)
    except (Missing, Failed, Wrong) as reason:
        print(f"make compose-demo: {reason}", file=sys.stderr)
        return 1
    home = Path(tempfile.mkdtemp(prefix="resapermis-compose-"))
    place, base = home / "compose", free_port(range(6), 28_080, 10, 100)
    prepare(place, datetime.now(UTC), settings(chosen, base))
    project = Project(engine, PROJECT, place / ".env", profiles=("traces",))
    trust = ssl.create_default_context(cafile=str(place / "public" / "ca.pem"))
    places = Places(
        f"https://{DOOR}:{base + HTTPS}",
        f"https://{STATE}:{base + RDVPERMIS}",
        f"https://localhost:{base + MAILS}",
        lambda: ByName(verify=trust),
    )
    status = 1
    try:
        if project.containers():
            project.compose("down", "-v", "-t", "5")  # an earlier one was killed
        bring_up(project, places, report)
        try_all(project, place, places, base, report)
        status = int(bool(report.wrong))
    except (Failed, Wrong, Broken, httpx.HTTPError, ValueError, KeyError) as reason:
        report.wrong.append(f"{type(reason).__name__}: {reason}")
    except KeyboardInterrupt:
        report.wrong.append("stopped by Ctrl-C")
        status = 130
    if keep:
        print(f"  {places.web}, taken down by: {' '.join(project.words('down', '-v'))}", flush=True)
    else:
        with report.step("take it down"):
            take_down(project, home, keep_logs=bool(report.wrong) and status != 130)
    for line in report.wrong:
        print(f"✕ {line}", flush=True)
    summary = {
        "held": not report.wrong,
        "seconds": report.seconds,
        "whole_seconds": round(time.monotonic() - since, 1),
        **report.figures,
    }
    print(json.dumps(summary, indent=1), flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
