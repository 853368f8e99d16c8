"""One version everywhere: that of the changelog's newest dated heading."""

import json
import re
import tomllib
from pathlib import Path

import yaml

from releases import releases

_HEADING = re.compile(r"^## (\d+\.\d+\.\d+), \d{1,2} \w+ \d{4}$", re.MULTILINE)


def unequal_versions(root: Path) -> list[str]:
    """Packages that have another version than the changelog's newest dated one, and releases that the changelog has not."""
    dated = _HEADING.findall((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    if not dated:
        return ['CHANGELOG.md: no heading such as "## 0.2.0, 29 November 2026"']
    wrong = [
        f"{file}: version {version}, but the newest dated one of CHANGELOG.md is {dated[0]}"
        for file, version in written(root).items()
        if version != dated[0]
    ]
    known = releases((root / "docs" / "releases.yaml").read_text(encoding="utf-8"))
    return wrong + [
        f"docs/releases.yaml: {one} has no dated heading in CHANGELOG.md"
        for one in known
        if one.removeprefix("v") not in dated
    ]


def written(root: Path) -> dict[str, str]:
    """The version that each package says, by its file; the lock of the interface says it twice."""
    files = [root / "pyproject.toml", root / "tools/pyproject.toml", *sorted(root.glob("*/*/pyproject.toml"))]
    found = {
        file.relative_to(root).as_posix(): str(tomllib.loads(file.read_text(encoding="utf-8"))["project"]["version"])
        for file in files
        if file.is_file()
    }
    for name in ("web/package.json", "web/package-lock.json"):
        found[name] = str(json.loads((root / name).read_text(encoding="utf-8"))["version"])
    chart = root / "charts" / "resapermis" / "Chart.yaml"
    if chart.is_file():
        said = yaml.safe_load(chart.read_text(encoding="utf-8"))
        found |= {f"{chart.relative_to(root)} {name}": str(said[name]) for name in ("version", "appVersion")}
    lock = json.loads((root / "web/package-lock.json").read_text(encoding="utf-8"))
    return found | {'web/package-lock.json packages[""]': str(lock["packages"][""]["version"])}
