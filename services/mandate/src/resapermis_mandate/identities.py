"""Who a candidate is, sealed for the database and opened for an answer."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from resapermis_mandate.domain import Identity, SealedCandidate, SealedName
from resapermis_vault.blind_index import BlindIndex
from resapermis_vault.errors import Unreadable
from resapermis_vault.kek import KeyEncryption
from resapermis_vault.normalisation import name_words
from resapermis_vault.person_key import new_person_key
from resapermis_vault.person_keys import PersonKeys

FIELDS = ("last_name", "first_name", "neph", "email")
NEPH, WORD = "neph", "name"


class Identities:
    """Seals identities for the database and opens them for an answer; keeps recent person keys for a minute."""

    def __init__(self, kek: KeyEncryption, keys: PersonKeys, index: BlindIndex) -> None:
        """Use the service's keyset."""
        self._kek, self._keys, self._index = kek, keys, index

    def seal(self, candidate_id: UUID, school_id: str, identity: Identity, now: datetime) -> SealedCandidate:
        """Seal a new candidate under a new person key."""
        wrapped, key = new_person_key(self._kek, str(candidate_id))
        sealed = {name: key.seal(getattr(identity, name), _row(candidate_id, name)) for name in FIELDS}
        return SealedCandidate(
            id=candidate_id,
            school_id=school_id,
            wrapped_key=wrapped,
            neph_index=self._index.of(NEPH, identity.neph),
            created_at=now,
            version=1,
            **sealed,
        )

    def corrected(self, candidate: SealedCandidate, values: Mapping[str, str]) -> SealedCandidate:
        """Seal these fields anew under the person's own key, as the next version; Unreadable once it is destroyed."""
        if candidate.wrapped_key is None:
            raise Unreadable
        key = self._keys.get(str(candidate.id), candidate.wrapped_key)
        sealed: dict[str, Any] = {name: key.seal(value, _row(candidate.id, name)) for name, value in values.items()}
        index = self._index.of(NEPH, values[NEPH]) if NEPH in values else candidate.neph_index
        return replace(candidate, neph_index=index, version=candidate.version + 1, **sealed)

    def open(self, candidate: SealedCandidate) -> Identity:
        """Open; Unreadable once the person key is destroyed."""
        if candidate.wrapped_key is None:
            raise Unreadable
        key = self._keys.get(str(candidate.id), candidate.wrapped_key)
        return Identity(**{name: key.open(getattr(candidate, name), _row(candidate.id, name)) for name in FIELDS})

    def open_name(self, candidate: SealedName) -> tuple[str, str]:
        """Last and first name, where nothing else is shown; Unreadable once the person key is destroyed."""
        if candidate.wrapped_key is None:
            raise Unreadable
        key = self._keys.get(str(candidate.id), candidate.wrapped_key)
        return (
            key.open(candidate.last_name, _row(candidate.id, "last_name")),
            key.open(candidate.first_name, _row(candidate.id, "first_name")),
        )

    def word_indexes(self, identity: Identity) -> list[bytes]:
        """Blind indexes of each word of the name, under the primary index key: to store."""
        return [self._index.of(WORD, word) for word in name_words(f"{identity.last_name} {identity.first_name}")]

    def neph_candidates(self, neph: str) -> list[bytes]:
        """Blind indexes of a NEPH under every index key in use: to search by."""
        return self._index.candidates(NEPH, neph)

    def word_candidates(self, query: str) -> Sequence[Sequence[bytes]]:
        """Blind indexes of each word of a query, under every index key in use: to search by."""
        return [self._index.candidates(WORD, word) for word in name_words(query)]


def _row(candidate_id: UUID, column: str) -> str:
    return f"candidate/{column}/{candidate_id}"
