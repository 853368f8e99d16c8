"""`make compliance`: which tests stand behind which requirement, read from `@pytest.mark.req` without running anything."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("libs", "services", "sandbox", "tools", "tests")
REQUIREMENT = re.compile(r"\bR-[A-Z0-9-]+\b")
CATALOGUE = ROOT / "docs" / "catalogue.md"
CASE = re.compile(r"^\| ([A-Z]\d+) \| ([^|]*)", re.MULTILINE)


def marked(file: Path) -> Iterator[tuple[str, str]]:
    """Pairs of requirement and test in a test file."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for mark in node.decorator_list:
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.req":
                for argument in mark.args:
                    if isinstance(argument, ast.Constant):
                        yield str(argument.value), f"{file.relative_to(ROOT)}::{node.name}"


def cases() -> dict[str, str]:
    """The catalogue's ids and what is done in each."""
    return {number: words.strip() for number, words in CASE.findall(CATALOGUE.read_text(encoding="utf-8"))}


def by_mark() -> dict[str, list[str]]:
    """Tests by what they stand behind."""
    tests: dict[str, list[str]] = {}
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("test_*.py")):
            if "node_modules" in file.parts:
                continue
            for requirement, test in marked(file):
                tests.setdefault(requirement, []).append(test)
    return tests


def main() -> int:
    """Print the table; what docs/requirements.md and docs/catalogue.md name and no test shows comes last."""
    tests = by_mark()
    for requirement in sorted(tests):
        print(f"{requirement}\n" + "\n".join(f"    {test}" for test in sorted(tests[requirement])))
    page = ROOT / "docs" / "requirements.md"
    known = set(REQUIREMENT.findall(page.read_text(encoding="utf-8"))) if page.exists() else set()
    bare = sorted(known - set(tests))
    print(
        f"\n{len(tests)} requirements have a test; {len(bare)} of docs/requirements.md have none"
        + (f": {', '.join(bare)}" if bare else "")
    )
    known_cases = cases()
    unshown = [f"{number} ({words})" for number, words in known_cases.items() if number not in tests]
    print(
        f"{len(known_cases) - len(unshown)} of {len(known_cases)} cases of docs/catalogue.md have a test"
        + (f"; not: {', '.join(unshown)}" if unshown else "")
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
