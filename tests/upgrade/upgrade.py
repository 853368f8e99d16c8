"""`make upgrade-test`: each process of the last release is replaced by this one's while schools book; prints JSON.

Without a word both hops, as in `make test-long`: `from` the last release to this tree, and to the `next`, from this tree to one that
expands, says more and stops using a column, and on to one that drops it.
"""

import os
import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    sys.path += [str(here.parents[1] / "tools"), str(here.parent / "journeys"), str(here.parent / "chaos")]
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # programs are started, nothing is forked into gRPC
    sys.exit(import_module("rolling.main").main(sys.argv[1:]))
