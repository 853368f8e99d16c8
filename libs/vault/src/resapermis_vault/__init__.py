"""Envelope encryption, person keys and blind index.

Bytes in, bytes out: callers store them. Nothing here does I/O but `Keyset.load` and the operator's commands.
"""

from resapermis_vault.cache import PersonKeys
from resapermis_vault.errors import KeysetProblem, Unreadable
from resapermis_vault.index import BlindIndex, FieldIndex, NameIndex
from resapermis_vault.kek import KeyEncryption
from resapermis_vault.keyset import Keyset, new_keyset
from resapermis_vault.normalise import name_words, normalise_name, normalise_neph
from resapermis_vault.person import PersonKey, new_person_key, rewrap, row_of, unwrap
from resapermis_vault.plaintext import Plaintext
from resapermis_vault.secret import open_secret, reseal_secret, seal_secret

__all__ = [
    "BlindIndex",
    "FieldIndex",
    "KeyEncryption",
    "Keyset",
    "KeysetProblem",
    "NameIndex",
    "PersonKey",
    "PersonKeys",
    "Plaintext",
    "Unreadable",
    "name_words",
    "new_keyset",
    "new_person_key",
    "normalise_name",
    "normalise_neph",
    "open_secret",
    "reseal_secret",
    "rewrap",
    "row_of",
    "seal_secret",
    "unwrap",
]
