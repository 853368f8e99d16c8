"""`make places`: write the web's table of places from that of libs/places; `make lint` fails when they differ."""

import json
from collections.abc import Iterable
from pathlib import Path

from resapermis_places.table import PLACES, Place

ROOT = Path(__file__).resolve().parents[2]
TABLE = Path("web", "src", "rules", "places.ts")
HEAD = """\
// Generated from libs/places/src/resapermis_places/table.py by `make places`; do not edit.

/** Departments, and overseas collectivities that stand in the place of one: code, name, IANA time zone. */
export const PLACES: readonly (readonly [code: string, name: string, zone: string])[] = [
"""


def table_of(places: Iterable[Place]) -> str:
    """The module that has these places, in their order; written as biome would."""
    rows = ([place.code, place.name, place.zone] for place in places)
    return HEAD + "".join(f"  {json.dumps(row, ensure_ascii=False)},\n" for row in rows) + "];\n"


def stale(root: Path) -> list[str]:
    """A line to show when the web's table is not what ours makes today."""
    file = root / TABLE
    if file.exists() and file.read_text(encoding="utf-8") == table_of(PLACES.values()):
        return []
    return [f"{TABLE} is not what libs/places says; run `make places` and commit"]


if __name__ == "__main__":
    (ROOT / TABLE).write_text(table_of(PLACES.values()), encoding="utf-8")
