"""basket as its callers see it: gRPC in, real PostgreSQL; peers are small servicers of the same protos."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from basket_peers import *  # noqa: F403 - fixtures
