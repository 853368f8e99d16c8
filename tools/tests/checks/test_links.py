"""Links and paths of our pages lead somewhere."""

import subprocess
from pathlib import Path

import pytest

from checks.links import anchors, dead_links, dead_paths, misnumbered_decisions


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    subprocess.run(("git", "init", "-q", str(tmp_path)), check=True)
    return tmp_path


def test_links_to_files_and_headings_are_followed(root: Path) -> None:
    write(
        root,
        "docs/one.md",
        "# One's `x` page\n\n## Two words\n\n## Two words\n\n[here](#two-words-1) [top](#ones-x-page)\n",
    )
    write(
        root,
        "README.md",
        "[a](docs/one.md) [b](docs/one.md#two-words) [c](docs/) [d](https://x.example/#y) `[e](gone.md)`\n",
    )
    subprocess.run(("git", "-C", str(root), "add", "-A"), check=True)
    assert dead_links(root) == []
    write(
        root,
        "README.md",
        '[a](docs/gone.md) [b](docs/one.md#three) ![c](gone.png "c")\n\n[d]: docs/two.md\n```\n[e](f.md)\n```\n',
    )
    write(root, "docs/one.md", "[up](../../etc/passwd) [out](../..)\n[self](#nothing)\n")
    found = dead_links(root)
    assert [line.split(": ")[1].split()[0] for line in found if line.startswith("README")] == [
        "docs/gone.md",
        "docs/one.md#three",
        "gone.png",
        "docs/two.md",
    ]
    assert len([line for line in found if line.startswith("docs")]) == 3


def test_anchors_are_those_of_github() -> None:
    text = "# A [link](x.md), and more!\n## R-14 · shown\n```\n# no heading\n```\n### A_b-c (d)\n"
    assert anchors(text) == {"a-link-and-more", "r-14--shown", "a_b-c-d"}


@pytest.fixture
def named(root: Path) -> Path:
    """A repository with files to name."""
    for name in ("services/one/src/resapermis_one/hold/command.py", "tools/lint.py", "docs/adr/0001.md", "web/a.tsx"):
        write(root, name, "")
    return root


def dead_in(root: Path, text: str, page: str = "docs/page.md") -> list[str]:
    write(root, page, text)
    subprocess.run(("git", "-C", str(root), "add", "-A"), check=True)
    return [line.split("`")[1] for line in dead_paths(root)]


@pytest.mark.parametrize(
    "path",
    [
        "tools/lint.py",
        "hold/command.py",
        "hold/",
        "command.py",
        "docs/adr",
        "services/<name>/src/",
        "services/*/src/*/hold/*.py",
        "tools/lint.py:12",
        "command.py::test_it",
        "ONE/hold/command.py",
        ".venv/bin/python tools/lint.py",
    ],
)
def test_a_path_in_backticks_is_a_committed_one_or_the_end_of_one(named: Path, path: str) -> None:
    assert dead_in(named, f"See `{path}`.\n") == []


@pytest.mark.parametrize(
    "path",
    [
        "tools/gone.py",
        "hold/gone.py",
        "old/command.py",
        "gone/",
        "mand.py",
        "gone.tsx",
        "docs/gone",
        "services/<name>/gone/",
        "services/*/gone/*.py",
        "tools/gone.py:12",
        "ONE/gone.py",
    ],
)
def test_a_path_in_backticks_that_is_gone_is_told(named: Path, path: str) -> None:
    assert dead_in(named, f"See `{path}`.\n") == [path.partition(":")[0]]


def test_a_path_within_a_command_is_looked_for_from_the_top(named: Path) -> None:
    assert dead_in(named, "`python tools/gone.py one/gone.py`\n") == ["tools/gone.py"]


def test_what_is_no_path_of_the_repository_is_let_be(named: Path) -> None:
    elsewhere = "`/api/v1/holds` `@mantine/core` `booking.v1` `log/x.log` `.proto` `*.md` `a/b` `.resapermis/` `x.find`"
    assert dead_in(named, f"{elsewhere}\n```\ntools/gone.py `tools/gone.py`\n```\n") == []


@pytest.mark.parametrize("page", ["CHANGELOG.md", "docs/adr/0002.md", "docs/compliance.md"])
def test_pages_that_tell_of_their_day_may_name_what_is_gone(named: Path, page: str) -> None:
    assert dead_in(named, "`tools/gone.py`\n", page) == []
    assert dead_in(named, "`tools/gone.py`\n") == ["tools/gone.py"]


def test_two_decisions_have_two_numbers_each_that_of_its_heading(root: Path) -> None:
    write(root, "docs/adr/0001-one.md", "# 1. One\n")
    write(root, "docs/adr/0002-two.md", "# 2. Two\n")
    subprocess.run(("git", "add", "-A"), cwd=root, check=True)
    assert misnumbered_decisions(root) == []
    write(root, "docs/adr/0002-three.md", "# 3. Three\n")
    subprocess.run(("git", "add", "-A"), cwd=root, check=True)
    assert misnumbered_decisions(root) == [
        "docs/adr/0002-three.md: its heading should begin with 2",
        "docs/adr/0002-two.md: docs/adr/0002-three.md has this number; take the next one",
    ]
