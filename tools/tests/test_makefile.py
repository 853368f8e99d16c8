"""`make help` lists every target."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_help_lists_every_target_hyphenated_ones_too() -> None:
    output = subprocess.run(("make", "help"), cwd=ROOT, capture_output=True, text=True, check=True).stdout
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([\w-]+):(?!=)", text, re.MULTILINE)
    (phony,) = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert sorted(phony.split()) == sorted(targets), "a file of that name would stop a target"
    assert {"test-long", "controls", "help"} <= set(targets)
    assert {line.split()[1] for line in output.splitlines()} == set(targets)
    assert len({line.index(line.split(None, 2)[2]) for line in output.splitlines()}) == 1, "one column for the texts"
