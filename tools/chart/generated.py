"""Files of the chart that come from elsewhere: the server's configuration of NATS, alerts, dashboards, the page of its values."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from chart import readme, sums
from chart.helm import CHART, SIZES, Object, rendered
from devstack import nats
from devstack.settings import ROOT

RULES, DASHBOARDS = ROOT / "deploy" / "prometheus", ROOT / "deploy" / "grafana"


def files() -> dict[Path, str]:
    """What each file must hold, but for the page."""
    return {CHART / "files" / "nats.conf": configuration(), **dict(_rules()), **dict(_dashboards())}


def configuration() -> str:
    """That of one server of a cluster: what is its own comes from its environment, routes from the template."""
    text = nats.configuration("0.0.0.0:4222", "0.0.0.0:8222", Path("/data"), Path("/run/tls"), "$SERVER_NAME")
    own = {'"$SERVER_NAME"': "$SERVER_NAME", "max_file_store: 4GB": "max_file_store: $MAX_FILE_STORE"}
    for before, after in own.items():
        if text.count(before) != 1:
            raise ValueError(f"tools/devstack/nats.py no longer says {before} once")
        text = text.replace(before, after)
    return text.replace(
        "# Written by devstack; changes are lost at the next start.",
        "# Written by `make chart ARGS=write` from tools/devstack/nats.py.",
    )


def _rules() -> Iterator[tuple[Path, str]]:
    for file in sorted(RULES.glob("*.yml")):
        text = file.read_text(encoding="utf-8")
        if "groups" in (yaml.safe_load(text) or {}):
            yield CHART / "files" / "rules" / file.name, text


def _dashboards() -> Iterator[tuple[Path, str]]:
    for file in sorted(DASHBOARDS.glob("**/*.json")):
        yield CHART / "files" / "dashboards" / file.name, file.read_text(encoding="utf-8")


def page(sizes: Mapping[str, list[Object]]) -> str:
    """charts/resapermis/README.md; `sizes`: what each renders."""
    return readme.page(
        (CHART / "values.yaml").read_text(encoding="utf-8"),
        {name: sums.row(objects) for name, objects in sizes.items()},
    )


def stale() -> list[str]:
    """Files that are not what they come from, those that nothing makes any more too."""
    wanted = files()
    folders = (CHART / "files", CHART / "files" / "rules", CHART / "files" / "dashboards")
    there = {file for folder in folders for file in folder.glob("*") if file.is_file()}
    differing = {file for file, text in wanted.items() if not file.exists() or file.read_text(encoding="utf-8") != text}
    return [
        f"{file.relative_to(ROOT)} is not what it is made from; run `make chart ARGS=write` and commit"
        for file in sorted(differing | there - wanted.keys())
    ]


def stale_page(sizes: Mapping[str, list[Object]]) -> list[str]:
    """The same of the page."""
    file = CHART / "README.md"
    if file.exists() and file.read_text(encoding="utf-8") == page(sizes):
        return []
    return [
        f"{file.relative_to(ROOT)} is not what values.yaml and the sizes say; run `make chart ARGS=write` and commit"
    ]


def write() -> None:
    """Write them all."""
    wanted = files()
    for folder in ("rules", "dashboards"):
        for old in (CHART / "files" / folder).glob("*"):
            if old not in wanted:
                old.unlink()
    for file, text in wanted.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    (CHART / "README.md").write_text(page({name: rendered(name) for name in SIZES}), encoding="utf-8")
