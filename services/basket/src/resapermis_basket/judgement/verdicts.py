"""Verdicts as messages; and the shared rules on what basket knows, where scheduling-rules was not asked or has no answer."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis.verdict.v1.verdict_pb2 import Verdict
from resapermis_basket.domain.line import Line, State
from resapermis_rules import statements
from resapermis_rules.verdict import Verdict as Stated

NO_FACTS: Mapping[str, str] = {}


def message(stated: Stated) -> Verdict:
    """A verdict stated here → verdict.v1.Verdict. None of these rules opens by itself, so there is no `opens_at`."""
    return Verdict(
        rule=stated.rule, allowed=stated.allowed, facts=stated.facts, source=stated.source, remedy=stated.remedy
    )


def group_limit(asked: int, limit: int) -> Verdict:
    """R-GROUP of an action too long to be evaluated."""
    return message(statements.group(asked, limit))


def named(line: Line) -> Verdict:
    """R-NAMED of a line that is to be validated."""
    facts = {"line": str(line.id), "slot": line.slot.id}
    return message(statements.named(named=line.candidate_id is not None, needed=True, other_lines=0, facts=facts))


def past(line: Line, now: datetime) -> Verdict:
    """R-PAST of a line, before anybody else is asked."""
    starts_at, booked = line.slot.starts_at, line.state in {State.BOOKED, State.DONE}
    return message(statements.past(starts_at, now, booked=booked, facts={"startsAt": starts_at.isoformat()}))


def mandate(*, active: bool) -> Verdict:
    """R-MANDATE of a candidate, by mandate's answer."""
    return message(statements.mandate(active=active))


def one_active(*, busy: bool) -> Verdict:
    """R-ONE-ACTIVE of a candidate, by our own lines."""
    return message(statements.one_active(busy=busy, facts=NO_FACTS))


def replacements(allowance: rdv.GetReplacementsResponse) -> Verdict:
    """R-REPLACE of one booking, by RdvPermis' own allowance."""
    return message(statements.replacements(1, allowance.left, allowance.per_month))


def line_resources_busy() -> Verdict:
    """R-AVAILABLE by the database's own constraint, which does not say whether trainer or vehicle is elsewhere."""
    whose = statements.TRAINER_OR_VEHICLE
    return message(statements.available(whose, {"whose": whose, "what": "booking"}))


def against(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """The verdicts that refuse, in their order."""
    return [verdict for verdict in verdicts if not verdict.allowed]


def about(verdict: Verdict, **what: str) -> Verdict:
    """A copy that names what it is about ("slot", "line"), for a list that mixes several."""
    copy = Verdict()
    copy.CopyFrom(verdict)
    copy.facts.update(what)
    return copy
