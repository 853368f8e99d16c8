"""Old releases, taken from this repository's history by their commit and made ready to run beside this one.

`python tools/releases.py v0.1.0` prints where the release lies: its tree, and in `.venv` what its own lock file says.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "releases.yaml"
_LINE = re.compile(r"(v\d+\.\d+\.\d+): ([0-9a-f]{40})")
_STAMP = ".complete"


class NoRelease(Exception):
    """The release cannot be had here; the message says why and what to do."""


@dataclass(frozen=True)
class Release:
    """A release whose programs can be started. `root` is its tree, `python` its interpreter."""

    version: str
    commit: str
    root: Path
    python: Path


def releases(page: str) -> Mapping[str, str]:
    """Read docs/releases.yaml: version → commit (40 hexadecimal digits), oldest first. NoRelease for any other line."""
    found = {}
    for line in page.splitlines():
        if not line or line.startswith("#"):
            continue
        if (match := _LINE.fullmatch(line)) is None:
            raise NoRelease(f"docs/releases.yaml: not a version and its whole commit: {line!r}")
        found[match[1]] = match[2]
    return found


def commit_of(version: str) -> str:
    """The release's commit, which this clone has; NoRelease when it is not known or not there."""
    known = releases(PAGE.read_text(encoding="utf-8"))
    if version not in known:
        raise NoRelease(f"docs/releases.yaml has no {version}; it has {', '.join(known)}")
    commit = known[version]
    there = _run("git", "cat-file", "-e", f"{commit}^{{commit}}", folder=ROOT)
    if there.returncode != 0:
        raise NoRelease(f"{version} is commit {commit}, which this clone lacks; is it shallow? git fetch --unshallow")
    return commit


def ready(version: str, cache: Path | None = None) -> Release:
    """Take a release from history and install its own lock file, once a machine: half a minute with warm caches.

    It is kept below `cache`, by default the system's folder for temporary files, by commit. There, because a database
    server that root starts as another account must be able to reach its programs. NoRelease when it cannot be had.
    """
    commit = commit_of(version)
    kept = cache or _own_folder()
    root = kept / commit
    with (kept / f"{commit}.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once would install over each other
        if not (root / _STAMP).exists():
            shutil.rmtree(root, ignore_errors=True)
            _extract(commit, root)
            _install(root)
            (root / _STAMP).touch()
    return Release(version, commit, root, root / ".venv" / "bin" / "python")


def _own_folder() -> Path:
    """A folder of this account in a place where any account could have made one of its name before."""
    folder = Path(tempfile.gettempdir()) / f"resapermis-releases-{os.getuid()}"
    folder.mkdir(mode=0o755, exist_ok=True)
    state = folder.lstat()
    if state.st_uid != os.getuid() or folder.is_symlink() or state.st_mode & 0o022:
        raise NoRelease(f"{folder} is not ours alone to write: remove it")
    return folder


def _extract(commit: str, root: Path) -> None:
    root.mkdir(mode=0o755)
    with subprocess.Popen(["git", "archive", "--format=tar", commit], cwd=ROOT, stdout=subprocess.PIPE) as archive:
        unpacked = subprocess.run(["tar", "-x", "-C", str(root)], stdin=archive.stdout, check=False)
    if archive.returncode != 0 or unpacked.returncode != 0:
        raise NoRelease(f"commit {commit} could not be taken out of this clone")


def _install(root: Path) -> None:
    """As its own `make setup` does for Python; nothing of the web is built."""
    uv = str(Path(sys.executable).with_name("uv"))
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    members = [
        file.parent for base in ("libs", "services", "sandbox") for file in root.glob(f"{base}/*/pyproject.toml")
    ]
    editable = [word for member in sorted(members) for word in ("-e", str(member))]
    for words in (
        ["venv", "--quiet", "--python", str(base), ".venv"],
        ["pip", "sync", "--quiet", "--require-hashes", "--compile-bytecode", "requirements.lock"],
        ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation", *editable],
    ):
        done = _run(uv, *words, folder=root, VIRTUAL_ENV=str(root / ".venv"), UV_PYTHON_DOWNLOADS="never")
        if done.returncode != 0:
            raise NoRelease(
                f"{root}: uv {' '.join(words[:2])} failed; is a package index reachable?\n{done.stderr[-2000:]}"
            )


def _run(*command: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | more,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    try:
        print(ready(sys.argv[1]).root)
    except NoRelease as reason:
        sys.exit(f"releases: {reason}")
