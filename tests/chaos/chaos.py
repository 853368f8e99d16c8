"""`make chaos`: everything falls while sixteen schools book; afterwards nothing is lost, doubled or oversold. Prints JSON."""

import os
import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    sys.path += [str(here.parents[1] / "tools"), str(here.parent / "journeys")]  # the real parts; schools and the State
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # programs are started, nothing is forked into gRPC
    sys.exit(import_module("storm.main").main(sys.argv[1:]))
