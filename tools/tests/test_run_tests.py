"""`make test` tells in its last lines what was not shown, and what passed only when it was tried again."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Barrier

import pytest

import run_tests
from resapermis_testing.sources import engine
from resapermis_testing.sources.engine import POSTGRES_IMAGE, Containers, NoContainers

ROOT = Path(__file__).resolve().parents[2]
ANY_TEST = "services/x/tests/test_x.py::test_"


VITEST = " \x1b[32m✓\x1b[39m tests/some.test.tsx (2 tests)\n\n FAIL  tests/team.test.tsx > the team > an employee\n"
PLAYWRIGHT = """
  ✓   1 e2e/access.spec.ts:6:3 › axe finds nothing on any page, light [E-06] (43.7s)
  ✘   2 e2e/journey.spec.ts:6:1 › a school holds (1.5m) [R-14] (12.1s)
  -   3 e2e/journey.spec.ts:89:1 › a slot is refused [R-16]
"""


class Machine:
    """Answers commands as it is set to, and writes down what failed as conftest.py would."""

    def __init__(self, tmp_path: Path, *, browser: bool = True, ci: bool = False) -> None:
        self.asked: list[str] = []
        self.traced: list[bool] = []
        """Of each run of the browser, whether its steps are drawn into a trace."""
        self.first: tuple[int, list[str]] = (0, [])
        self.second: tuple[int, list[str]] = (0, [])
        self.web = [run_tests.Ended(0, "the units")]
        self.seen = [run_tests.Ended(0, "the browser")]
        """Each the answers in turn; the last one again and again."""
        bin_ = tmp_path / "bin"
        bin_.mkdir()
        if browser:
            (bin_ / "chromium").write_text("#!/bin/sh\n", encoding="utf-8")
            (bin_ / "chromium").chmod(0o755)
        self.environment = {"PATH": str(bin_)} | ({"CI": "1"} if ci else {})

    def __call__(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str], *, kept: bool
    ) -> run_tests.Ended:
        words = " ".join(command)
        self.asked.append(words)
        assert kept is ("pytest" not in words), "the web's output is kept, that of Python is shown"
        if "e2e.py" in words:
            self.traced.append("E2E_TRACE" in environment)
        for part, answers in (("npm", self.web), ("e2e.py", self.seen)):
            if part in words:
                return answers.pop(0) if len(answers) > 1 else answers[0]
        status, failed = self.second if "--last-failed" in words else self.first
        Path(environment[run_tests.FAILED_TESTS]).write_text("".join(f"{one}\n" for one in failed), encoding="utf-8")
        return run_tests.Ended(status)

    def run(self, *arguments: str) -> int:
        return run_tests.main(arguments, self, self.environment)


@pytest.fixture(autouse=True)
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last lines are the same whoever runs these tests."""
    monkeypatch.setattr(run_tests, "is_root", lambda: True)
    monkeypatch.setattr(run_tests, "has_prometheus", lambda: True)


def last_lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.strip().splitlines()


def test_all_that_passes_is_all_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    machine = Machine(tmp_path, ci=True)
    assert machine.run() == 0
    assert sorted(words.split()[-1] for words in machine.asked) == ["@long", "long_only", "test"]
    assert last_lines(capsys) == ["the units", "the browser", "", "Tests that passed only on their second run: 0."]


def test_python_and_the_web_run_beside_each_other(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    at_once = Barrier(2)

    def run(command: Sequence[str], folder: Path, environment: Mapping[str, str], *, kept: bool) -> run_tests.Ended:
        if "e2e.py" not in " ".join(command):
            at_once.wait(20)  # one after the other, the first would never end
        return machine(command, folder, environment, kept=kept)

    assert run_tests.main((), run, machine.environment) == 0


@pytest.mark.parametrize(("has", "needed"), [("is_root", "root"), ("has_prometheus", "Prometheus")])
def test_what_did_not_run_here_is_said_last(
    has: str, needed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_tests, has, lambda: False)
    assert Machine(tmp_path).run() == 0
    assert f"need {needed} DID NOT RUN" in last_lines(capsys)[-1]


@pytest.mark.parametrize("ci", [False, True])
def test_without_a_browser_the_last_lines_say_so_and_ci_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, ci: bool
) -> None:
    machine = Machine(tmp_path, browser=False, ci=ci)
    assert machine.run() == int(ci)
    assert not any("e2e.py" in words for words in machine.asked)
    closing = last_lines(capsys)[-3:]
    assert any("NOTHING WAS SHOWN IN A BROWSER" in line for line in closing)
    assert (closing[-1] == "!!! In CI that is a failure.") is ci


