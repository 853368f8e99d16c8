"""Runbooks: each alert has its section on a page, with what whoever is woken needs; no section is of an alert that is gone."""

import re
from pathlib import Path

from observability.rules import rules

FOLDER = Path("docs", "runbooks")
PARTS = ("It means", "People feel", "Look at", "Do")
"""What each section says, in this order."""
_SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_PART = re.compile(r"^\*\*([^*]+):\*\*(.*?)(?=^\*\*[^*]+:\*\*|\Z)", re.MULTILINE | re.DOTALL)
_ALERT = re.compile(r"(?:[A-Z][a-z]+){2,}")
"""How an alert's name looks; other headings are about what several share."""


def complaints(root: Path) -> list[str]:
    """Alerts whose section is not there or lacks something; sections and pages of no alert."""
    pages = {
        page.relative_to(root).as_posix(): page.read_text(encoding="utf-8") for page in (root / FOLDER).glob("*.md")
    }
    sections = {name: dict(_SECTION.findall(text)) for name, text in sorted(pages.items())}
    wrong, used = [], set[tuple[str, str]]()
    for rule in rules(root):
        if not rule.alert:
            continue
        url = rule.annotations.get("runbook_url", "")
        page, _, anchor = url.partition("#")
        if anchor != rule.name.lower() or rule.name not in sections.get(page, {}):
            wrong.append(
                f"{rule.name}: runbook_url is docs/runbooks/PAGE.md#{rule.name.lower()} with a section of that name"
            )
            continue
        used.add((page, rule.name))
    for page, found in sections.items():
        alerts = [name for name in found if _ALERT.fullmatch(name)]
        wrong += [
            f"{page}: {name}: no alert is called so and leads here" for name in alerts if (page, name) not in used
        ]
        if not any(one == page for one, _ in used):
            wrong.append(f"{page}: no alert leads here")
        for name in alerts:
            parts = [(title, text.strip()) for title, text in _PART.findall(found[name])]
            if tuple(title for title, _ in parts) != PARTS or not all(text for _, text in parts):
                wrong.append(f"{page}: {name}: says {', '.join(PARTS)}, each in bold with a colon, in this order")
    return wrong
