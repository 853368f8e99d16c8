"""The run: schools at work on the old release, each process replaced under them, then the judgement. Prints JSON."""

import argparse
import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import history
import structlog
from rolling import next_release, traffic
from rolling.door import Door
from rolling.load import Load
from rolling.platform import Platform
from rolling.trees import Tree, prepared, released, this
from rolling.verdict import missed, troubles
from under_load import SETTINGS

from ctl.addresses import DATABASES, Addresses
from ctl.invariants import until_settled
from devstack.components import BUS_ADMIN, MOST_REPLICAS, NATS, SERVICES, Ports, components_of, offsets, replica_named
from devstack.probes import free_port
from devstack.processes import Program
from devstack.settings import Settings

VERSION = "v0.2.0"
ORDER = ("egress", "mandate", "scheduling-rules", "basket", "audit", "notification", "auth-gateway")
"""Who is called goes before who calls: egress first (ADR 29), the web faces last (ADR 31)."""
REPLICAS = dict.fromkeys(ORDER, 2)
OUT_SECONDS = 1.0
"""Between a face leaving the door and its SIGTERM (the chart's preStop)."""
SIDE_BY_SIDE_SECONDS = 2.0
"""How long a fresh replica runs beside the other one of before."""
SETTLED_SECONDS = 180.0
ENOUGH_SECONDS, BETWEEN_LOOKS_SECONDS = 240.0, 1.0
"""How long the load may go on behind a hop that was over before schools had done enough: a slow machine does as much, later."""
MIGRATION_TRIES = 3
HOPS = ("from", "next")
WRONGS = ("trouble", "acknowledged_too_seldom", "lines_missing", "histories", "load_broken", "events_late")
"""What of the report is said in a line when it does not hold."""