def test_what_passes_only_on_its_second_run_is_listed_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine(tmp_path)
    machine.first = (1, [f"{ANY_TEST}a", f"{ANY_TEST}b@stack", f"{ANY_TEST}c[x@y]"])
    assert machine.run() == 0
    assert last_lines(capsys)[-4:] == [
        "Tests that passed only on their second run: 3.",
        f"!!! passed only on its second run: {ANY_TEST}a",
        f"!!! passed only on its second run: {ANY_TEST}b",
        f"!!! passed only on its second run: {ANY_TEST}c[x@y]",
    ]


def test_what_fails_again_is_broken_and_what_passed_beside_it_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine(tmp_path)
    machine.first, machine.second = (1, [f"{ANY_TEST}a", f"{ANY_TEST}b@stack"]), (1, [f"{ANY_TEST}b"])
    assert machine.run() == 1
    assert last_lines(capsys)[-2:] == [
        "Tests that passed only on their second run: 1.",
        f"!!! passed only on its second run: {ANY_TEST}a",
    ]


@pytest.mark.parametrize("status", [2, 3, 4, 5, 124, 137])
@pytest.mark.parametrize("again", [0, 2])
def test_a_run_that_did_not_end_passes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], status: int, again: int
) -> None:
    machine = Machine(tmp_path)
    machine.first, machine.second = (status, [f"{ANY_TEST}a"]), (again, [])
    assert machine.run() == 1
    assert last_lines(capsys)[-1] == "Tests that passed only on their second run: 0."


@pytest.mark.parametrize("part", ["web", "seen"])
def test_the_interface_fails_it_too(tmp_path: Path, part: str) -> None:
    machine = Machine(tmp_path)
    setattr(machine, part, [run_tests.Ended(1)])
    assert machine.run() == 1


def test_what_failed_in_the_browser_is_traced_when_it_runs_once_more(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.seen = [run_tests.Ended(1, PLAYWRIGHT), run_tests.Ended(0)]
    assert machine.run() == 0
    assert machine.traced == [False, True]


@pytest.mark.parametrize(
    ("part", "output", "told"),
    [
        ("web", VITEST, "web units: tests/team.test.tsx > the team > an employee"),
        ("seen", PLAYWRIGHT, "browser: e2e/journey.spec.ts:6:1 › a school holds (1.5m) [R-14]"),
        ("seen", "the stack cannot start", "browser: none was named, see above"),
    ],
)
def test_what_the_interface_passes_only_alone_is_listed_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], part: str, output: str, told: str
) -> None:
    machine = Machine(tmp_path)
    machine.first = (1, [f"{ANY_TEST}a"])
    setattr(machine, part, [run_tests.Ended(1, output), run_tests.Ended(0)])
    assert machine.run() == 0
    alone = [words.split()[-1] for words in machine.asked[3:]]
    assert alone == ["none", {"web": "test", "seen": "@long"}[part]], "Python first, each when nothing else runs"
    lines = last_lines(capsys)
    assert output.strip().splitlines()[-1] in lines
    assert lines[-3:] == [
        "Tests that passed only on their second run: 2.",
        f"!!! passed only on its second run: {ANY_TEST}a",
        f"!!! passed only on its second run: {told}",
    ]


def test_what_the_interface_fails_again_is_not_told_as_passed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine(tmp_path)
    machine.seen = [run_tests.Ended(1, PLAYWRIGHT)]
    assert machine.run() == 1
    assert last_lines(capsys)[-1] == "Tests that passed only on their second run: 0."


def test_the_engine_without_a_window_is_taken_before_the_whole_browser(tmp_path: Path) -> None:
    for name in ("chromium", "chromium-headless-shell", "mine"):
        (tmp_path / name).touch(0o755)
        found = run_tests.chromium({"PATH": str(tmp_path), "RESAPERMIS_CHROMIUM": "mine"})
        assert found == str(tmp_path / name)


def test_what_a_command_writes_is_shown_or_kept(capfd: pytest.CaptureFixture[str]) -> None:
    command = (sys.executable, "-c", "import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit(3)")
    assert run_tests.call(command, ROOT, os.environ, kept=True) == run_tests.Ended(3, "out\nerr\n")
    assert capfd.readouterr().out == ""
    assert run_tests.call(command, ROOT, os.environ, kept=False) == run_tests.Ended(3)
    assert capfd.readouterr().out == "out\n"


def test_some_tests_are_run_alone_and_once(tmp_path: Path) -> None:
    machine = Machine(tmp_path, browser=False, ci=True)
    machine.first = (1, [f"{ANY_TEST}a"])
    assert machine.run("services/x", "-k", "hold") == 1
    (words,) = machine.asked
    assert words.endswith("services/x -k hold")


