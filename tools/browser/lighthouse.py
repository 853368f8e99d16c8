"""Lighthouse as web/vitals' lock file says, installed when it is first asked for: it is no part of `make setup`."""

import hashlib
import os
import subprocess
from pathlib import Path

from devstack.settings import ROOT

FOLDER = ROOT / "web" / "vitals"


class NotInstalled(Exception):
    """npm could not install it; the message is npm's."""


def installed() -> Path:
    """The folder of measure.mjs, with what it imports."""
    modules = FOLDER / "node_modules"
    stamp = modules / ".resapermis-stamp"
    sources = (FOLDER / "package.json", FOLDER / "package-lock.json")
    wanted = hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        binaries = ROOT / ".venv" / "bin"
        done = subprocess.run(
            (str(binaries / "npm"), "ci", "--ignore-scripts", "--no-fund", "--no-audit", "--loglevel=error"),
            cwd=FOLDER,
            env={**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise NotInstalled(done.stderr.strip())
        stamp.write_text(wanted, encoding="utf-8")
    return FOLDER
