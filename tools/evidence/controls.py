"""Controls: a line of the product taken away in a copy of the tree, where the test that stands behind it must then fail."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from evidence.states import Control

SOURCES = "*/*/src"
_PROBE = "import importlib, pathlib, sys; print(*(pathlib.Path(importlib.import_module(n).__path__[0]) for n in sys.argv[1:]), sep='\\n')"
LONGEST_SECONDS = 900
_ASSERTED = re.compile(r"assert\b|(\w+\.)*AssertionError\b|Failed: (?!Timeout)")
"""What pytest says first of a failure that was asserted: by `assert`, by `pytest.raises` and by `fail`."""

_STOPS = re.compile(r"\b(raise|throw|assert|AssertionError|exit|_exit|abort|fail)\b")
"""Words by which a line ends all that comes after it: such a line takes nothing away, it breaks."""
_BROKEN = re.compile(
    r"\w\.unexpected\b|CODE_INTERNAL|StatusCode\.INTERNAL\b|see error_id in the logs|\bassert 500 == [1-5]\d\d\b"
    r"|error_type=\W?(\w+\.)*(Arithmetic|Assertion|Attribute|Import|Index|Key|Lookup|Name|NotImplemented|Recursion|Runtime|Type"
    r"|UnboundLocal|Value|ZeroDivision)Error\b"
)
"""What a run says when the product broke in another process or task than the test, which then fails by its own `assert`."""
_COLOURS = re.compile(r"\x1b\[[\d;]*m")


class NoControl(Exception):
    """The copy cannot be used as a control; the message says why."""


@dataclass(frozen=True)
class Ran:
    """How a test ended: of its cases some `failed` by what they assert, some `broke` by anything else, of `many` that ran."""

    many: int
    failed: int
    broke: int
    output: str

    @property
    def passed(self) -> bool:
        """Whether all of it was asserted and held."""
        return self.many > 0 and self.failed == self.broke == 0


def occurrences(source: str, line: str) -> list[int]:
    """Indexes of the lines that say this, whatever their indentation."""
    return [number for number, one in enumerate(source.splitlines()) if one.strip() == line]


def changed(source: str, control: Control) -> str:
    """The source with the control's line replaced, as deep as it stood. NoControl when it stands not exactly once."""
    found = occurrences(source, control.line)
    if len(found) != 1:
        raise NoControl(f"stands {len(found)} times in {control.file}: {control.line}")
    lines = source.splitlines(keepends=True)
    old = lines[found[0]]
    lines[found[0]] = old.replace(control.line, control.instead)
    return "".join(lines)


def coarse(source: str, control: Control) -> str:
    """Why the line put instead breaks the product rather than take something away from it; empty when nothing is seen.

    `source` is the file as it stands. Of Python also names are looked for that the file, so changed, does not have.
    """
    new = set(_STOPS.findall(control.instead)) - set(_STOPS.findall(control.line))
    if new:
        return f"{control.instead} breaks by {', '.join(sorted(new))}: a control takes something away"
    if not control.file.endswith(".py"):
        return ""
    whole = changed(source, control)
    try:
        ast.parse(whole)
    except SyntaxError as wrong:
        return f"{control.instead} is no Python there: {wrong.msg}"
    missing = sorted(_undefined(whole) - _undefined(source))
    return f"{control.instead} uses what is not there: {'; '.join(missing)}" if missing else ""


def _undefined(source: str) -> set[str]:
    rules = "F821,F822,F823"  # names that nobody defines, exports that are not there, locals before they are
    command = (
        Path(sys.executable).with_name("ruff"),
        "check",
        "--isolated",
        "--no-cache",
        "--ignore-noqa",
        "--select",
        rules,
    )
    options = ("--output-format", "json", "--stdin-filename", "controlled.py", "-")
    done = subprocess.run((*command, *options), input=source, capture_output=True, text=True, check=False)
    if done.returncode not in {0, 1}:
        raise NoControl(f"ruff cannot tell which names there are: {done.stderr}")
    return {found["message"] for found in json.loads(done.stdout)}


