"""The journal: records and their proofs."""

import base64
from datetime import datetime
from typing import Annotated

from resapermis.audit.v1 import audit_pb2, events_pb2
from resapermis_auth_gateway.web.wire.base import View, enum_field, enum_word, optional_instant

RecordOutcome = Annotated[str, enum_field(events_pb2.Outcome, "OUTCOME_")]
ActorKind = Annotated[str, enum_field(events_pb2.Actor.Kind, "KIND_")]


ACTIONS = {"basket.accompany": "basket.set_line_resources", "basket.look": "basket.poll"}
OBJECT_KINDS = {"bar": "restriction"}
PARAMETERS = {"look_stale_seconds": "poll_stale_seconds", "late_cancel_bar_days": "late_cancel_restriction_days"}
"""What release 0.1.0 recorded → its name today. The journal keeps what was recorded; proofs give it unchanged."""


def recorded_as(action: str) -> list[str]:
    """Every name under which the journal has `action`."""
    return [action, *(old for old, new in ACTIONS.items() if new == action)]


def _facts(record: events_pb2.Record) -> dict[str, str]:
    facts = dict(record.facts)
    if record.object_kind == "parameter" and "name" in facts:
        facts["name"] = PARAMETERS.get(facts["name"], facts["name"])
    return facts


class ActorView(View):
    """Who did it: an account, a service unasked, or the State."""

    kind: ActorKind
    id: str
    roles: list[str]


class ObjectView(View):
    """What an act was done to: its kind and its id."""

    kind: str
    id: str


class RecordView(View):
    """One act. `leafIndex` is null until the journal's tree has it."""

    id: str
    occurred_at: datetime | None = None
    service: str
    action: str
    outcome: RecordOutcome
    actor: ActorView
    object: ObjectView | None = None
    candidate_id: str | None = None
    facts: dict[str, str]
    purpose: str | None = None
    correlation_id: str | None = None
    leaf_index: int | None = None

    @classmethod
    def of(cls, logged: audit_pb2.LoggedRecord) -> "RecordView":
        """From audit.v1.LoggedRecord; an action recorded by an older release gets its present name."""
        record = logged.record
        return cls(
            id=record.id,
            occurred_at=optional_instant(record, "occurred_at"),
            service=record.source,
            action=ACTIONS.get(record.action, record.action),
            outcome=enum_word(events_pb2.Outcome, record.outcome, "OUTCOME_"),
            actor=ActorView(
                kind=enum_word(events_pb2.Actor.Kind, record.actor.kind, "KIND_"),
                id=record.actor.id,
                roles=list(record.actor.roles),
            ),
            object=ObjectView(kind=OBJECT_KINDS.get(record.object_kind, record.object_kind), id=record.object_id)
            if record.object_kind
            else None,
            candidate_id=record.candidate_id or None,
            facts=_facts(record),
            purpose=record.purpose or None,
            correlation_id=record.correlation_id or None,
            leaf_index=logged.leaf_index if logged.HasField("leaf_index") else None,
        )


class RecordPage(View):
    """One page of the school's records, newest first; `nextCursor` is null on the last."""

    items: list[RecordView]
    next_cursor: str | None = None


class CheckpointView(View):
    """The newest signed checkpoint (C2SP note) and the key that verifies it."""

    note: str
    verifier_key: str


class ProofView(View):
    """Inclusion of a record in the tree of `checkpoint`; bytes in base64.

    `leafHash` = SHA-256(0x00 ‖ leafData); leafData = SHA-256(salt ‖ content) ‖ SHA-256(sealed content);
    `content` is the deterministic serialisation of audit.v1.Record. Salt and content are null once erased.
    """

    leaf_index: int
    tree_size: int
    leaf_hash: str
    hashes: list[str]
    leaf_data: str
    salt: str | None = None
    content: str | None = None
    checkpoint: str

    @classmethod
    def of(cls, proof: audit_pb2.GetInclusionProofResponse) -> "ProofView":
        """From audit.v1.GetInclusionProofResponse; bytes become base64."""
        return cls(
            leaf_index=proof.leaf_index,
            tree_size=proof.tree_size,
            leaf_hash=_text(proof.leaf_hash),
            hashes=[_text(one) for one in proof.hashes],
            leaf_data=_text(proof.leaf_data),
            salt=_text(proof.salt) or None,
            content=_text(proof.content) or None,
            checkpoint=proof.checkpoint,
        )


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
