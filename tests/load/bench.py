"""`make bench`: how many holds a second the whole platform does, beside what its PostgreSQL could do. Prints JSON."""

import os
import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))  # devstack starts the real parts
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # programs are started, nothing is forked into gRPC
    sys.exit(import_module("rush.main").main(sys.argv[1:]))
