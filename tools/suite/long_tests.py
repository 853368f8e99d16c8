"""`make test-long`: what is too long for every commit, in two lanes beside each other. ARGS="controls --seed 7" for some of it.

Each step has its own databases, bus and ports, and needs little more than one core. All run even when one fails: its output
is printed whole, and the last lines have a table of all. One that does not end in its time is stopped, and has failed.
The seed that is printed first decides what is drawn: controls, seeds of the chaos run, examples, orders of tests.
"""

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from run_tests import LONG_IN_BROWSER, chromium

ROOT = Path(__file__).resolve().parents[2]
LANES = 2
BROWSER = "browser"
ONLY_HERE = "long_only"
"""The mark of tests that `make test` leaves out (pyproject.toml)."""
CHAOS_SEEDS, CHAOS_SEEDS_AT_ONCE = 20, 3
"""`make chaos` tries all of them; here some that follow each other."""
TELLING = re.compile(r"^(E |FAILED |ERROR )|^\d+\) .*›|\w*(Error|Exception|Timeout)\b|should say|gave \d")
"""How pytest, Playwright, Python and our own reports word what went wrong, in a line without its indentation."""
TELLING_EACH, TELLING_WIDTH = 4, 200
"""So many of the first and of the last such lines, each no wider."""
SOFTLY_SECONDS = 60
"""How long what is stopped may take to end its own processes, before it is killed."""


@dataclass(frozen=True)
class Step:
    """A command that may take `most_seconds`: several times what it takes beside another, and never the rest of an hour."""

    name: str
    command: tuple[str, ...]
    most_seconds: float


@dataclass(frozen=True)
class Ended:
    """What became of a step. `status` is None when it was stopped for its time; `output` is all that it wrote."""

    status: int | None
    output: str = ""
    seconds: float = 0

    @property
    def result(self) -> str:
        """One word for the table."""
        return "passed" if self.status == 0 else "STOPPED" if self.status is None else "FAILED"


class Call(Protocol):
    """How a step is run."""

    def __call__(self, step: Step, environment: Mapping[str, str]) -> Ended:
        """Run it to its end, or until its time is over."""
        ...


def steps(seed: int) -> tuple[Step, ...]:
    """All steps, in the order in which lanes take them: the longest first, so that both end at about the same time."""
    python = sys.executable
    drawn = (f"--randomly-seed={seed}", f"--hypothesis-seed={seed}")
    pytest = ("env", "HYPOTHESIS_PROFILE=long", python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *drawn)
    first = 1 + seed % (CHAOS_SEEDS - CHAOS_SEEDS_AT_ONCE + 1)
    chaos = (python, "tests/chaos/chaos.py")
    return (
        # a hundred thousand operations of two replicas judged, a tenth under kill -9, and without the index
        Step("linear", (*chaos, "linear", "--seed", str(seed)), 2400),
        # basket against a model of a few lines, ten thousand steps
        Step("model", (*pytest, "-n", "0", "services/basket/tests/test_model.py"), 1500),
        # every process of the last release replaced while schools book, then by two made-up ones
        Step("upgrade", (python, "tests/upgrade/upgrade.py", "--seed", str(seed)), 2400),
        # a hundred thousand bent messages a kind
        Step("bent-messages", (*pytest, "-n", "0", "services/basket/tests/test_bad_input.py"), 900),
        # every other test that has a long profile, or runs here only; by one worker, which keeps those on one platform together
        Step("long-tests", (*pytest, "-n", "1", "--dist", "loadgroup", "-m", f"long or {ONLY_HERE}"), 1800),
        # shown requirements without the line behind each
        # the browser tests that are not among the main acts
        Step(BROWSER, (python, "tools/e2e.py", "--grep", LONG_IN_BROWSER), 900),
        Step("controls", (python, "tools/controls.py", "--random", "20", "--seed", str(seed)), 1800),
        Step("chaos", (*chaos, "run", "--seed", str(first), "--seeds", str(CHAOS_SEEDS_AT_ONCE)), 1200),
        # two hundred calendars read beside gRPC
        Step("calendars", (*pytest, "-n", "0", "services/scheduling-rules/tests/test_reader_process.py"), 600),
        # the files that a request crosses
        Step("crossings", (python, "tools/crossings.py"), 600),
    )


