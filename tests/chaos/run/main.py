"""One stack a run, one chaos run a seed; after each, all has to settle and every invariant to hold."""

import argparse
import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import history
from journey import DrivingSchool, TheState, exam_day, until
from under_load import SETTINGS, short_holds

from ctl.addresses import DATABASES, Addresses
from ctl.findings import Report
from ctl.invariants import until_settled
from devstack.background import BackgroundStack
from devstack.components import FOUNDATION, offsets
from devstack.probes import free_port
from devstack.stack import Stack
from run import schedule
from run.office import Office
from run.outside_user import OutsideUser

DEPARTMENTS = ("094", "075", "069", "013")
SCHOOLS = 4
"""A department."""
SLOTS = 12
"""A department and seed: few enough that schools meet on them."""
PEOPLE = 4
"""A school."""
OUTSIDE_SLOTS = 6
"""A department and seed, booked on RdvPermis' own pages."""
SETTLED_SECONDS = 90.0
"""Everything is known, arrived and given back this long after the load: the reconciler's longest pause is a minute."""
MOST_SEEN = 500
"""Slots of a centre's day in one page of the search; each seed adds eighteen."""


def say(text: str) -> None:
    """Progress, beside the JSON."""
    sys.stderr.write(f"{text}\n")


class ChaosRun:
    """A running stack with schools, which takes one seed after the other."""

    def __init__(self, running: BackgroundStack) -> None:
        self.running = running
        self.stack = running.stack
        self.state = TheState(self.stack.settings.sandbox_url)
        self.schools: list[DrivingSchool] = []
        self.people: dict[str, list[Any]] = {}
        self.outside_slots: dict[str, list[str]] = {}
        self.addresses = Addresses(
            {name: self.stack.database_url(name) for name in DATABASES}, self.stack.settings.sandbox_url
        )

    def prepare(self) -> None:
        """Schools with candidates; limits that a run would only hide behind are raised, holds are short."""
        self.state.limit(employee=100_000, online=100_000)
        asyncio.run(short_holds(self.addresses.databases["scheduling_rules"]))
        names = [(department, number) for number in range(1, SCHOOLS + 1) for department in DEPARTMENTS]

        def one(name: tuple[str, int]) -> DrivingSchool:
            school = DrivingSchool(self.stack.url, self.state, *name)
            school.come_in()
            self.people[school.id] = [school.candidate() for _ in range(PEOPLE)]
            return school

        with ThreadPoolExecutor(4) as pool:
            self.schools = list(pool.map(one, names))

    def fresh_slots(self) -> dict[str, list[str]]:
        """Slots of this seed by department, seen by the search; what earlier seeds left is cancelled first."""
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(_cancel_all, self.schools))
        made = {}
        for department in DEPARTMENTS:
            school = next(one for one in self.schools if one.wire_department == department)
            centre = f"ce-{department}-1"
            slots = self.state.publish(centre, exam_day(), SLOTS)
            self.outside_slots[department] = self.state.publish(centre, exam_day(), OUTSIDE_SLOTS)

            def seen(school: DrivingSchool = school, centre: str = centre, slots: list[str] = slots) -> bool:
                found = {one["id"] for one in school.search(centre=centre, poll_now=True, limit=MOST_SEEN)["items"]}
                return found >= set(slots)

            until(seen, f"fresh slots of {department} in the search", 30)
            made[department] = slots
        return made

    def run(self, seed: int, seconds: float) -> dict[str, Any]:
        """Load, outages and faults of one seed, then the judgement; returns the seed's report."""
        slots = self.fresh_slots()
        end = threading.Event()
        offices = [
            Office(
                school,
                slots[school.wire_department],
                self.people[school.id],
                Random(f"{seed} {school.id}"),  # noqa: S311 - repeatable on purpose
                end,
            )
            for school in self.schools
        ]
        outside_user = self._outside_user(seed, slots, end)
        threads = [threading.Thread(target=office.work, name=office.school.id) for office in offices]
        threads.append(threading.Thread(target=outside_user.work, name="outside user"))
        began = time.monotonic()
        for thread in threads:
            thread.start()
        done: Counter[str] = Counter()
        fault_windows = threading.Thread(
            target=self._inject_faults, args=(schedule.fault_windows(seed, seconds), began, done)
        )
        fault_windows.start()
        try:
            self._cause_outages(schedule.outages(seed, seconds), began, done)
            end.wait(max(0.0, began + seconds - time.monotonic()))
        finally:
            fault_windows.join()
            end.set()
            for thread in threads:
                thread.join()
        loaded = time.monotonic() - began
        say(f"seed {seed}: {loaded:.0f} s of load, waiting until all has settled")
        since = time.monotonic()
        report = asyncio.run(until_settled(self.addresses, SETTLED_SECONDS))
        return self._report(seed, loaded, time.monotonic() - since, offices, outside_user, done, report)

    def _outside_user(self, seed: int, slots: dict[str, list[str]], end: threading.Event) -> OutsideUser:
        return OutsideUser(
            self.state,
            {school.id: self.outside_slots[school.wire_department] for school in self.schools},
            frozenset(slot for several in slots.values() for slot in several),
            Random(f"{seed} outside user"),  # noqa: S311 - repeatable on purpose
            end,
        )

    def _cause_outages(self, outages: Sequence[schedule.Outage], began: float, done: Counter[str]) -> None:
        for outage in outages:
            time.sleep(max(0.0, began + outage.at - time.monotonic()))
            for component in outage.components:
                (self.running.kill if outage.kill else self.running.stop)(component)
                done[f"{'kill' if outage.kill else 'restart'} {component}"] += 1
            time.sleep(outage.down)
            for component in sorted(
                outage.components, key=(*FOUNDATION, *schedule.RUNNING).index
            ):  # a service waits for its bus and database
                self.running.start(component)

    def _inject_faults(self, fault_windows: Sequence[schedule.FaultWindow], began: float, done: Counter[str]) -> None:
        for window in fault_windows:
            time.sleep(max(0.0, began + window.at - time.monotonic()))
            with self.state.faults(*map(dict, window.rules)):
                time.sleep(window.lasts)
                for rule in self.state.web.get("/faults").json():
                    done[f"rdvpermis {rule['kind']}"] += rule["struck"]

    def _report(
        self,
        seed: int,
        loaded: float,
        settling: float,
        offices: Sequence[Office],
        outside_user: OutsideUser,
        done: Counter[str],
        report: Report,
    ) -> dict[str, Any]:
        tally: Counter[str] = sum((office.tally for office in offices), Counter())
        operations = [op for office in offices for op in office.history] + outside_user.history
        verdicts = history.check(history.soften(operations))
        unexplained = [verdict for verdict in verdicts if not verdict.explained]
        broken = [f"{office.school.id}: {office.broken}" for office in offices if office.broken]
        broken += [f"by outside_user: {outside_user.broken}"] if outside_user.broken else []
        acts: Counter[str] = Counter(f"{op.act} {op.outcome}" for op in operations)
        return {
            "seed": seed,
            "holds": report.holds and not unexplained and not broken,
            "seconds": round(loaded, 1),
            "settled_after_seconds": round(settling, 1),
            "acts": dict(sorted(acts.items())),
            "answers": dict(sorted(tally.items())),
            "by_hand": dict(sorted(outside_user.tally.items())) | {"standing": len(outside_user.booked)},
            "faults": dict(sorted(done.items())),
            "invariants": report.as_json(),
            "linearizable": {
                "operations": len(operations),
                "slots": len(verdicts),
                "unexplained": [_described(verdict) for verdict in unexplained],
            },
            "offices_broken": broken,
        }


