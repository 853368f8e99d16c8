"""A control holds only when the copy without its line makes its test fail by what it asserts."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import controls as command
from evidence.controls import Copy, NoControl, changed, coarse, failing
from evidence.states import Control

SOURCE = "def is_even(number):\n    if number is None:\n        return False\n    return number % 2 == 0\n"
TEST = """
import pytest
from evenness import is_even

def test_even():
    assert is_even(2)
    assert not is_even(3)

def test_nothing():
    assert not is_even(None)

def test_wrong():
    assert is_even(1)

def test_refused():
    with pytest.raises(TypeError):
        is_even(object())
"""
FILE, TESTS = "libs/one/src/evenness/__init__.py", "libs/one/tests/test_evenness.py"
LINE = "return number % 2 == 0"


@pytest.fixture
def original(tmp_path: Path) -> Path:
    root = tmp_path / "original"
    files = {
        FILE: SOURCE,
        TESTS: TEST,
        "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--import-mode=importlib'\n",
    }
    for name, text in (files | {".gitignore": "*.log\n", "noise.log": "not copied"}).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    (root / "tools").mkdir()
    subprocess.run(("git", "init", "-q", str(root)), check=True)
    return root


@pytest.fixture
def copy(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Copy]:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # what is tried here needs none; all take seconds to load
    made = Copy(original, tmp_path / "copy")
    yield made
    assert (made.root / FILE).read_text(encoding="utf-8") == SOURCE  # whatever was tried is undone
    assert (original / FILE).read_text(encoding="utf-8") == SOURCE


def control(instead: str, test: str = "test_even", line: str = LINE) -> Control:
    return Control(FILE, line, instead, f"{TESTS}::{test}")


@pytest.fixture(scope="module")
def unchanged() -> dict[tuple[str, str], str]:
    """Text of the tests, one of them → what is said of it while nothing is changed: the same for each control of it."""
    return {}


@pytest.fixture
def outcome(copy: Copy, unchanged: dict[tuple[str, str], str]) -> Callable[[Control], str]:
    def of(one: Control) -> str:
        text = (copy.root / TESTS).read_text(encoding="utf-8")
        if (text, one.test) not in unchanged:
            unchanged[text, one.test] = failing(copy, {"R-01": one}).get(one.test, "")
        return unchanged[text, one.test] or copy.controlled(one)

    return of


def test_a_line_is_replaced_as_deep_as_it_stood() -> None:
    assert changed(SOURCE, control("return True", line="return False")).splitlines()[2] == "        return True"
    for line in ("return", "number"):
        with pytest.raises(NoControl, match="stands 0 times"):
            changed(SOURCE, control("return True", line=line))


def test_the_copy_has_what_is_new_too_and_nothing_that_git_ignores(copy: Copy) -> None:
    assert (copy.root / FILE).is_file()
    assert not (copy.root / "noise.log").exists()


def test_a_control_that_its_test_notices_holds(outcome: Callable[[Control], str], copy: Copy) -> None:
    copy.require_own_sources()
    assert outcome(control("return True")) == ""


def test_a_control_that_nobody_notices_does_not_hold(outcome: Callable[[Control], str]) -> None:
    assert "passes all the same" in outcome(control("return True", "test_nothing"))


@pytest.mark.parametrize(
    "instead",
    [
        "return 1 // 0",
        pytest.param("return number.gone", marks=pytest.mark.long_only),  # a run of pytest each
        pytest.param("return number % None", marks=pytest.mark.long_only),
    ],
)
def test_a_control_under_which_its_test_only_crashes_shows_nothing(
    outcome: Callable[[Control], str], instead: str
) -> None:
    assert "breaks" in outcome(control(instead))


@pytest.mark.parametrize(
    ("instead", "wrong"),
    [
        ("raise AssertionError", "breaks by AssertionError, raise"),
        ('raise RuntimeError("boom")', "breaks by raise"),
        ("assert number", "breaks by assert"),
        ("import sys; sys.exit(1)", "breaks by exit"),
        ("return number % gone", "uses what is not there: Undefined name `gone`"),
        ("if gone: return", "uses what is not there: Undefined name `gone`"),
        ("return later; later = 1", "uses what is not there: Undefined name `later`"),
        ("return (", "is no Python there"),
    ],
)
def test_a_line_that_breaks_all_that_comes_after_it_takes_nothing_away(
    outcome: Callable[[Control], str], instead: str, wrong: str
) -> None:
    assert wrong in outcome(control(instead))


def test_a_line_that_raised_before_may_raise_instead_and_other_languages_have_other_names() -> None:
    source = "def one(number):\n    raise KeyError(number)\n"
    assert coarse(source, Control("one.py", "raise KeyError(number)", "raise ValueError(number)", "t")) == ""
    assert coarse("cap = least", Control("one.sql", "cap = least", "cap = most", "t")) == ""
    assert "throw" in coarse("return a;", Control("one.ts", "return a;", "throw a;", "t"))


SAID = ("[error] rpc.unexpected", "worker.broke error_type={}", "\x1b[36merror_type\x1b[0m='{}'")
SERVED = f"""
from evenness import is_even