class Copy:
    """The tree as it is now, in another folder; what is built or installed is shared with the original by links."""

    def __init__(self, original: Path, folder: Path) -> None:
        self.root = folder
        self._original = original
        listing = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        names = subprocess.run(listing, cwd=original, capture_output=True, check=True).stdout.decode().split("\0")
        for name in filter(None, names):
            if (original / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(original / name, folder / name)
                shutil.copymode(original / name, folder / name)
        for shared in (".venv", "web/node_modules", "web/dist"):
            if (original / shared).exists() and (folder / shared).parent.is_dir():
                (folder / shared).symlink_to((original / shared).resolve())

    def environment(self) -> dict[str, str]:
        """Where Python finds the copy's packages before the installed ones, and writes no bytecode beside them."""
        folders = [self.root / "tools", *sorted(self.root.glob(SOURCES))]
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, folders)),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": f"{self.root / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }

    def require_own_sources(self) -> None:
        """NoControl when a package of ours would be imported from elsewhere: then nothing is controlled."""
        packages = sorted(path.name for path in self.root.glob(f"{SOURCES}/*") if (path / "__init__.py").is_file())
        command = (sys.executable, "-c", _PROBE, *packages)
        done = subprocess.run(
            command, cwd=self.root, env=self.environment(), capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise NoControl(f"the copy's packages cannot be imported:\n{done.stderr[-2000:]}")
        strangers = [line for line in done.stdout.splitlines() if not Path(line).is_relative_to(self.root.resolve())]
        if strangers or not packages:
            raise NoControl(f"imported from elsewhere than the copy: {', '.join(strangers) or 'everything'}")

    def run(self, *tests: str) -> Ran:
        """Run tests, all of Python or all of one web file. NoControl for one that only a browser could run."""
        if all(test.partition("::")[0].endswith(".py") for test in tests):
            return self._pytest(tests)
        if len(tests) == 1 and ".test.ts" in tests[0]:
            return self._vitest(*tests[0].split("::", 1))
        raise NoControl(f"a control's test is one of pytest or of Vitest, not {', '.join(tests)}")

    def _pytest(self, tests: Sequence[str]) -> Ran:
        report = self.root / "control.xml"
        options = ("-q", "-p", "no:cacheprovider", "--tb=short", f"--junitxml={report}")
        return self._reported((sys.executable, "-m", "pytest", *options, *tests), self.root, report)

    def _vitest(self, file: str, title: str) -> Ran:
        report = self.root / "control.xml"
        name = "".join(f"\\{letter}" if letter in r"\^$.|?*+()[]{}/" else letter for letter in title)
        arguments = (file.removeprefix("web/"), "--testNamePattern", name, "--reporter=junit", f"--outputFile={report}")
        return self._reported(("npm", "exec", "--", "vitest", "run", *arguments), self.root / "web", report)

    def _reported(self, command: Sequence[str], folder: Path, report: Path) -> Ran:
        report.unlink(missing_ok=True)
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=self.environment(),
                capture_output=True,
                text=True,
                timeout=LONGEST_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise NoControl(f"did not end within {LONGEST_SECONDS} s") from None
        output = (done.stdout + done.stderr).strip()
        if not report.is_file():
            raise NoControl(f"nothing was run, {command[2]} ended with {done.returncode}:\n{output[-2000:]}")
        return _read(report, output)

    def controlled(self, control: Control) -> str:
        """Apply the control, run its test, and undo it; empty when the test failed by what it asserts, else why not."""
        file = self.root / control.file
        whole = file.read_text(encoding="utf-8")
        try:
            if wrong := coarse(whole, control):
                return wrong
            file.write_text(changed(whole, control), encoding="utf-8")
            ran = self.run(control.test)
        except NoControl as reason:
            return str(reason)
        finally:
            file.write_text(whole, encoding="utf-8")
        if ran.passed:
            return f"{control.test} passes all the same"
        broken = _BROKEN.search(_COLOURS.sub("", ran.output))
        if broken or not ran.failed:
            why = f" ({broken[0]})" if broken else ""
            return f"{control.test} does not fail, it breaks{why}: the control is too coarse\n{ran.output[-1500:]}"
        return ""


def _read(report: Path, output: str) -> Ran:
    suites = list(ET.parse(report).getroot().iter("testsuite"))  # noqa: S314 - written by our own run

    def sum_of(what: str) -> int:
        return sum(int(suite.get(what, 0)) for suite in suites)

    failures = [failure for suite in suites for failure in suite.iter("failure")]
    asserted = sum(map(_is_asserted, failures))
    broke = sum_of("errors") + len(failures) - asserted
    return Ran(sum_of("tests") - sum_of("skipped"), asserted, broke, output)


def _is_asserted(failure: ET.Element) -> bool:
    """Whether an assertion failed, of pytest or of Vitest: not a name that is missing, nor a time that ran out."""
    message = failure.get("message", "")
    return failure.get("type") == "AssertionError" or bool(_ASSERTED.match(message))


def failing(copy: Copy, controls: Mapping[str, Control]) -> dict[str, str]:
    """Tests of these controls that do not pass with nothing changed, and why; tried one by one when not all pass at once."""
    tests = sorted({control.test for control in controls.values()})
    return {} if _pass_together(copy, tests) else {test: wrong for test in tests if (wrong := _unchanged(copy, test))}


def _pass_together(copy: Copy, tests: Sequence[str]) -> bool:
    """Whether all pass in one go, which takes a fraction of the time."""
    try:
        return copy.run(*tests).passed
    except NoControl:
        return False


def _unchanged(copy: Copy, test: str) -> str:
    try:
        ran = copy.run(test)
    except NoControl as reason:
        return f"{test}: {reason}"
    return "" if ran.passed else f"{test} fails with nothing changed:\n{ran.output[-2000:]}"
