"""Envelope encryption, person keys and blind index."""

from resapermis_vault.index import BlindIndex, name_words, normalise_neph
from resapermis_vault.keyset import KeyEncryption, Keyset, Unreadable
from resapermis_vault.person import PersonKey, PersonKeys, new_person_key, rewrap, unwrap

__all__ = [
    "BlindIndex",
    "KeyEncryption",
    "Keyset",
    "PersonKey",
    "PersonKeys",
    "Unreadable",
    "name_words",
    "new_person_key",
    "normalise_neph",
    "rewrap",
    "unwrap",
]
