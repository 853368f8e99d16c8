"""`make chaos`: what is to be shown of the whole platform by force, by word (`make chaos ARGS="linear"`). Prints JSON.

`run` (the default): everything falls while sixteen schools book; afterwards nothing is lost, doubled or oversold.
`linear`: a hundred thousand operations at once on a few slots, each explained by one order of a register's life.
"""

import os
import sys
from importlib import import_module
from pathlib import Path

WORDS = {"run": "run.main", "linear": "linear.main"}
"""Word → the module whose `main` takes the words that follow and returns an exit status."""


def main(words: list[str]) -> int:
    """Run what the first word names; without one, the chaos run."""
    name = words[0] if words[:1] and not words[0].startswith("-") else "run"
    if name not in WORDS:
        print(f"no such chaos: {name}; there are {', '.join(WORDS)}", file=sys.stderr)  # noqa: T201 - a command line speaks
        return 2
    status: int = import_module(WORDS[name]).main(words[1:] if words[:1] == [name] else words)
    return status


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    sys.path += [
        str(here.parents[1] / "tools"),
        str(here.parent / "journeys"),
    ]  # the real components; schools and the State
    sys.path.append(str(here.parents[1] / "services" / "basket" / "tests"))  # basket's peers as small servicers
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # programs are started, nothing is forked into gRPC
    sys.exit(main(sys.argv[1:]))