class Processes:
    """Commands that run, each in a process group of its own, so that all that one has started can be stopped."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()

    def call(self, step: Step, environment: Mapping[str, str]) -> Ended:
        """Run a step; its output is kept."""
        since = time.monotonic()
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                step.command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
            self._running.add(process)
            status: int | None = None
            try:
                status = process.wait(step.most_seconds)
            except subprocess.TimeoutExpired:
                _stop(process)
            finally:
                self._running.discard(process)
            output.seek(0)
            return Ended(status, output.read().decode(errors="replace"), time.monotonic() - since)

    def interrupt(self) -> None:
        """Have all end, as Ctrl-C would if they were of the terminal's process group."""
        for process in tuple(self._running):
            _signal(process, signal.SIGINT)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    _signal(process, signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(SOFTLY_SECONDS)
    _signal(process, signal.SIGKILL)  # also what its first process has left behind
    process.wait()


def _signal(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def say(text: str) -> None:
    """One write, so that lanes do not write into each other's lines."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def run(step: Step, call: Call, environment: Mapping[str, str]) -> Ended:
    """Run a step and tell of it: when it begins and ends, and what it wrote when it did not pass."""
    say(f"test-long: {time.strftime('%H:%M:%S')} begun    {step.name}")
    ended = call(step, environment)
    telling = f"test-long: {time.strftime('%H:%M:%S')} {ended.result:<8} {step.name} after {ended.seconds:.0f} s"
    if ended.status is None:
        telling += f": did not end within {step.most_seconds:.0f} s"
    elif ended.status != 0:
        telling += f", exit status {ended.status}"
    if ended.status != 0:
        telling += f"; all that it wrote:\n{ended.output}\ntest-long: that was {step.name}"
    say(telling)
    return ended


def table(done: Iterable[tuple[Step, Ended]]) -> list[str]:
    """The last lines: a row a step."""
    rows = [("step", "result", "seconds"), *((step.name, end.result, f"{end.seconds:.0f}") for step, end in done)]
    width = max(len(name) for name, _, _ in rows)
    return [f"test-long | {name:<{width}} | {result:<7} | {seconds:>7} |" for name, result, seconds in rows]


def telling(output: str) -> list[str]:
    """The few lines of a failed step that say most of why: where a log is cut, these last ones are what is left of it."""
    lines = [" ".join(line.split())[:TELLING_WIDTH] for line in output.splitlines() if line.strip()]
    said = list(dict.fromkeys(line for line in lines if TELLING.search(line))) or lines
    return said if len(said) <= 2 * TELLING_EACH else said[:TELLING_EACH] + said[-TELLING_EACH:]


def main(arguments: Sequence[str], call: Call | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """Run what is asked for; 0 only when all of it passed."""
    parser = argparse.ArgumentParser(prog="make test-long", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="step", help=", ".join(step.name for step in steps(0)))
    parser.add_argument("--seed", type=int, default=int(time.time()), help="what is drawn")
    asked = parser.parse_args(arguments)
    picked = [step for step in steps(asked.seed) if not asked.names or step.name in asked.names]
    if unknown := set(asked.names) - {step.name for step in picked}:
        parser.error(f"no such step: {', '.join(sorted(unknown))}")
    environment = {**environment, "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{environment.get('PATH', '')}"}
    browser = chromium(environment)
    environment |= {"NO_COLOR": "1", "RESAPERMIS_CHROMIUM": browser or ""}
    if unseen := [step for step in picked if step.name == BROWSER and browser is None]:
        picked = [step for step in picked if step not in unseen]
    # Some containers set it: each process here would compile all our modules.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    say(f'test-long: {len(picked)} steps, {LANES} lanes; the same again by ARGS="--seed {asked.seed}"')
    since = time.monotonic()
    processes = Processes()
    with ThreadPoolExecutor(LANES) as lanes:
        running = [lanes.submit(run, step, call or processes.call, environment) for step in picked]
        try:
            ended = [one.result() for one in running]
        except KeyboardInterrupt:
            lanes.shutdown(wait=False, cancel_futures=True)
            processes.interrupt()
            raise
    say("\n" + "\n".join(table(zip(picked, ended, strict=True))))
    for step, end in zip(picked, ended, strict=True):
        if end.status != 0:
            say("\n".join(f"!!! test-long: {step.name}: {line}" for line in telling(end.output)))
    failed = [step.name for step, end in zip(picked, ended, strict=True) if end.status != 0]
    if unseen:
        say("!!! test-long: there is no Chromium here: the longer browser tests DID NOT RUN.")
        failed += [BROWSER] if environment.get("CI") else []
    took = f"in {time.monotonic() - since:.0f} s"
    say(f"!!! test-long: not passed: {', '.join(failed)} ({took})" if failed else f"test-long: all passed {took}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