def say(text: str) -> None:
    """Progress, beside the JSON."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


class Upgrade:
    """One stack, upgraded once or more while the same schools work."""

    def __init__(self, platform: Platform, load: Load, door: Door, urls: Mapping[str, str]) -> None:
        """The first release runs already. `urls`: every database, as its administrator."""
        self.platform, self.load, self.door, self.urls = platform, load, door, urls
        self.phases: list[dict[str, Any]] = []
        self.late: list[str] = []
        self.missed: dict[str, dict[str, int]] = {}
        """By hop, what was acknowledged too seldom while it was made."""
        self.without = 0
        """Groups that the next release made without the column that it does not use."""

    def hop(self, name: str, work: Callable[[], object]) -> None:
        """Make a hop; everything that schools do must have been done meanwhile, or soon after by what runs then."""
        before = self.load.counted()
        work()
        end = time.monotonic() + ENOUGH_SECONDS
        while (few := missed(self.load.counted() - before)) and time.monotonic() < end and not self.load.broken:
            time.sleep(BETWEEN_LOOKS_SECONDS)
        if few:
            self.missed[name] = few

    def phase(self, name: str, work: Callable[[], object]) -> None:
        """Do some work, see what was said until then arrive by what runs now, and note what was answered meanwhile."""
        before, since = self.load.counted(), time.monotonic()
        work()
        arrived = 0.0
        try:
            arrived = traffic.arrived(self.urls)
        except AssertionError as late:
            self.late.append(f"{name}: {late}")
        answers = self.load.counted() - before
        troubled = troubles(answers)
        self.phases.append(
            {
                "phase": name,
                "seconds": round(time.monotonic() - since, 1),
                "all_said_arrived_after_seconds": round(arrived, 1),
                "answers": answers.total(),
                "trouble": troubled,
            }
        )
        say(f"{name}: {answers.total()} answers in {self.phases[-1]['seconds']} s{f', {troubled}' if troubled else ''}")

    def roll(self, name: str, fresh: Mapping[str, Program], services: Sequence[str] = ORDER) -> None:
        """Replace every replica of services, one after another."""
        for service in services:
            for component in components_of(next(one for one in SERVICES if one.name == service), REPLICAS[service]):
                self.phase(f"{component} is {name}", lambda one=component: self._replace(fresh[one]))

    def _replace(self, fresh: Program) -> None:
        service, replica = replica_named(fresh.name)
        face = self.platform.settings.ports.pages(replica)
        if service.face == "web":
            self.door.out(face)
            time.sleep(OUT_SECONDS)
        self.platform.replace(fresh)
        if service.face == "web":
            self.door.back(face)
        time.sleep(SIDE_BY_SIDE_SECONDS)


def migrated(tree: Tree, order: Mapping[str, Any], home: Path) -> dict[str, Program]:
    """Prepare and migrate; a lock that could not be had in time undoes a migration, which is tried again, as its Job is."""
    for attempt in range(1, MIGRATION_TRIES + 1):
        try:
            return prepared(tree, order, home)
        except AssertionError as failed:
            if attempt == MIGRATION_TRIES or "lock timeout" not in str(failed):
                raise
            say(f"{tree.name}: a migration waited too long for a lock, again")
    raise AssertionError


def from_release(upgrade: Upgrade, order: Mapping[str, Any], home: Path) -> None:
    """From v0.2.0 to this tree, its bus and its keyset included."""
    fresh: dict[str, Program] = {}
    tree = this()
    more = {**order, "copied_keyset": True}
    upgrade.phase("keys, databases, migrations", lambda: fresh.update(migrated(tree, more, home)))

    def bus() -> None:
        beside = fresh["nats-beside-0.2.0"]
        upgrade.platform.stop(NATS)
        upgrade.platform.start(beside)
        upgrade.platform.start(fresh[BUS_ADMIN])

    upgrade.phase("the bus beside 0.2.0, bus-admin", bus)
    upgrade.roll(tree.name, fresh)

    def accounts() -> None:
        upgrade.platform.stop(fresh["nats-beside-0.2.0"].name)
        upgrade.platform.start(fresh[NATS])

    upgrade.phase("an account for each service", accounts)


def to_next(upgrade: Upgrade, order: Mapping[str, Any], home: Path) -> None:
    """From this tree to one that expands, says more and stops using a column; from that one to one that drops the column."""
    fresh: dict[str, Program] = {}
    tree = next_release.made(home / "next")
    upgrade.phase("migrations of the next release", lambda: fresh.update(migrated(tree, order, home)))
    # One that falls meanwhile comes up again on a database that is newer than its code.
    upgrade.phase("basket-2 of this starts again", lambda: upgrade.platform.restart("basket-2"))
    upgrade.phase("bus-admin of the next release", lambda: upgrade.platform.replace(fresh[BUS_ADMIN]))
    upgrade.roll(tree.name, fresh)

    upgrade.without = next_release.without(upgrade.urls["basket"])
    later: dict[str, Program] = {}
    last = next_release.after(tree, home / "after")
    upgrade.phase("the release after drops a column", lambda: later.update(migrated(last, order, home)))
    upgrade.phase("basket-2 of next starts again", lambda: upgrade.platform.restart("basket-2"))
    upgrade.roll(last.name, later, ("basket",))  # all else is the next one's, byte for byte


async def acknowledged(url: str, lines: Sequence[str]) -> list[str]:
    """Those of the lines that somebody was told of which are not in basket's database."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        rows = await connection.fetch(
            "SELECT asked FROM unnest($1::text[]) AS asked WHERE NOT EXISTS"
            " (SELECT FROM basket_line WHERE id::text = asked)",
            list(lines),
        )
    finally:
        await connection.close()
    return [row[0] for row in rows]


def judged(upgrade: Upgrade) -> dict[str, Any]:
    """What stands after the load: every invariant, every history, every acknowledgement."""
    addresses = Addresses(upgrade.urls, upgrade.platform.settings.sandbox_url)
    since = time.monotonic()
    report = asyncio.run(until_settled(addresses, SETTLED_SECONDS))
    offices = upgrade.load.offices
    operations = [op for office in offices for op in office.history]
    unexplained = [one for one in history.check(history.soften(operations)) if not one.explained]
    lines = sorted({op.line for op in operations if op.line})
    missing = asyncio.run(acknowledged(upgrade.urls["basket"], lines))
    broken = upgrade.load.broken + [f"{office.school.id}: {office.broken}" for office in offices if office.broken]
    answers = upgrade.load.counted()
    trouble = troubles(answers)
    wrong = (unexplained, missing, broken, trouble, upgrade.late, upgrade.missed)
    return {
        "holds": report.holds and not any(wrong),
        "settled_after_seconds": round(time.monotonic() - since, 1),
        "answers": dict(sorted(answers.items())),
        "trouble": trouble,
        "acknowledged_too_seldom": upgrade.missed,
        "asked_again_at_the_door": dict(upgrade.door.again),
        "lines_acknowledged": len(lines),
        "lines_missing": missing,
        "histories": {"operations": len(operations), "unexplained": len(unexplained)},
        "load_broken": broken,
        "events_late": upgrade.late,
        "invariants": report.as_json(),
        "phases": upgrade.phases,
        "said": [*upgrade.load.said, *upgrade.platform.said],
    }


