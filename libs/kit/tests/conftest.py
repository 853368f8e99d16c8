"""The kit is tested as a service sees it: a sample package with its own migration, real PostgreSQL, NATS and gRPC."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
