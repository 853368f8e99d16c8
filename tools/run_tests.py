"""`make test`: Python, then the web's units, then the browser. All run even when one fails; the exit status says.

A Python test that fails beside others runs once more alone: whole platforms wait for real things, and two workers fill the
machine. One that passes only then is listed and counted in the last lines, as is a browser that was not there.
ARGS="path -k word" goes to pytest and leaves the rest out.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FAILED_TESTS = "RESAPERMIS_FAILED_TESTS"
"""Where conftest.py writes which tests failed, one a line."""
STOPPED = {124, 137}
"""What `timeout` ends with when it stopped something, softly or not."""
LONGEST_SECONDS = "2400"
"""Longer than ever seen: what hangs is to be reported, not waited for."""
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
Call = Callable[[Sequence[str], Path, Mapping[str, str]], int]


def call(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> int:
    """Run a command there; its exit status."""
    return subprocess.run(command, cwd=folder, env=environment, check=False).returncode


def chromium(environment: Mapping[str, str]) -> str | None:
    """The browser to test in; None when there is none."""
    path = environment.get("PATH")
    found = (shutil.which(name, path=path) for name in (environment.get("RESAPERMIS_CHROMIUM", ""), *CHROMIUMS) if name)
    return next((one for one in found if one), None)


def closing(flaky: Sequence[str], *, browser: bool, in_ci: bool) -> list[str]:
    """The run's last lines: tests that passed at the second run only, and whether a browser showed anything."""
    lines = [f"Tests that passed only on their second run: {len(flaky)}."]
    lines += [f"!!! passed only on its second run: {test}" for test in flaky]
    if not browser:
        lines += [
            "!!! NOTHING WAS SHOWN IN A BROWSER: there is no Chromium on this machine, and the browser tests did not run.",
            "!!! Debian or Ubuntu: apt install chromium (as root), or set RESAPERMIS_CHROMIUM to one.",
        ]
        lines += ["!!! In CI that is a failure."] if in_ci else []
    return lines


def passed_again(first: Path, second: Path) -> list[str]:
    """Tests of the first list that are not in the second; none when the second was never written."""
    if not second.is_file():
        return []
    before, after = (
        {re.sub(r"@[\w-]+$", "", name) for name in file.read_text(encoding="utf-8").splitlines()}  # xdist adds @group
        for file in (first, second)
    )
    return sorted(before - after)


def python_tests(arguments: Sequence[str], run: Call, environment: Mapping[str, str]) -> tuple[int, list[str]]:
    """Exit status and what passed only on its second run."""
    seconds = environment.get("RESAPERMIS_TEST_SECONDS", LONGEST_SECONDS)
    workers = environment.get("RESAPERMIS_TEST_WORKERS", "2")
    pytest = (sys.executable, "-m", "pytest")
    stop = ("timeout", "--signal=INT", "--kill-after=60", seconds)
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder) / "first", Path(folder) / "second"
        beside = (*stop, *pytest, "-n", workers, "--dist", "loadgroup", *arguments)
        status = run(beside, ROOT, {**environment, FAILED_TESTS: str(first)})
        if status == 0 or arguments:
            return status, []
        if status in STOPPED:
            print("\n!!! The Python tests did not end; stopped.", flush=True)
            return status, []
        print(
            "\n!!! The tests above failed beside others; here they are once more, alone. What fails again is broken.",
            flush=True,
        )
        alone = (*pytest, "-n", "0", "--last-failed", "--last-failed-no-failures", "none")
        again = run(alone, ROOT, {**environment, FAILED_TESTS: str(second)})
        flaky = passed_again(first, second) if first.is_file() and again in {0, 1} else []
        return (0 if again == 0 else status), flaky


def main(arguments: Sequence[str], run: Call = call, environment: Mapping[str, str] = os.environ) -> int:
    """Run what is asked for; 0 only when all of it passed."""
    environment = {**environment, "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{environment.get('PATH', '')}"}
    status, flaky = python_tests(arguments, run, environment)
    if arguments:
        return status
    units = run(("npm", "run", "--silent", "test"), ROOT / "web", environment)
    browser, in_ci = chromium(environment), bool(environment.get("CI"))
    if browser is None:
        seen = int(in_ci)
    else:
        seen = run((sys.executable, "tools/e2e.py"), ROOT, {**environment, "RESAPERMIS_CHROMIUM": browser})
    print("\n" + "\n".join(closing(flaky, browser=browser is not None, in_ci=in_ci)), flush=True)
    return 1 if status or units or seen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
