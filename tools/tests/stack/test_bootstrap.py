"""tools/bootstrap.sh in a tree of its own, with an npm that only says what it was asked."""

import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from devstack.settings import ROOT

READ = ["requirements.lock", "tools/bootstrap.sh", "pyproject.toml"]
READ += [f"{folder}/one/pyproject.toml" for folder in ("libs", "services", "sandbox")]
NPM = """#!/bin/sh
mkdir -p node_modules dist
echo "npm $*"
test ! -e ../broken
"""


@pytest.fixture
def tree(tmp_path):
    """A tree whose Python environment is up to date and whose web build is not."""
    root = tmp_path / "tree"
    for name in [*READ, "web/package.json", "web/package-lock.json"]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("{}", encoding="utf-8")
    shutil.copy2(ROOT / "tools" / "bootstrap.sh", root / "tools")
    lines = (f"{sha256((root / name).read_bytes()).hexdigest()}  {name}\n" for name in READ)
    npm = root / ".venv" / "bin" / "npm"
    npm.parent.mkdir(parents=True)
    npm.write_text(NPM, encoding="utf-8")
    npm.chmod(0o755)
    (root / ".venv" / ".resapermis-stamp").write_text(sha256("".join(lines).encode()).hexdigest(), encoding="utf-8")
    return root


def bootstrap(tree: Path, home: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", **({"RESAPERMIS_HOME": home} if home else {})}
    return subprocess.run(
        [tree / "tools" / "bootstrap.sh"], env=environment, capture_output=True, text=True, check=False, timeout=30
    )


@pytest.mark.parametrize("home", ["", "data", "/absolute"])
def test_the_web_build_is_logged_in_home_wherever_that_is(tree, tmp_path, home):
    if home.startswith("/"):
        home = f"{tmp_path}{home}"
    done = bootstrap(tree, home)
    assert done.returncode == 0, done.stderr
    assert (tree / (home or ".resapermis") / "web-build.log").read_text() == "npm run --silent build\n"
    assert (tree / "web" / "dist" / ".resapermis-stamp").exists()


def test_a_web_build_that_fails_shows_its_log_and_is_made_again(tree):
    assert bootstrap(tree, "").returncode == 0
    (tree / "web" / "page.ts").touch()
    (tree / "broken").touch()
    failed = bootstrap(tree, "")
    assert failed.returncode == 1
    assert "npm run --silent build" in failed.stderr
    assert "the web build failed" in failed.stderr
    (tree / "broken").unlink()
    assert "building web/dist" in bootstrap(tree, "").stderr
