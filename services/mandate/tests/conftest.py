"""mandate as its callers see it; egress is a small servicer of the same proto."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from mandate_service import service

__all__ = ["service"]
