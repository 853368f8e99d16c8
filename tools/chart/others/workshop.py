"""The environment of the tools that only `make chart` needs: .venv-chart, made of tools/chart/others/requirements.lock."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from devstack.settings import ROOT

HOME = ROOT / ".venv-chart"
LOCK = Path(__file__).with_name("requirements.lock")


class NotMade(Exception):
    """The environment cannot be made; the message is the installer's."""


def program(name: str) -> str:
    """A program of it, made first where it is missing or of another lock; NotMade where that fails."""
    stamp, wanted = HOME / "stamp", hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        uv = str(Path(sys.executable).parent / "uv")
        _run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(HOME))
        _run(uv, "pip", "sync", "--quiet", "--require-hashes", str(LOCK))
        stamp.write_text(wanted, encoding="utf-8")
    return str(HOME / "bin" / name)


def _run(*command: str) -> None:
    environment = {**os.environ, "VIRTUAL_ENV": str(HOME), "UV_PYTHON_DOWNLOADS": "never"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        raise NotMade(done.stderr.strip())
