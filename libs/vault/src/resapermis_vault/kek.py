"""The one interface behind which a keyset file, Vault/OpenBao transit or a cloud KMS stands."""

from typing import Protocol


class KeyEncryption(Protocol):
    """What wraps keys and small secrets under a key that the caller never sees."""

    def wrap(self, plain: bytes, row: str) -> bytes:
        """Seal `plain` under the primary key; it opens only for the same `row` (table/column/id)."""
        ...

    def unwrap(self, sealed: bytes, row: str) -> bytes:
        """Inverse of `wrap`, under any key still in the keyset; Unreadable otherwise.

        A key service that does not answer raises something else: Unreadable means that no later try will help.
        """
        ...

    def is_current(self, sealed: bytes) -> bool:
        """Whether `sealed` is under the primary key; false: wrap it again. It proves nothing about its integrity."""
        ...
