"""Facts of rules about a candidate that have nothing to judge."""

UNNAMED = {"candidate": "unnamed"}
"""The line names nobody."""
LEAVES = {"candidate": "leaves"}
"""The act takes the candidate out of the booking."""
