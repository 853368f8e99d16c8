"""Where tests keep what servers store: in memory where the system has room for it, for a disk costs them half their time."""

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 - what Linux calls it; every folder in it is made by mkdtemp
NEEDED_BYTES = 2 << 30


def data_folder(prefix: str) -> Path:
    """A new folder, only ours to enter, that whoever asks deletes; in the system's temporary folder where memory is scarce."""
    room = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > NEEDED_BYTES
    return Path(tempfile.mkdtemp(prefix=prefix, dir=MEMORY if room else None))
