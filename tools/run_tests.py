"""`make test`: Python, and beside it the web's units, then the browser. All run even when one fails; the exit status says.

What the web wrote is printed whole once Python has ended. A test that fails beside others runs once more alone: whole
platforms wait for real things, and all together fill the machine. One that passes only then is listed and counted in the
last lines, as is what did not run: a browser that was not there, tests that need root. Tests marked `long_only`, in the
browser tagged @long, are left to `make test-long`. ARGS="path -k word" goes to pytest and leaves the rest out.

With CONTAINERS=1 PostgreSQL and NATS of the Python tests come from containers: all of them with PostgreSQL 18, then libraries
and services (or ARGS) with PostgreSQL 15. Where there is no engine or image, a line says so, and the embedded ones serve.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from resapermis_testing.sources.engine import POSTGRES, Containers, NoContainers, containers, wanted

ROOT = Path(__file__).resolve().parents[1]
WHOLE = ("-m", "not long_only")
"""What pytest is asked for when nobody asks for anything else: `make test-long` runs the others."""
ON_EVERY_POSTGRES = ("libs", "services", *WHOLE)
"""What is asked for again with the other versions of PostgreSQL."""
LONG_IN_BROWSER = "@long"
"""The tag of browser tests that `make test-long` runs."""
WORKERS = (os.cpu_count() or 1) + 1
"""Tests at once: one more than cores, for each waits for another process much of its time (with two on two, a fifth of the machine idled)."""
FAILED_TESTS = "RESAPERMIS_FAILED_TESTS"
"""Where conftest.py writes which tests failed, one a line."""
FAILED = 1
"""What pytest ends with when all was run and some of it failed."""
STOPPED = {124, 137}
"""What `timeout` ends with when it stopped something, softly or not."""
LONGEST_SECONDS = "2400"
"""Longer than ever seen: what hangs is to be reported, not waited for."""
CHROMIUMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The engine alone first (Debian's package of that name): without a window around it, it takes an eighth less."""
AGAIN = "!!! The tests above failed beside others; here they are once more, alone. What fails again is broken."
UNIT_FAILED = re.compile(r"^ *FAIL +(.+)$", re.MULTILINE)
"""How Vitest names a test that failed."""
BROWSER_FAILED = re.compile(r"^ +[✘x] +\d+ (.+?)(?: \([\d.]+m?s\))?$", re.MULTILINE)
"""How Playwright's list names one."""


@dataclass(frozen=True)
class Ended:
    """What became of a command. `output` is empty where it went to the terminal."""

    status: int
    output: str = ""


class Call(Protocol):
    """How a command is run."""

    def __call__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str], *, kept: bool) -> Ended:
        """Run it in that folder; its output is `kept`, or goes to the terminal."""
        ...


def call(command: Sequence[str], folder: Path, environment: Mapping[str, str], *, kept: bool) -> Ended:
    """Run a command in `folder`; its output is kept, with what it wrote as an error, or goes to the terminal."""
    if not kept:
        return Ended(subprocess.run(command, cwd=folder, env=environment, check=False).returncode)
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        ended = subprocess.run(
            command, cwd=folder, env=environment, check=False, stdout=output, stderr=subprocess.STDOUT
        )
        output.seek(0)
        return Ended(ended.returncode, output.read())


def chromium(environment: Mapping[str, str]) -> str | None:
    """The browser to test in; None when there is none."""
    path = environment.get("PATH")
    found = (shutil.which(name, path=path) for name in (environment.get("RESAPERMIS_CHROMIUM", ""), *CHROMIUMS) if name)
    return next((one for one in found if one), None)


def is_root() -> bool:
    """Whether tests that need root run."""
    return os.geteuid() == 0


def has_prometheus() -> bool:
    """Whether tests that put rules and dashboards to the real one run."""
    return all(map(shutil.which, ("prometheus", "promtool")))


def closing(flaky: Sequence[str], *, browser: bool, in_ci: bool, root: bool, prometheus: bool) -> list[str]:
    """The run's last lines: tests that passed at the second run only, and what did not run here."""
    lines = [f"Tests that passed only on their second run: {len(flaky)}."]
    lines += [f"!!! passed only on its second run: {test}" for test in flaky]
    lines += [] if root else ["!!! Tests that need root DID NOT RUN (pytest -m root, as root)."]
    lines += [] if prometheus else ["!!! Tests that need Prometheus DID NOT RUN (apt install prometheus)."]
    if not browser:
        lines += [
            "!!! NOTHING WAS SHOWN IN A BROWSER: there is no Chromium on this machine, and the browser tests did not run.",
            "!!! Debian or Ubuntu: apt install chromium (as root), or set RESAPERMIS_CHROMIUM to one.",
        ]
        lines += ["!!! In CI that is a failure."] if in_ci else []
    return lines


def _written(file: Path) -> Iterable[str]:
    return file.read_text(encoding="utf-8").splitlines() if file.is_file() else ()


def passed_again(first: Path, second: Path) -> list[str]:
    """Tests of the first list that are not in the second; none when the second was never written."""
    if not second.is_file():
        return []
    before, after = (
        {re.sub(r"@[\w-]+$", "", name) for name in _written(file)}  # xdist adds @group
        for file in (first, second)
    )
    return sorted(before - after)


