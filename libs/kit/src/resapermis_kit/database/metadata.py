"""How constraints and indexes are named, and the kit's own tables in each service's database."""

import sqlalchemy as sa

NAMING = {
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}
KIT = sa.MetaData(naming_convention=NAMING)
"""Tables that the kit keeps in each service's database: outbox, outbox_head, inbox, dead_letter, request."""
