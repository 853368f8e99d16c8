"""What a bench tells whoever waits for it."""

import sys


def say(line: str) -> None:
    """Progress; standard output is for the figures."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - a bench speaks on its terminal
