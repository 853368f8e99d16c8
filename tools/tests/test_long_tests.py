"""`make test-long` runs every step to its end, says how each ended, and can be repeated by its seed."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Barrier

import pytest

import run_tests
from resapermis_testing.eventually import eventually
from suite import long_tests
from suite.long_tests import Ended, Processes, Step

ROOT = Path(__file__).resolve().parents[2]
NAMES = [step.name for step in long_tests.steps(0)]
WITH_BROWSER = {"RESAPERMIS_CHROMIUM": sys.executable}
"""Any program will do where nothing is run."""


class Machine:
    """Answers each step as it is set to, by its name."""

    def __init__(self, **ends: Ended) -> None:
        self.ends = ends
        self.asked: dict[str, tuple[str, ...]] = {}
        self.environment: Mapping[str, str] = {}

    def __call__(self, step: Step, environment: Mapping[str, str]) -> Ended:
        self.asked[step.name], self.environment = step.command, environment
        return self.ends.get(step.name.replace("-", "_"), Ended(0, f"{step.name} wrote this\n", 7.4))


def rows(output: str) -> dict[str, tuple[str, str]]:
    """The table: result and seconds by step, as .ci/run takes it from the output."""
    found = re.findall(r"^test-long [|] (\S+) +[|] (\S+) +[|] +(\S+) [|]$", output, re.MULTILINE)
    return {name: (result, seconds) for name, result, seconds in found[1:]}


def test_all_that_passes_is_all_well_and_told_shortly(capsys: pytest.CaptureFixture[str]) -> None:
    machine = Machine()
    assert long_tests.main(["--seed", "7"], machine, WITH_BROWSER | {"PYTHONDONTWRITEBYTECODE": "1"}) == 0
    output = capsys.readouterr().out
    assert list(machine.asked) == NAMES
    assert "PYTHONDONTWRITEBYTECODE" not in machine.environment
    assert rows(output) == dict.fromkeys(NAMES, ("passed", "7"))
    assert output.splitlines()[0].endswith('ARGS="--seed 7"')
    assert re.fullmatch(r"test-long: all passed in \d+ s", output.splitlines()[-1])
    assert "wrote this" not in output


def test_all_run_when_some_fail_and_what_these_wrote_is_printed_whole(capsys: pytest.CaptureFixture[str]) -> None:
    said = "".join(f"line {number}\n" for number in range(1_000))
    machine = Machine(linear=Ended(3, said, 5), controls=Ended(None, "it hangs here\n", 60))
    assert long_tests.main([], machine, WITH_BROWSER) == 1
    output = capsys.readouterr().out
    assert list(machine.asked) == NAMES
    assert said in output
    assert "it hangs here\n" in output
    assert re.search(r"FAILED +linear after 5 s, exit status 3;", output)
    assert re.search(r"STOPPED +controls after 60 s: did not end within \d+ s;", output)
    told = rows(output)
    assert told.pop("linear") == ("FAILED", "5")
    assert told.pop("controls") == ("STOPPED", "60")
    assert set(told.values()) == {("passed", "7")}
    assert re.fullmatch(r"!!! test-long: not passed: linear, controls \(in \d+ s\)", output.splitlines()[-1])


def test_the_last_lines_say_why_a_step_failed(capsys: pytest.CaptureFixture[str]) -> None:
    noise = "".join(f"passed {number}\n" for number in range(1_000))
    why = "  1) [chromium] › access.spec.ts:7 › a page\n    Error: expect(locator).toBeVisible() failed\n"
    machine = Machine(browser=Ended(1, noise + why + noise, 5), chaos=Ended(2, "first\n\nlast word\n", 5))
    assert long_tests.main([], machine, WITH_BROWSER) == 1
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("!!! test-long: ")]
    assert said[:-1] == [
        "!!! test-long: browser: 1) [chromium] › access.spec.ts:7 › a page",
        "!!! test-long: browser: Error: expect(locator).toBeVisible() failed",
        "!!! test-long: chaos: first",
        "!!! test-long: chaos: last word",
    ]


def test_two_steps_run_beside_each_other() -> None:
    at_once = Barrier(2)

    def call(_step: Step, _environment: Mapping[str, str]) -> Ended:
        at_once.wait(20)  # one after the other, the first would never end
        return Ended(0)

    assert long_tests.main(["linear", "model"], call, {}) == 0


def test_some_steps_are_run_by_name_and_an_unknown_one_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    machine = Machine()
    assert long_tests.main(["controls", "chaos"], machine, {}) == 0
    assert set(machine.asked) == {"controls", "chaos"}
    with pytest.raises(SystemExit) as left:
        long_tests.main(["controls", "storm"], machine, {})
    assert left.value.code == 2
    assert "no such step: storm" in capsys.readouterr().err


def test_a_seed_draws_the_same_again_and_another_draws_otherwise() -> None:
    assert long_tests.steps(5) == long_tests.steps(5)
    commands = {seed: {step.name: step.command for step in long_tests.steps(seed)} for seed in (5, 6)}
    same = [name for name in NAMES if commands[5][name] == commands[6][name]]
    assert same == ["browser", "crossings"], "whatever is drawn is drawn by the seed"


def test_each_seed_tries_some_of_the_seeds_of_make_chaos() -> None:
    tried = set()
    for seed in range(100):
        words = next(step.command for step in long_tests.steps(seed) if step.name == "chaos")
        first, many = (int(words[words.index(word) + 1]) for word in ("--seed", "--seeds"))
        tried |= set(range(first, first + many))
    assert tried == set(range(1, 21))


def test_what_make_test_leaves_out_runs_here_and_both_run_in_ci() -> None:
    """Why a test that is `long_only` supports a requirement as any other does (evidence/python_marks.py)."""
    kind, expression = run_tests.WHOLE
    assert (kind, expression) == ("-m", f"not {long_tests.ONLY_HERE}")
    by_mark = [step.command for step in long_tests.steps(0) if "-m" in step.command[4:]]
    assert [command[-1] for command in by_mark] == [f"long or {long_tests.ONLY_HERE}"]
    assert not any("::" in word or word == "-k" for command in by_mark for word in command), "of all tests"
    targets = re.search(r"^for target in (.+); do$", (ROOT / ".ci/run").read_text(encoding="utf-8"), re.MULTILINE)
    assert targets is not None
    assert {"test", "test-long"} <= set(targets[1].split())


def test_make_begins_it_as_it_can_be_begun() -> None:
    begun = subprocess.run(
        ["make", "-n", "test-long", "ARGS=--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    command = begun.stdout.splitlines()[-1].removeprefix("@")
    shown = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "usage: make test-long" in shown.stdout


def test_browser_tests_that_make_test_leaves_out_run_here() -> None:
    browser = next(step.command for step in long_tests.steps(0) if step.name == "browser")
    assert browser[-2:] == ("--grep", run_tests.LONG_IN_BROWSER)


@pytest.mark.parametrize("in_ci", [False, True])
def test_without_a_browser_that_step_is_left_out_and_ci_fails(
    capsys: pytest.CaptureFixture[str], *, in_ci: bool
) -> None:
    machine = Machine()
    assert long_tests.main([], machine, {"PATH": "", **({"CI": "1"} if in_ci else {})}) == int(in_ci)
    assert list(machine.asked) == [name for name in NAMES if name != "browser"]
    assert "browser tests DID NOT RUN" in capsys.readouterr().out


def python(text: str, most_seconds: float = 30) -> Step:
    return Step("one", (sys.executable, "-c", text), most_seconds)


def test_what_a_step_writes_is_kept_with_its_status() -> None:
    text = "import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit(3)"
    ended = Processes().call(python(text), os.environ)
    assert (ended.status, ended.output) == (3, "out\nerr\n")


DEAF = """
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited by what it starts
started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(started.pid, flush=True)
time.sleep(600)
"""


def runs(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"


async def test_a_step_that_hangs_is_stopped_with_all_that_it_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_tests, "SOFTLY_SECONDS", 0.1)
    ended = Processes().call(python(DEAF, most_seconds=1), os.environ)
    assert (ended.status, ended.result) == (None, "STOPPED")

    async def gone() -> bool:
        return not runs(int(ended.output))

    await eventually(gone)


async def test_interrupted_it_ends_what_runs_and_begins_nothing_more(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    begun.mkdir()
    asks = f"""
import sys
from suite import long_tests
waits = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
names = [{str(begun)!r} + f"/{{number}}" for number in range(3)]
long_tests.steps = lambda seed: tuple(
    long_tests.Step(f"s{{number}}", (sys.executable, "-c", waits, name), 600) for number, name in enumerate(names)
)
long_tests.main([])
"""
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", asks), cwd=ROOT / "tools", stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )

    async def two_are() -> bool:
        return len(list(begun.iterdir())) == 2

    await eventually(two_are, 20)
    running.send_signal(signal.SIGINT)
    output, _ = await asyncio.wait_for(running.communicate(), 20)
    assert running.returncode != 0
    assert b"KeyboardInterrupt" in output
    assert {file.name for file in begun.iterdir()} == {"0", "1"}
