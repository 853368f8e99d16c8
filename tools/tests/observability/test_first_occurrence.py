"""An alert on any increase sees the first one: what it selects is exported at 0 from a process' start.

Prometheus sees no increase in a series that begins at 1.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from devstack.settings import ROOT
from observability.metrics import SOURCES
from observability.rules import rules

_ANY_INCREASE = re.compile(r"increase\((\w+)(?:\{([^{}]*)\})?\[\w+\]\)\)\s*> 0(?![.\d])")
_MATCHER = re.compile(r'(\w+)\s*(=~|=)\s*"([^"]*)"')
SHOWN = (
    "import importlib, sys; from prometheus_client import REGISTRY, generate_latest;"
    "[importlib.import_module(name) for name in sys.argv[1:]]; print(generate_latest(REGISTRY).decode())"
)


def _words(pattern: str) -> list[str]:
    """The words that an alternation names: `a_(b|c)|d`, nothing more of regular expressions."""
    parts = re.split(r"\|(?![^(]*\))", pattern)
    words = [re.split(r"\(([^)]*)\)", part) for part in parts]
    return ["".join(one) for split in words for one in product(*(piece.split("|") for piece in split))]


def _asked() -> Iterator[tuple[str, str, str]]:
    """(metric, label, value) of each word that such an alert selects; (metric, "", "") where it selects none."""
    for rule in rules(ROOT):
        for name, selector in _ANY_INCREASE.findall(rule.expression):
            named = [(label, word) for label, _, value in _MATCHER.findall(selector) for word in _words(value)]
            for label, word in named or [("", "")]:
                yield name, label, word


def _module(name: str) -> str:
    """The module that makes a metric."""
    written = f'"{name.removesuffix("_total")}'
    files = [
        file
        for pattern in SOURCES
        for folder in ROOT.glob(pattern)
        for file in folder.rglob("*.py")
        if re.search(re.escape(written) + '(_total)?"', file.read_text(encoding="utf-8"))
    ]
    (file,) = files
    parts = file.with_suffix("").parts
    return ".".join(parts[parts.index("src") + 1 :])


@pytest.fixture(scope="module")
def shown() -> str:
    """What a process that has done nothing yet exports of these metrics."""
    modules = sorted({_module(name) for name, _, _ in _asked()})
    # A process of its own: in ours other tests have counted.
    ended = subprocess.run(
        [sys.executable, "-c", SHOWN, *modules], capture_output=True, text=True, check=True, cwd=Path(__file__).parent
    )
    return ended.stdout


def test_alternations_are_read() -> None:
    assert _words("a_(b|c)|d") == ["a_b", "a_c", "d"]


def test_such_alerts_are_found() -> None:
    assert {"resapermis_bus_made_total", "resapermis_access_denied_total", "resapermis_tls_failures_total"} <= {
        name for name, _, _ in _asked()
    }


@pytest.mark.parametrize(("name", "label", "value"), sorted(set(_asked())))
def test_what_it_selects_is_there_from_the_start(shown: str, name: str, label: str, value: str) -> None:
    lines = [line for line in shown.splitlines() if re.match(rf"{name}[{{ ]", line)]
    assert any(f'{label}="{value}"' in line or not label for line in lines), lines
