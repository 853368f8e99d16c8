"""notification as its callers see it, with a real mail server; peers are small servicers of the same protos."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from notification_peers import mail_server, notification

__all__ = ["mail_server", "notification"]
