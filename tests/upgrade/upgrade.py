"""`make upgrade-test`: each process of the last release is replaced by this one's while schools book; prints JSON.

`from` (and, without a word, `next` behind it): from the last release to this tree; `next`: from this tree to one that expands,
contracts and says more, as any later release will.
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