def _described(verdict: history.Verdict) -> dict[str, Any]:
    described = asdict(verdict)
    described["stuck"] = [
        f"{op.act} {op.outcome} {op.school} {op.line} {op.called:.2f}-{op.answered:.2f}" for op in verdict.stuck
    ]
    return described


def _cancel_all(school: DrivingSchool) -> None:
    for line in school.get("/api/v1/bookings", filter="upcoming", limit=100)["items"]:
        school.act("POST", f"/api/v1/bookings/{line['id']}/cancellation", {"reason": "school"})


def run_seeds(seeds: Sequence[int], seconds: float, *, keep: bool) -> list[dict[str, Any]]:
    """Run seeds on one stack; stop at the first that does not hold, and keep its logs and data."""
    home = Path(tempfile.mkdtemp(prefix="resapermis-chaos-"))
    home.chmod(0o755)  # as root, PostgreSQL runs as another user and must reach its folder
    stack = Stack(
        home,
        free_port(offsets(schedule.REPLICAS), start=27_000),
        component_settings=SETTINGS,
        replicas=schedule.REPLICAS,
    )
    reports: list[dict[str, Any]] = []
    with BackgroundStack(stack) as running:
        whole = ChaosRun(running)
        since = time.monotonic()
        whole.prepare()
        say(f"{len(whole.schools)} schools ready in {time.monotonic() - since:.0f} s on {stack.url}, home {home}")
        for seed in seeds:
            reports.append(whole.run(seed, seconds))
            if not reports[-1]["holds"]:
                break
    if keep or not all(report["holds"] for report in reports):
        say(f"logs and data are kept in {home}")
    else:
        with contextlib.suppress(OSError):
            shutil.rmtree(home)
    return reports


def main(given: Sequence[str]) -> int:
    """Exit status 0 when every seed held."""
    parser = argparse.ArgumentParser(prog="make chaos", description="Kills everything while schools book, then checks.")
    parser.add_argument("--seed", type=int, default=1, help="the first seed (default 1)")
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds, counted up from the first (default 20)")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a seed's load (default 10)")
    parser.add_argument("--keep", action="store_true", help="keep logs and data even if all holds")
    asked = parser.parse_args(given)
    reports = run_seeds(range(asked.seed, asked.seed + asked.seeds), asked.seconds, keep=asked.keep)
    holds = len(reports) == asked.seeds and all(report["holds"] for report in reports)
    sys.stdout.write(json.dumps({"holds": holds, "runs": reports}, indent=2) + "\n")
    return 0 if holds else 1