def test_failures_are_written_down_by_name(tmp_path: Path) -> None:
    """By this repository's own conftest, with workers and without."""
    (tmp_path / "test_some.py").write_text(
        "def test_good(): ...\n\ndef test_bad():\n    assert not 1\n", encoding="utf-8"
    )
    plugin = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tools')!r}]\n"
    (tmp_path / "conftest.py").write_text(
        plugin + "from conftest_of_all import pytest_terminal_summary\n", encoding="utf-8"
    )
    (tmp_path / "conftest_of_all.py").write_text((ROOT / "conftest.py").read_text(encoding="utf-8"), encoding="utf-8")
    for workers in ("0", "1"):
        written = tmp_path / f"failed-{workers}"
        command = (
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "xdist.plugin",
            "-n",
            workers,
            "-c",
            "/dev/null",
            "--rootdir",
            str(tmp_path),
            str(tmp_path),
        )
        # All plugins of this repository would take several seconds to load, in each process.
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", run_tests.FAILED_TESTS: str(written)}
        assert subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False).returncode == 1
        assert written.read_text(encoding="utf-8").splitlines() == ["test_some.py::test_bad"]


class Engine:
    """Gives containers, or says why it has none."""

    def __init__(self, missing: str = "") -> None:
        self.missing = missing

    @contextlib.contextmanager
    def __call__(self, environment: Mapping[str, str]) -> Iterator[Containers]:
        if self.missing:
            raise NoContainers(self.missing)
        yield Containers({"18": "new", "15": "old"}, "nats", environment)


class Asked(Machine):
    """Remembers on which PostgreSQL each run of pytest was, and whether it was of services."""

    def __init__(self, tmp_path: Path) -> None:
        super().__init__(tmp_path)
        self.on: list[tuple[str | None, bool]] = []

    def __call__(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str], *, kept: bool
    ) -> run_tests.Ended:
        if "pytest" in " ".join(command):
            self.on.append((environment.get(POSTGRES_IMAGE), "services" in command))
        return super().__call__(command, folder, environment, kept=kept)


def contained(machine: Machine, *arguments: str, given: Engine) -> int:
    return run_tests.main(arguments, machine, {**machine.environment, "CONTAINERS": "1"}, given)


def test_with_containers_all_run_on_the_newest_postgresql_then_libraries_and_services_on_the_oldest(
    tmp_path: Path,
) -> None:
    machine = Asked(tmp_path)
    assert contained(machine, given=Engine()) == 0
    assert machine.on == [("new", False), ("old", True)]
    assert sum("e2e.py" in words for words in machine.asked) == 1, "the web knows no PostgreSQL"


def test_what_is_asked_for_runs_on_both(tmp_path: Path) -> None:
    machine = Asked(tmp_path)
    assert contained(machine, "libs/kit", given=Engine()) == 0
    assert [image for image, _ in machine.on] == ["new", "old"]


def test_what_fails_on_one_postgresql_fails_the_run(tmp_path: Path) -> None:
    machine = Asked(tmp_path)
    machine.first = machine.second = (1, [f"{ANY_TEST}a"])
    assert contained(machine, given=Engine()) == 1


def test_without_an_engine_it_says_so_and_the_embedded_ones_serve(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Asked(tmp_path)
    assert contained(machine, given=Engine("there is no container engine")) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if "CONTAINERS=1" in line]
    assert said == ["!!! CONTAINERS=1: there is no container engine. The embedded PostgreSQL and NATS serve."]
    assert machine.on == [(None, False)]


def test_a_machine_without_docker_and_podman_has_no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "DOCKER_SOCKET", tmp_path / "none")
    with (
        pytest.raises(NoContainers, match="podman is not installed"),
        engine.containers({"PATH": str(tmp_path)}),
    ):
        pass


def test_an_engine_that_does_not_answer_is_none(tmp_path: Path) -> None:
    with (
        pytest.raises(NoContainers, match="does not answer"),
        engine.containers({"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}),
    ):
        pass


def test_podman_whose_service_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "DOCKER_SOCKET", tmp_path / "none")
    (tmp_path / "podman").write_text("#!/bin/sh\necho 'Error: no storage' >&2\nexit 125\n", encoding="utf-8")
    (tmp_path / "podman").chmod(0o755)
    with (
        pytest.raises(NoContainers, match="does not start: Error: no storage"),
        engine.containers({"PATH": str(tmp_path)}),
    ):
        pass
