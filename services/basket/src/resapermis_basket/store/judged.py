"""Judgements with the facts they rest on."""

import json
from collections.abc import Mapping
from uuid import UUID

import sqlalchemy as sa

from resapermis_kit.db import Tx

# The newest judgement of a purpose stands: a group that RdvPermis was surely not asked to validate is judged again.
_KEEP = sa.text(
    "INSERT INTO judgement (line_id, purpose, facts) "
    "SELECT line_id, :purpose, facts FROM json_to_recordset(CAST(CAST(:rows AS text) AS json)) "
    "AS new (line_id uuid, facts bytea) "
    "ON CONFLICT (line_id, purpose) DO UPDATE SET facts = excluded.facts, drift = ''"
)


_PASS = sa.text(
    "UPDATE judgement SET line_id = heir.new FROM json_to_recordset(CAST(CAST(:rows AS text) AS json)) "
    "AS heir (old uuid, new uuid) WHERE line_id = heir.old AND purpose IN ('replace', 'swap')"
)


async def pass_judgements(tx: Tx, heirs: Mapping[UUID, UUID]) -> None:
    """What was judged before a change now belongs to the line that came of it."""
    if heirs:
        rows = [{"old": str(old), "new": str(new)} for old, new in heirs.items()]
        await tx.execute(_PASS, {"rows": json.dumps(rows)})


async def keep_judgements(tx: Tx, purpose: str, cases: Mapping[UUID, bytes]) -> None:
    """Keep what the rules looked at with these lines; what they did not say cannot be kept."""
    rows = [{"line_id": str(line_id), "facts": "\\x" + case.hex()} for line_id, case in cases.items() if case]
    if rows:
        await tx.execute(_KEEP, {"purpose": purpose, "rows": json.dumps(rows)})
