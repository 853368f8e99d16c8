"""What is recorded of an access that was refused: ids and codes, never a name, an address as it was asked or an exact address."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from resapermis.audit.v1.events_pb2 import OUTCOME_REFUSED, Actor, Outcome, Record

ACTION = "access.denied"


@dataclass(frozen=True, slots=True)
class Denial:
    """One kind of refusal: those that are equal are counted together."""

    reason: str
    """A code of a closed list, e.g. "csrf", "no_session", "principal_forged"."""
    object_kind: str = ""
    """"route", "rpc", "connection": what `object_id` is."""
    object_id: str = ""
    """The route's pattern or the RPC's name, never what was asked in it."""
    account_id: str = ""
    """Who asked, where that is known and believed."""
    session_id: str = ""
    school_id: str = ""
    roles: tuple[str, ...] = ()
    place: str = ""
    """The network that they come from, /24 or /48."""
    carrier: str = ""
    """The service whose certificate carried the request."""
    facts: tuple[tuple[str, str], ...] = ()
    """What else is known of it, words of closed lists."""
    action: str = ACTION
    outcome: Outcome.ValueType = OUTCOME_REFUSED

    @property
    def who(self) -> str:
        """By whom refusals are told apart: the account, else the service, else the network."""
        return self.account_id or self.carrier or self.place

    def coarser(self) -> Sequence["Denial"]:
        """The same with less told, for when there are too many kinds: without where, then without who. The last is one of few."""
        nowhere = replace(self, object_kind="", object_id="", session_id="", facts=())
        return nowhere, Denial(self.reason, action=self.action, outcome=self.outcome)


def record_of(denial: Denial, count: int, first: float, last: float, service: str) -> Record:
    """The journal's record of `count` equal refusals between two moments, in seconds since 1970, by `service`."""
    facts = {"reason": denial.reason, "count": str(count), **dict(denial.facts)}
    if count > 1:
        facts |= {"first": _moment(first), "last": _moment(last)}
    facts |= {
        name: value
        for name, value in (("session", denial.session_id), ("carrier", denial.carrier), ("by", service))
        if value
    }
    person = bool(denial.account_id)
    return Record(
        actor=Actor(
            kind=Actor.KIND_PERSON if person else Actor.KIND_SYSTEM,
            id=denial.account_id or denial.carrier or service,
            roles=denial.roles,
            on_behalf_of=denial.school_id,
            place=denial.place,
        ),
        action=denial.action,
        object_kind=denial.object_kind,
        object_id=denial.object_id,
        school_id=denial.school_id,
        outcome=denial.outcome,
        facts=facts,
    )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