class Python:
    """The Python tests: `beside` others first, then `alone` what failed there."""

    def __init__(self, arguments: Sequence[str], run: Call, environment: Mapping[str, str], folder: Path) -> None:
        self._arguments, self._run, self._environment = arguments, run, environment
        self._first, self._second = folder / "first", folder / "second"
        self._pytest = (sys.executable, "-m", "pytest")

    def beside(self) -> int:
        """Run all, WORKERS at once; the exit status."""
        seconds = self._environment.get("RESAPERMIS_TEST_SECONDS", LONGEST_SECONDS)
        workers = self._environment.get("RESAPERMIS_TEST_WORKERS", str(WORKERS))
        stop = ("timeout", "--signal=INT", "--kill-after=60", seconds)
        command = (*stop, *self._pytest, "-n", workers, "--dist", "loadgroup", *(self._arguments or WHOLE))
        status = self._run(command, ROOT, {**self._environment, FAILED_TESTS: str(self._first)}, kept=False).status
        if status in STOPPED:
            print("\n!!! The Python tests did not end; stopped.", flush=True)
        return status

    def alone(self, status: int) -> tuple[int, list[str]]:
        """Run what failed once more; the exit status and what passed only now.

        Only after a run that ended by itself: one interrupted, broken within or never begun has tests of which nobody knows.
        """
        if status != FAILED:
            return status, []
        print(f"\n{AGAIN}", flush=True)
        command = (*self._pytest, "-n", "0", "--last-failed", "--last-failed-no-failures", "none")
        again = self._run(command, ROOT, {**self._environment, FAILED_TESTS: str(self._second)}, kept=False).status
        flaky = passed_again(self._first, self._second) if self._first.is_file() and again in {0, 1} else []
        return (0 if again == 0 else status), flaky


class Web:
    """The web's tests: units, then the browser when there is one."""

    def __init__(self, run: Call, environment: Mapping[str, str]) -> None:
        self.browser = chromium(environment)
        self._run = run
        self._environment = {**environment, "NO_COLOR": "1", "RESAPERMIS_CHROMIUM": self.browser or ""}

    def beside(self) -> tuple[Ended, Ended | None]:
        """Run both; units, browser."""
        return self._units(), self._seen() if self.browser else None

    def alone(self, units: Ended, seen: Ended | None) -> tuple[bool, list[str]]:
        """Print what they wrote, run once more whichever failed; whether all passed, and what passed only now.

        It is run whole: tests that were not begun after a failure count as failed nowhere.
        """
        flaky: list[str] = []
        passed = True
        for name, ended, again, failed in (
            ("web units", units, self._units, UNIT_FAILED),
            ("browser", seen, partial(self._seen, E2E_TRACE="1"), BROWSER_FAILED),
        ):
            if ended is None:
                continue
            print(ended.output, flush=True)
            if ended.status == 0:
                continue
            print(f"\n{AGAIN}", flush=True)
            second = again()
            print(second.output, flush=True)
            before, after = (dict.fromkeys(failed.findall(one.output)) for one in (ended, second))
            passed = passed and second.status == 0
            flaky += [f"{name}: {test}" for test in before if test not in after] or (
                [] if second.status else [f"{name}: none was named, see above"]
            )
        return passed, flaky

    def _units(self) -> Ended:
        return self._run(("npm", "run", "--silent", "test"), ROOT / "web", self._environment, kept=True)

    def _seen(self, **more: str) -> Ended:
        return self._run(
            (sys.executable, "tools/e2e.py", "--grep-invert", LONG_IN_BROWSER),
            ROOT,
            {**self._environment, **more},
            kept=True,
        )


def main(
    arguments: Sequence[str],
    run: Call = call,
    environment: Mapping[str, str] = os.environ,
    engine: Callable[[Mapping[str, str]], AbstractContextManager[Containers]] = containers,
) -> int:
    """Run what is asked for; 0 only when all of it passed. `engine` gives the containers where they are asked for."""
    environment = {**environment, "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{environment.get('PATH', '')}"}
    # Some containers set it: each process here would compile all our modules.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with ExitStack() as stack:
        given = None
        if wanted(environment):
            try:
                given = stack.enter_context(engine(environment))
            except NoContainers as missing:
                print(f"!!! CONTAINERS=1: {missing}. The embedded PostgreSQL and NATS serve.", flush=True)
        return _all(arguments, run, environment, given)


def _all(arguments: Sequence[str], run: Call, environment: Mapping[str, str], given: Containers | None) -> int:
    """All that is asked for, one PostgreSQL after the other; the web, which knows none, beside the first."""
    versions: Sequence[str] = tuple(POSTGRES) if given is not None else ("",)
    statuses: list[int] = []
    flaky: list[str] = []
    with ExitStack() as stack:
        beside = stack.enter_context(ThreadPoolExecutor(1))
        web = None if arguments else Web(run, environment)
        web_ends: Future[tuple[Ended, Ended | None]] | None = beside.submit(web.beside) if web is not None else None
        for version in versions:
            asked, with_it = arguments, environment
            if given is not None:
                asked = arguments or (WHOLE if version == versions[0] else ON_EVERY_POSTGRES)
                with_it = given.with_postgres(version)
                print(f"\nPostgreSQL {version} from {given.postgres[version]}, NATS from {given.nats}", flush=True)
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            python = Python(asked, run, with_it, folder)
            status = python.beside()
            if web_ends is not None:
                web_ends.result()  # what failed is run again when nothing else runs
            if not arguments:
                status, again = python.alone(status)
                flaky += again
            statuses.append(status)
        failed = next((status for status in statuses if status), 0)
        if web is None or web_ends is None:
            return failed
        passed, flaky_web = web.alone(*web_ends.result())
    in_ci = bool(environment.get("CI"))
    lines = closing(
        [*flaky, *flaky_web], browser=web.browser is not None, in_ci=in_ci, root=is_root(), prometheus=has_prometheus()
    )
    print("\n" + "\n".join(lines), flush=True)
    return 1 if failed or not passed or (web.browser is None and in_ci) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
