"""The trees of two releases, each asked in its own words how its programs are started."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import releases
from devstack.probes import http_ok, listens
from devstack.processes import Program

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Tree:
    """A release's source, the interpreter that runs it, and the script in its words that says how."""

    name: str
    root: Path
    python: Path
    script: Path
    own_sources: bool = False
    """Its packages are imported from its folder, not from what the interpreter has installed."""

    @property
    def path(self) -> str:
        """PYTHONPATH of its tools, and of its packages where the interpreter has others."""
        folders = sorted(self.root.glob("*/*/src")) if self.own_sources else []
        return os.pathsep.join(str(folder) for folder in (*folders, self.root / "tools"))


def released(version: str) -> Tree:
    """A release of before, out of history, with what its lock file says."""
    release = releases.ready(version)
    script = HERE / f"described_by_{version.replace('.', '_')}.py"
    return Tree(version, release.root, release.python, script)


def this() -> Tree:
    """The tree that this file is in."""
    return Tree("this", ROOT, Path(sys.executable), HERE / "described_by_this.py")


def prepared(tree: Tree, order: Mapping[str, Any], home: Path) -> dict[str, Program]:
    """Have a tree prepare the stack in `home` and migrate; its programs by component."""
    answer, asked = home / f"{tree.name}.answer.json", home / f"{tree.name}.order.json"
    asked.write_text(json.dumps({**order, "home": str(home), "answer": str(answer)}), encoding="utf-8")
    done = subprocess.run(  # noqa: S603 - no input from outside
        [str(tree.python), "-P", str(tree.script), str(asked)],
        cwd=home,
        env={**os.environ, "PYTHONPATH": tree.path},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    if done.returncode != 0:
        raise AssertionError(f"{tree.name} could not prepare {home}:\n{done.stdout[-1000:]}{done.stderr[-4000:]}")
    programs: dict[str, list[Any]] = json.loads(answer.read_text(encoding="utf-8"))["programs"]
    return {component: _program(tree, component, home, *one) for component, one in programs.items()}


def _program(
    tree: Tree, component: str, home: Path, command: list[str], environment: dict[str, str], port: int, path: str
) -> Program:
    if tree.own_sources:
        environment = {**environment, "PYTHONPATH": tree.path}
    else:
        environment.pop("PYTHONPATH", None)

    async def ready() -> bool:
        return await (http_ok(port, path) if path else listens(port))

    return Program(
        component, command, environment, home / "log" / f"{component}.{tree.name}.log", ready, directory=home
    )
