"""`services` of values.yaml is the table of tools/devstack/components.py, and the schema and the page know nothing else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from chart.helm import CHART
from devstack.components import BUS_ADMIN, OPERATOR, SERVICES, Outside

GRPC, METRICS, WEB = 9000, 9100, 8080


def services(file: Path = CHART / "values.yaml") -> Mapping[str, Any]:
    """The table as the chart has it."""
    found: Mapping[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))["services"]
    return found


def wanted() -> dict[str, dict[str, object]]:
    """What the chart must say of each, by the table of components."""
    found: dict[str, dict[str, object]] = {
        one.name: {
            "args": [one.face] if one.face else None,
            "certificate": one.name,
            "database": one.database,
            "role": one.role,
            "listens": {**({"web": WEB} if one.face == "web" else {}), "grpc": GRPC, "metrics": METRICS},
            "calls": list(one.calls),
            "reaches": [place.name.lower() for place in one.reaches],
            "keyset": bool(one.keyset),
        }
        for one in SERVICES
    }
    return found | {
        BUS_ADMIN: {
            "args": None,
            "certificate": OPERATOR,
            "database": "",
            "role": "",
            "listens": {"metrics": METRICS},
            "calls": [],
            "reaches": [Outside.OTLP.name.lower()],
            "keyset": False,
        }
    }


def differences(found: Mapping[str, Any]) -> list[str]:
    """A line for each thing that the two tables say otherwise."""
    table = wanted()
    wrong = [f"{name} is in one table and not in the other" for name in sorted(table.keys() ^ found.keys())]
    for name in sorted(table.keys() & found.keys()):
        here = {**found[name], "keyset": "keyset.json" in found[name].get("secrets", {})}
        for what, value in table[name].items():
            has, should = here.get(what), value
            if isinstance(has, list) and isinstance(should, list):
                has, should = sorted(has), sorted(should)
            if has != should:
                wrong.append(f"services.{name}.{what} is {here.get(what)}, and components.py says {value}")
    return wrong
