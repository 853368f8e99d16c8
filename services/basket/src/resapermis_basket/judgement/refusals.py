"""Why not: refusals of a line and of an act. The one place in basket."""

from collections.abc import Sequence
from datetime import UTC, datetime

from prometheus_client import Counter

from resapermis.verdict.v1.verdict_pb2 import Verdict
from resapermis_basket import events
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.line import Refusal
from resapermis_basket.judgement import verdicts
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.auth import Principal
from resapermis_rules.words import RULE_IDS

_C = Code
REFUSED_BY = Counter(
    "resapermis_rule_refusals_total",
    "Refusals of lines and acts, or in checks beforehand, for each rule against",
    ["rule"],
)
for _rule in RULE_IDS:
    REFUSED_BY.labels(_rule)  # there from the start, at 0: Prometheus sees no increase in what begins at 1
GONE_CODES = frozenset({"PANIER_INCONNU", "CRENEAU_PAS_DANS_LE_PANIER"})
"""RdvPermis no longer has the line in our basket."""
_OF_RULE = {
    "R-MANDATE": _C.CODE_NO_MANDATE,
    "R-ONE-ACTIVE": _C.CODE_CANDIDATE_BUSY,
    "R-NAMED": _C.CODE_LINE_UNNAMED,
    "R-THRESHOLD": _C.CODE_QUOTA_EXHAUSTED,
    "R-BASKET": _C.CODE_BASKET_FULL,
}
"""Codes of refusals by one rule alone; by several it is RULE_REFUSED, and the verdicts say which."""


def of_rdvpermis(code: Code.ValueType, rdvpermis_code: str) -> Failure:
    """RdvPermis' refusal with the code of ours that egress gives it; one nobody knows is kept verbatim as unexpected."""
    known = code or _C.CODE_RDVPERMIS_UNEXPECTED
    return Failure(known, f"RdvPermis refused: {rdvpermis_code or 'without a code'}", rdvpermis_code=rdvpermis_code)


def of_rules(verdicts: Sequence[Verdict]) -> Failure:
    """Our rules' refusal with every verdict that stands against; retry_at when all of them open by themselves."""
    against = [verdict for verdict in verdicts if not verdict.allowed]
    rules = sorted({verdict.rule for verdict in against})
    for rule in rules:
        REFUSED_BY.labels(rule if rule in RULE_IDS else "other").inc()
    code = _OF_RULE.get(rules[0], _C.CODE_RULE_REFUSED) if len(rules) == 1 else _C.CODE_RULE_REFUSED
    if rules == ["R-PUBLISHED"] and against[0].facts.get("status") == "TAKEN":
        code = _C.CODE_SLOT_TAKEN  # the mirror has seen it in others' hands
    return Failure(code, f"refused by {', '.join(rules)}", verdicts=against, retry_at=opens_at(against))


def opens_at(against: Sequence[Verdict]) -> datetime | None:
    """When the last of these opens by itself; None when one of them never does."""
    if not against or not all(verdict.HasField("opens_at") for verdict in against):
        return None
    return max(verdict.opens_at.ToDatetime(UTC) for verdict in against)


def stored(failure: Failure) -> Refusal:
    """A failure as a line stores it: its code, and the whole errors.v1.Refusal in bytes."""
    return Refusal(failure.name, failure.to_proto().SerializeToString(deterministic=True))


def slot_taken() -> Refusal:
    """Another line of ours has the slot."""
    return stored(Failure(_C.CODE_SLOT_TAKEN, "the slot is held or booked through ResaPermis already"))


def candidate_busy() -> Refusal:
    """The candidate stands on another live line of the category."""
    return stored(Failure(_C.CODE_CANDIDATE_BUSY, "the candidate is on another line or booked already"))


def line_resources_busy() -> Failure:
    """The database's own constraint: trainer or vehicle are on another line at that hour."""
    verdict = verdicts.line_resources_busy()
    return Failure(
        _C.CODE_RULE_REFUSED, "the trainer or the vehicle is on another line at that hour", verdicts=[verdict]
    )


def quota_exhausted() -> Refusal:
    """The threshold was reached by a hold that was faster."""
    return stored(Failure(_C.CODE_QUOTA_EXHAUSTED, "the month's threshold was reached meanwhile"))


def basket_full() -> Refusal:
    """The basket was filled by a hold that was faster."""
    return stored(Failure(_C.CODE_BASKET_FULL, "the basket was filled meanwhile"))


def all_or_nothing_failed() -> Refusal:
    """One line of an all-or-nothing action was refused."""
    return stored(
        Failure(_C.CODE_ALL_OR_NOTHING_FAILED, "another line of the action was refused; all or nothing was asked")
    )


def answer_lost() -> Refusal:
    """RdvPermis' answer was lost, and reading showed that it did not act."""
    return stored(Failure(_C.CODE_RDVPERMIS_DOWN, "RdvPermis did not answer; read again, it had not done it"))


def hold_gone() -> Refusal:
    """RdvPermis has the basket of the hold, and the slot no longer in it."""
    return stored(Failure(_C.CODE_RDVPERMIS_SLOT_GONE, "RdvPermis took the slot back"))


def basket_gone() -> Refusal:
    """RdvPermis no longer has the whole basket of the hold: it ended there before its time, and its slots are free."""
    return stored(Failure(_C.CODE_RDVPERMIS_BASKET_GONE, "the basket is gone at RdvPermis; nothing was booked"))


def hold_expired() -> Refusal:
    """Nobody validated in time."""
    return stored(Failure(_C.CODE_HOLD_EXPIRED, "the hold was not validated in time"))


def no_mandate() -> Refusal:
    """The mandate ended while the line was held."""
    return stored(Failure(_C.CODE_NO_MANDATE, "the mandate of the line's candidate has ended"))


async def record_refusal(
    dependencies: Dependencies,
    who: Principal,
    action: str,
    kind: str,
    object_id: str,
    failure: Failure,
    now: datetime,
) -> Failure:
    """Write the refused attempt into the journal, in its own transaction, and return the refusal to raise."""
    rules = sorted({verdict.rule for verdict in failure.verdicts if not verdict.allowed})
    record = events.refused_attempt(events.person(who), who.school_id, action, kind, object_id, rules, failure.name)
    async with transaction(dependencies.engine) as tx:
        await dependencies.outbox.add(tx, now, record)
    return failure
