"""Texts that no committed file may hold."""

import re
import subprocess
from pathlib import Path

RULES: tuple[tuple[str, re.Pattern[str], str], ...] = (
    ("a note instead of the work", re.compile(r"\b(TODO|FIXME|XXX)\b"), r"\.(py|sh|ts|tsx|proto|cedar|ya?ml|md)$"),
    ("a type: ignore without its code", re.compile(r"#\s*type:\s*ignore(?!\[)"), r"\.py$"),
    ("a skipped test", re.compile(r"pytest\.(mark\.)?skip|\b(it|test|describe)\.(skip|only)\("), r"\.(py|ts|tsx)$"),
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"), r""),
)
SPEAK_OF_THEM = {
    "tools/checks/texts.py",
    "tools/evidence/python_marks.py",
    "tools/tests/evidence/test_collected.py",
    "tools/tests/evidence/test_evidence.py",
}
"""They find such texts, or show that they are found."""


def forbidden_texts(root: Path) -> list[str]:
    """Lines of committed files that hold what they must not."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True).stdout.decode()
    wrong = []
    for name in filter(None, listing.split("\0")):
        file = root / name
        if name in SPEAK_OF_THEM or not file.is_file() or file.stat().st_size > 2_000_000:
            continue
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        wrong += [
            f"{name}:{number}: {what}: {line.strip()[:100]}"
            for what, pattern, suffix in RULES
            if re.search(suffix, name)
            for number, line in enumerate(lines, 1)
            if pattern.search(line)
        ]
    return wrong
