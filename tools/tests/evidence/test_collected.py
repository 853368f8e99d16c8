"""A mark supports something only on what pytest collects, with the marks that pytest then sees."""

from pathlib import Path

import pytest

from evidence.collected import NotCollected, differences

SETTINGS = "[pytest]\naddopts = --import-mode=importlib\nmarkers =\n    req: ids\n    root: needs root\n    long_only: of make test-long\n"
MARKED = 'import pytest\n\n@pytest.mark.req("R-01")\n'
PLAIN = "def test_it(): ...\n"


def told(root: Path, monkeypatch: pytest.MonkeyPatch, **files: str) -> list[str]:
    """Of these modules of libs/one, `__` for a slash in their names."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # what is tried here needs none; all take seconds to load
    (root / "pytest.ini").write_text(SETTINGS, encoding="utf-8")
    for name, text in files.items():
        file = root / "libs/one" / (name.replace("__", "/") + ".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return differences(root, root / "collected.json")


def test_what_is_collected_as_it_is_marked_is_let_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    each = "@pytest.mark.parametrize('one', [1, 2])\ndef test_each(one): ...\n"
    late = "@pytest.mark.xfail\ndef test_late(): ...\n"
    inside = 'class TestIt:\n    @pytest.mark.req("R-02")\n    def test_inside(self): ...\n'
    long = "@pytest.mark.long_only\ndef test_long(): ...\n"
    text = f"{MARKED}{each}{MARKED}{late}{MARKED}{long}{MARKED}{inside}def test_of_nothing(): ...\n"
    assert told(tmp_path, monkeypatch, tests__test_one=text) == []


SHARED = 'import pytest\n\nneeded = pytest.mark.req("R-99")\n'


SEEN_OTHERWISE = {
    "build__test_one": (MARKED + PLAIN, "does not collect it"),
    "tests__test_unset": (MARKED + PLAIN + "test_it.__test__ = False\n", "does not collect it"),
    "tests__test_class": (
        f"{MARKED}class TestIt:\n    __test__ = False\n    def test_it(self): ...\n",
        "not collect it",
    ),
    "tests__test_gone": (f"{MARKED}{PLAIN}del test_it\n", "does not collect it"),
    "tests__test_empty": (
        f"{MARKED}@pytest.mark.parametrize('one', [])\ndef test_it(one): ...\n",
        "collects it: skipped",
    ),
    "tests__test_named": (f"from shared import needed\n@needed\n{PLAIN}", "names R-99 as pytest collects it"),
    "tests__test_both": (f"{MARKED}@__import__('shared').needed\n{PLAIN}", "R-01 by its source, R-01, R-99 as"),
}
"""Module → its text, and what is told of the one test in it."""


def test_what_pytest_sees_otherwise_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shared.py").write_text(SHARED, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    texts = {file: text for file, (text, _) in SEEN_OTHERWISE.items()}
    lines = told(tmp_path, monkeypatch, **texts, tests__test_other="def test_other(): ...\n")
    assert len(lines) == len(SEEN_OTHERWISE)
    for file, (_, said) in SEEN_OTHERWISE.items():
        (line,) = (line for line in lines if f"/{file.rpartition('__')[2]}.py::" in line)
        assert said in line


def test_a_mark_that_comes_from_elsewhere_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marks = 'def pytest_collection_modifyitems(items):\n    items[0].add_marker("xfail")\n'
    (line,) = told(tmp_path, monkeypatch, tests__test_one=MARKED + PLAIN, conftest=marks)
    assert line.endswith("need not pass as pytest collects it: expected to fail")


def test_a_collection_that_fails_is_told_with_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotCollected, match="no_such_module"):
        told(tmp_path, monkeypatch, tests__test_one=f"import no_such_module\n{MARKED}{PLAIN}")
