"""Writing keyset files: whole or not at all, for their owner alone, on the disk before they count."""

import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from resapermis_vault.keyset import Document, Keyset, new_document, read


def write_new(path: Path) -> bool:
    """Write a new keyset unless the file exists; return whether it was written. Of two at once, one writes."""
    if path.exists():
        return False
    with _scratch(path, new_document()) as scratch:
        try:
            os.link(scratch, path)  # unlike a rename, refuses to take another's place
        except FileExistsError:
            return False
    _sync(path.parent)
    return True


def change(path: Path, step: Callable[[Document], Document]) -> None:
    """Replace the keyset by `step` of it, one change at a time; what is not a sound keyset never gets there."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        document = read(path)
        Keyset.parse(document)
        changed = step(document)
        Keyset.parse(changed)
        with _scratch(path, changed) as scratch:
            scratch.replace(path)
        os.fsync(folder)
    finally:
        os.close(folder)  # and with it the lock


@contextmanager
def _scratch(path: Path, document: Document) -> Iterator[Path]:
    """Write beside `path` under a name of its own; mkstemp makes it 0600."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    scratch = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        yield scratch
    finally:
        scratch.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
