"""`make bench`: measures the platform, by word (`make bench ARGS="rush --seconds 3"`). Prints JSON.

`rush` (the default): how many holds a second the whole platform does, beside what its PostgreSQL could do.
`search`: what a search of a million slots takes, by what is asked.
"""

import os
import sys
from importlib import import_module
from pathlib import Path

BENCHES = {"rush": "rush.main", "search": "search.main"}
"""Word → the module whose `main` takes the words that follow and returns an exit status."""


def main(words: list[str]) -> int:
    """Run the bench that the first word names; without one, the rush."""
    name = words[0] if words[:1] and not words[0].startswith("-") else "rush"
    if name not in BENCHES:
        print(f"no such bench: {name}; there are {', '.join(BENCHES)}", file=sys.stderr)  # noqa: T201 - a command line speaks
        return 2
    status: int = import_module(BENCHES[name]).main(words[1:] if words[:1] == [name] else words)
    return status


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))  # devstack starts the real parts
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # programs are started, nothing is forked into gRPC
    sys.exit(main(sys.argv[1:]))
