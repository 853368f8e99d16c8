"""What audit publishes."""

from resapermis.audit.v1.events_pb2 import CheckpointSigned
from resapermis_audit.checkpoint import Checkpoint


def checkpoint_signed(checkpoint: Checkpoint) -> CheckpointSigned:
    """The tree has grown to a size and a root that nobody can take back."""
    return CheckpointSigned(tree_size=checkpoint.size, root_hash=checkpoint.root)
