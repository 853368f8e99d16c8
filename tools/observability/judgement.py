"""What `make lint` says of metrics, rules, runbooks and dashboards."""

from pathlib import Path

from observability.boards import BOARDS
from observability.metrics import metrics, misnamed
from observability.rules import misled, rules, unknown, unread_files
from observability.runbooks import complaints


def contradictions(root: Path) -> list[str]:
    """Names against conventions, rules and panels that ask for what does not exist, alerts without a runbook, runbooks without an alert."""
    known = metrics(root)
    recorded = {rule.name for rule in rules(root) if not rule.alert}
    asked = [
        wrong
        for board in BOARDS
        for where, query in board.queries
        for wrong in unknown(where, query.expression, known, recorded)
    ]
    return [*misnamed(known), *unread_files(root), *misled(root, known), *asked, *complaints(root)]
