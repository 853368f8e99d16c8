"""Where programs are that only `make chart` needs: in .venv-chart, made of the lock files beside this module."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from devstack.settings import ROOT

HOME = ROOT / ".venv-chart"
LOCK = Path(__file__).with_name("requirements.lock")


class NotMade(Exception):
    """A part of it cannot be made; the message is the installer's."""


def program(name: str) -> str:
    """A program of its Python environment; NotMade where that cannot be made."""
    return str(once("python", (LOCK,), _environment) / "bin" / name)


def once(name: str, sources: Sequence[Path], make: Callable[[Path], None]) -> Path:
    """The folder `name` of it, made anew where it is missing or was made of other `sources`."""
    folder, stamp = HOME / name, HOME / f"{name}.made"
    wanted = hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        stamp.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make(folder)
        stamp.write_text(wanted, encoding="utf-8")
    return folder


def _environment(folder: Path) -> None:
    uv = str(Path(sys.executable).parent / "uv")
    environment = {**os.environ, "VIRTUAL_ENV": str(folder), "UV_PYTHON_DOWNLOADS": "never"}
    for words in (
        ("venv", "--quiet", "--clear", "--python", sys.executable, str(folder)),
        ("pip", "sync", "--quiet", "--require-hashes", str(LOCK)),
    ):
        done = subprocess.run((uv, *words), capture_output=True, text=True, check=False, env=environment)
        if done.returncode != 0:
            raise NotMade(done.stderr.strip())
