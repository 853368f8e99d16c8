"""A package whose version was left behind, and a release that the changelog does not tell of, fail `make lint`."""

import json
from pathlib import Path

import pytest

from checks.versions import unequal_versions

LOCK = {"version": "0.2.0", "packages": {"": {"version": "0.2.0"}, "node_modules/x": {"version": "9.0.0"}}}
FILES = {
    "CHANGELOG.md": "# Changelog\n\n## 0.3.0, in preparation\n\n## 0.2.0, 29 November 2026\n\n## 0.1.0, 26 November 2026\n",
    "docs/releases.yaml": f"v0.1.0: {'a' * 40}\n",
    "pyproject.toml": '[project]\nname = "x"\nversion = "0.2.0"\n',
    "services/one/pyproject.toml": '[project]\nname = "x-one"\nversion = "0.2.0"\n',
    "web/package.json": '{"version": "0.2.0"}',
    "web/package-lock.json": json.dumps(LOCK),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert unequal_versions(tmp_path) == []
    return tmp_path


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith((".toml", ".json"))])
def test_a_version_left_behind_is_told(root: Path, name: str) -> None:
    (root / name).write_text(FILES[name].replace("0.2.0", "0.1.0", 1), encoding="utf-8")
    (found,) = unequal_versions(root)
    assert found == f"{name}: version 0.1.0, but the newest dated one of CHANGELOG.md is 0.2.0"


def test_the_locks_own_package_has_it_too(root: Path) -> None:
    lock = LOCK | {"packages": {"": {"version": "0.1.0"}}}
    (root / "web/package-lock.json").write_text(json.dumps(lock), encoding="utf-8")
    assert unequal_versions(root)[0].startswith('web/package-lock.json packages[""]: version 0.1.0')


def test_a_heading_that_gets_its_date_moves_every_version(root: Path) -> None:
    dated = FILES["CHANGELOG.md"].replace("in preparation", "1 March 2027")
    (root / "CHANGELOG.md").write_text(dated, encoding="utf-8")
    assert len(unequal_versions(root)) == 5
    (root / "CHANGELOG.md").write_text("## 0.2.0, in preparation\n", encoding="utf-8")
    assert "no heading" in unequal_versions(root)[0]


def test_a_release_is_told_of_in_the_changelog(root: Path) -> None:
    (root / "docs/releases.yaml").write_text(f"{FILES['docs/releases.yaml']}v0.3.0: {'b' * 40}\n", encoding="utf-8")
    assert unequal_versions(root) == ["docs/releases.yaml: v0.3.0 has no dated heading in CHANGELOG.md"]
