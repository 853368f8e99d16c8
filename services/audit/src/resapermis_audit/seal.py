"""Records at rest: sealed under audit's own key-encryption key, each bound to its row."""

from pathlib import Path

from resapermis_vault.keyset import Keyset


class Seal:
    """Closes and opens what audit stores."""

    def __init__(self, keyset: Keyset) -> None:
        """Use `keyset`."""
        self._keyset = keyset

    @classmethod
    def load(cls, path: Path) -> "Seal":
        """Read the keyset file."""
        return cls(Keyset.load(path))

    def close(self, plain: bytes, row: str) -> bytes:
        """Seal for `row`."""
        return self._keyset.wrap(plain, f"audit/{row}")

    def open(self, sealed: bytes, row: str) -> bytes:
        """Inverse of `close`; resapermis_vault.Unreadable otherwise."""
        return self._keyset.unwrap(sealed, f"audit/{row}")