def run(hops: Sequence[str], seed: int, *, keep: bool) -> dict[str, Any]:
    """One run; logs and data are kept where it does not hold, or where they are wanted."""
    home = Path(tempfile.mkdtemp(prefix="resapermis-rolling-"))
    home.chmod(0o755)  # as root, PostgreSQL runs as another user and must reach its folder
    (home / "log").mkdir()
    port = free_port(offsets(dict.fromkeys(REPLICAS, MOST_REPLICAS)), start=31_000, step=100, attempts=40)
    settings = Settings(home, Ports(port), {}, dict(SETTINGS), replicas=REPLICAS)
    faces = [settings.ports.pages(replica) for replica in range(1, REPLICAS["auth-gateway"] + 1)]
    report: dict[str, Any] = {"holds": False}
    say(f"home {home}, port {port}")
    with Platform(settings) as platform:
        platform.start_database()
        order = {
            "port": port,
            "replicas": REPLICAS,
            "settings": SETTINGS,
            "admin_url": platform.admin_url,
            "pages": faces,
        }
        first = released(VERSION) if "from" in hops else this()
        programs = prepared(first, order, home)
        urls = {name: platform.server.url("resapermis", name) for name in DATABASES}
        platform.start_outside()
        platform.start(programs[NATS])
        components = (one for service in SERVICES for one in components_of(service, REPLICAS[service.name]))
        platform.start(*(programs[one] for one in (BUS_ADMIN, *components) if one in programs))
        say(f"{first.name} runs")
        door = Door(port, faces)
        load = Load(settings, door, seed)
        load.prepare(urls["scheduling_rules"])
        upgrade = Upgrade(platform, load, door, urls)
        load.begin()
        try:
            upgrade.phase(f"{first.name} alone", lambda: time.sleep(5))
            if "from" in hops:
                upgrade.hop("from", lambda: from_release(upgrade, order, home))
            if "next" in hops:
                upgrade.hop("next", lambda: to_next(upgrade, order, home))
            upgrade.phase("the end", lambda: time.sleep(5))
        finally:
            load.stop()
        report = judged(upgrade)
        if "next" in hops:
            report["next"] = {**next_release.seen(urls["basket"]), "groups_without_the_column": upgrade.without}
            report["holds"] = report["holds"] and all(report["next"].values())
    if not report["holds"]:
        say(f"Error: {', '.join(f'{one}: {report.get(one)}' for one in WRONGS if report.get(one))}"[:1000])
    if keep or not report["holds"]:
        say(f"logs and data are kept in {home}")
    else:
        with contextlib.suppress(OSError):
            shutil.rmtree(home)
    return report


def main(given: Sequence[str]) -> int:
    """Exit status 0 when nothing was lost and nobody was refused."""
    parser = argparse.ArgumentParser(prog="make upgrade-test", description="Upgrades while schools book, then checks.")
    parser.add_argument("hops", nargs="*", default=HOPS, help="from the last release, to the next; both without a word")
    parser.add_argument("--seed", type=int, default=1, help="what is drawn")
    parser.add_argument("--keep", action="store_true", help="keep logs and data even if all holds")
    asked = parser.parse_args(given)
    if unknown := set(asked.hops) - set(HOPS):
        parser.error(f"no such hop: {', '.join(sorted(unknown))}")
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout is the report's
    report = run(asked.hops, asked.seed, keep=asked.keep)
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 0 if report["holds"] else 1