SAID = {SAID!r}

def answer(number, way):
    \"\"\"As a server does, which lives on and says that it broke.\"\"\"
    try:
        return is_even(number)
    except Exception as error:
        print(SAID[way].format(type(error).__qualname__))
        return "INTERNAL"
""" + "".join(
    f"""
def test_said_{way}():
    assert answer(2, {way}) is True
    assert answer(3, {way}) is False
"""
    for way in range(len(SAID))
)


@pytest.mark.parametrize(
    "way",
    [pytest.param(way, id=said, marks=[pytest.mark.long_only] if way else []) for way, said in enumerate(SAID)],
)
def test_a_crash_within_a_server_is_none_by_what_its_test_asserts(
    outcome: Callable[[Control], str], copy: Copy, way: int
) -> None:
    (copy.root / TESTS).write_text(SERVED, encoding="utf-8")
    assert "breaks (" in outcome(control("return number.gone % 2 == 0", f"test_said_{way}"))


def test_a_server_that_answers_something_else_is_what_its_test_asserts(
    outcome: Callable[[Control], str], copy: Copy
) -> None:
    (copy.root / TESTS).write_text(SERVED, encoding="utf-8")
    assert outcome(control("return True", "test_said_0")) == ""


def test_an_error_that_did_not_come_is_asserted(outcome: Callable[[Control], str]) -> None:
    assert outcome(control("return True", "test_refused")) == ""


def test_500_of_something_are_no_answer_of_a_server_that_broke(outcome: Callable[[Control], str], copy: Copy) -> None:
    text = "from evenness import is_even\n\ndef test_even():\n    assert sum(map(is_even, (*range(2, 6, 2), *range(1, 997, 2)))) == 2\n"
    (copy.root / TESTS).write_text(text, encoding="utf-8")
    assert outcome(control("return True")) == ""


def test_a_test_that_fails_with_nothing_changed_shows_nothing(outcome: Callable[[Control], str]) -> None:
    assert "fails with nothing changed" in outcome(control("return True", "test_wrong"))


def test_a_test_that_only_a_browser_runs_is_no_controls(copy: Copy) -> None:
    with pytest.raises(NoControl, match="Vitest"):
        copy.run("web/e2e/one.spec.ts::it is seen")


def test_a_package_imported_from_elsewhere_is_no_copy(
    copy: Copy, monkeypatch: pytest.MonkeyPatch, original: Path
) -> None:
    elsewhere = copy.environment() | {"PYTHONPATH": str(original / "libs/one/src")}
    monkeypatch.setattr(copy, "environment", lambda: elsewhere)
    with pytest.raises(NoControl, match="imported from elsewhere"):
        copy.require_own_sources()


def test_the_command_says_how_far_it_is_and_how_each_ended(
    original: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = "{state: shown, control: {file: %s, line: '%s', instead: 'return True', test: '%s::%s'}}"
    states = {"R-01": "test_even", "R-02": "test_nothing", "R-03": "test_wrong"}
    text = "".join(f"{id_}: {shown % (FILE, LINE, TESTS, test)}\n" for id_, test in states.items())
    (original / "docs").mkdir()
    (original / "docs" / "compliance.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(command, "ROOT", original)
    monkeypatch.setattr(command, "failing", lambda _copy, _controls: {f"{TESTS}::test_wrong": "fails unchanged"})
    outcomes = {f"{TESTS}::test_even": "", f"{TESTS}::test_nothing": "passes all the same"}
    monkeypatch.setattr(Copy, "controlled", lambda _copy, control: outcomes[control.test])
    assert command.main([]) == 1
    out = capsys.readouterr().out
    assert [line.split()[:3] for line in out.splitlines() if "/3 " in line] == [
        ["✓", "1/3", "R-01"],
        ["✗", "2/3", "R-02"],
        ["✗", "3/3", "R-03"],
    ]
    assert "controls: 1 fail (" in out
    assert "      passes all the same\n" in out
    assert out.endswith("controls: 2 of 3 do not hold\n")
    assert command.main(["R-01"]) == 0


def test_some_at_random_are_the_same_again_by_their_seed() -> None:
    every = {f"R-{n:02}": control("return True") for n in range(30)}
    some = command.chosen(every, [], 5, 7)
    assert len(some) == 5
    assert command.chosen(every, [], 5, 7) == some != command.chosen(every, [], 5, 8)
    assert list(command.chosen(every, ["R-03"], 0, 0)) == ["R-03"]
    with pytest.raises(KeyError):
        command.chosen(every, ["R-99"], 0, 0)
