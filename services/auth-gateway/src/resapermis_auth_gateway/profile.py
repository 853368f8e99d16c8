"""What we know of a person who signs in: sealed under a key of their own, opened for themselves and for notification."""

import json
import time
from dataclasses import asdict, dataclass, field
from uuid import UUID

from resapermis_vault.kek import KeyEncryption
from resapermis_vault.person_key import new_person_key
from resapermis_vault.person_keys import PersonKeys


@dataclass(frozen=True)
class Profile:
    """As the provider stated it at the last sign-in."""

    display_name: str = field(repr=False)
    email: str = field(repr=False)
    locale: str
    """ "fr" or "en"."""


class Profiles:
    """Seals profiles (name, address, language) under each person's own key, and opens them."""

    def __init__(self, vault: KeyEncryption) -> None:
        """`vault` wraps the person keys."""
        self._vault = vault
        self._keys = PersonKeys(vault, time.monotonic)

    def new_key(self, account_id: UUID) -> bytes:
        """A fresh person key, wrapped under the primary key-encryption key and bound to the account's id: to store."""
        return new_person_key(self._vault, str(account_id))[0]

    def seal(self, account_id: UUID, person_key: bytes, profile: Profile) -> bytes:
        """The profile as sealed bytes under the person's key, bound to this account's row."""
        return self._keys.get(str(account_id), person_key).seal(json.dumps(asdict(profile)), _row(account_id))

    def open(self, account_id: UUID, person_key: bytes, sealed: bytes) -> Profile:
        """Inverse of `seal`; Unreadable when the row was moved or the key destroyed."""
        return Profile(**json.loads(self._keys.get(str(account_id), person_key).open(sealed, _row(account_id))))


def _row(account_id: UUID) -> str:
    return f"account/profile/{account_id}"
