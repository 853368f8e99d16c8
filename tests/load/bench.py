"""`make bench`: measures the platform. Without a word everything, one after the other; with one (`ARGS=hot`) that alone.

`rush`: an opening, and holds beside what PostgreSQL could do. `hot`: 500 schools on one slot. `http`: through the
gateway. `growth`: with years of bookings behind. `replicas`: one basket process and two. `search`: a million slots. `planner`:
how old answers are, simulated beside round-robin. `flood`: a person beside 2,000 hostile connections. `gateway`: what the web
face adds to a call, and 2,000 open pages.
Each takes options (`ARGS="rush --callers 16"`, `--help`), prints JSON, and ends with 1 when something is not as it must be.
"""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

BENCHES = {
    "rush": "rush.main",
    "hot": "rush.hot",
    "http": "rush.http",
    "growth": "rush.growth",
    "replicas": "rush.replicas",
    "search": "search.main",
    "planner": "planner.main",
    "flood": "flood.main",
    "gateway": "gateway.main",
}
"""Word → the module whose `main` takes the words that follow and returns an exit status."""


def main(words: list[str]) -> int:
    """Run the bench that the first word names; without one, all of them."""
    if not words:
        return everything()
    if words[0] not in BENCHES:
        print(f"no such bench: {words[0]}; there are {', '.join(BENCHES)}", file=sys.stderr)  # noqa: T201 - a command line speaks
        return 2
    status: int = import_module(BENCHES[words[0]]).main(words[1:])
    return status


def everything() -> int:
    """Each bench in a process of its own; their figures side by side in one JSON."""
    figures, status = {}, 0
    for name in BENCHES:
        done = subprocess.run([sys.executable, __file__, name], stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
        status = max(status, done.returncode)
        figures[name] = json.loads(done.stdout) if done.stdout else {"failed": done.returncode}
    print(json.dumps(figures, indent=2, ensure_ascii=False))  # noqa: T201 - its answer
    return status


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))  # devstack starts the real components
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # programs are started, nothing is forked into gRPC
    sys.exit(main(sys.argv[1:]))
