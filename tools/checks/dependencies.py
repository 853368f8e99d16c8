"""The lock files name no registry, match the pyprojects, and each direct dependency has its line of reason."""

import json
import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

OURS = re.compile(r"^(resapermis|rdvpermis)-")
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)")
INTERFACE = ("web", "web/vitals")
"""Folders with a package.json; the second is installed by `make web-vitals` alone."""
HOST = re.compile(r"https?://|--(extra-)?index-url|--find-links|\bfile:")


def direct_requirements(root: Path) -> dict[str, list[Requirement]]:
    """Every requirement written in a pyproject, by canonical name; ours left out."""
    found: dict[str, list[Requirement]] = {}
    files = [
        root / "pyproject.toml",
        *sorted(file for base in ("libs", "services", "sandbox") for file in root.glob(f"{base}/*/pyproject.toml")),
    ]
    for file in files:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
        lines = [*content["project"].get("dependencies", []), *content.get("dependency-groups", {}).get("dev", [])]
        for requirement in map(Requirement, lines):
            name = canonicalize_name(requirement.name)
            if not OURS.match(name):
                found.setdefault(name, []).append(requirement)
    return found


def pins(root: Path) -> dict[str, list[Version]]:
    """The versions in requirements.lock by canonical name (several where markers split)."""
    found: dict[str, list[Version]] = {}
    for line in (root / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if match := PIN.match(line):
            found.setdefault(canonicalize_name(match[1]), []).append(Version(match[2]))
    return found


def lock_matches(root: Path) -> list[str]:
    """Requirements that the lock does not meet."""
    locked = pins(root)
    return [
        f"{requirement} is not met by requirements.lock ({', '.join(map(str, locked.get(name, []))) or 'absent'}); run `make lock`"
        for name, requirements in direct_requirements(root).items()
        for requirement in requirements
        if not any(requirement.specifier.contains(version, prereleases=True) for version in locked.get(name, []))
    ]


def lock_has_no_host(root: Path) -> list[str]:
    """Lines of the lock files that say where a package comes from; that is the machine's business."""
    wrong = [
        f"{name}:{number}: {line}"
        for name in ("requirements.lock", "tools/chart/others/requirements.lock")
        for number, line in enumerate((root / name).read_text(encoding="utf-8").splitlines(), 1)
        if HOST.search(line)
    ]
    for web in (root / folder / "package-lock.json" for folder in INTERFACE):
        packages = json.loads(web.read_text(encoding="utf-8"))["packages"] if web.exists() else {}
        wrong += [
            f"{web.relative_to(root)}: {name} is resolved to an address"
            for name, entry in packages.items()
            if HOST.match(str(entry.get("resolved", "")))
        ]
    return wrong


def dependency_notes(root: Path) -> list[str]:
    """Direct dependencies without a line in docs/dependencies.md, and lines about what is gone."""
    wanted = set(direct_requirements(root))
    for package in (root / folder / "package.json" for folder in INTERFACE):
        content = json.loads(package.read_text(encoding="utf-8")) if package.exists() else {}
        wanted |= {*content.get("dependencies", {}), *content.get("devDependencies", {})}
    page = (root / "docs" / "dependencies.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]+`) \| .{10,}", page, flags=re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    missing = [f"{name}: say in docs/dependencies.md why we have it" for name in sorted(wanted - named)]
    return missing + [
        f"{name}: no longer a direct dependency; drop its line in docs/dependencies.md"
        for name in sorted(named - wanted)
    ]
