"""What the dashboards show, a module each. Values alone: `grafana.py` makes Grafana's JSON of them."""

from observability.boards.journal import JOURNAL
from observability.boards.opening import OPENING
from observability.boards.platform import PLATFORM
from observability.boards.service import ONE_SERVICE

BOARDS = (PLATFORM, OPENING, ONE_SERVICE, JOURNAL)
"""In the order in which docs name them."""
