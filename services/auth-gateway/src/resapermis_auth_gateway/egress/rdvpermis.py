"""Asks RdvPermis: attaches the token, counts the call, and classifies each failure by whether RdvPermis was asked at all.

*Surely not asked* (no connection, no budget, open circuit, 429): RDVPERMIS_DOWN or RDVPERMIS_BUDGET, nothing happened.
*Asked, answer lost* (time-out, cut, 5xx, nonsense) on a change: UNKNOWN_OUTCOME, and never asked twice here.
*Refused* (4xx): a code of ours and RdvPermis' word verbatim. What comes back is believed only when it fits.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID
from weakref import WeakValueDictionary

import structlog
from cachetools import TTLCache
from opentelemetry import trace
from prometheus_client import Counter, Gauge, Histogram

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as pb
from resapermis_auth_gateway.egress.breaker import Breaker
from resapermis_auth_gateway.egress.budget import Budget, Reservation, retry_after_seconds
from resapermis_auth_gateway.egress.call_journal import CallJournal, Owner
from resapermis_auth_gateway.egress.http import (
    AnswerLost,
    Client,
    ConnectionCut,
    HttpAnswer,
    InvalidAnswer,
    PoolFull,
    RequestNotSent,
    base_of,
    parse,
)
from resapermis_auth_gateway.egress.refusals import code_of
from resapermis_auth_gateway.egress.token_store import Access, TokenOwner, TokenStore, reconnect
from resapermis_auth_gateway.egress.wire.answers import read_refusal, read_school
from resapermis_auth_gateway.egress.wire.calls import Call, get_school
from resapermis_kit.clock import Clock
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.deadline import remaining_seconds

T = TypeVar("T")
SLOW_SECONDS = 1.0
"""A call that took longer is logged although it went well."""
LEAST_SECONDS = 0.2
"""With less left of the caller's deadline a call does not begin."""
OWNER_SECONDS = 60.0
"""So long it is remembered for which school RdvPermis counts the owner of a token that works unasked.

What another replica is told meanwhile counts at once: a grant that ended, or that RdvPermis refuses, says so in its row.
"""
OWNERS_MOST = 20_000
log = structlog.get_logger()
tracer = trace.get_tracer("resapermis.rdvpermis")
CALLS = Counter("resapermis_rdvpermis_calls_total", "Calls of RdvPermis", ["operation", "outcome"])
SECONDS = Histogram(
    "resapermis_rdvpermis_seconds",
    "Time RdvPermis took to answer",
    ["operation"],
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 1, 2, 5, 10),
)
CIRCUIT = Gauge("resapermis_rdvpermis_circuit", "Circuit to RdvPermis: 0 closed, 1 half open, 2 open")
LEAST_LEFT = Gauge("resapermis_rdvpermis_budget_left", "Calls left this minute to the employee who has fewest")
WITHOUT_BUDGET = Counter(
    "resapermis_rdvpermis_budget_refusals_total", "Actions not begun for want of calls in the budget", ["work"]
)
for _work in ("person", "background"):
    WITHOUT_BUDGET.labels(_work)  # there from the start, at 0: Prometheus sees no increase in what begins at 1
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


_ANOTHER_MAY_SERVE = frozenset({Code.CODE_RECONNECT_NEEDED, Code.CODE_RDVPERMIS_BUDGET, Code.CODE_RDVPERMIS_UNEXPECTED})
"""What one token cannot and another of the school perhaps can."""


@cache
def _calls(operation: str, outcome: str) -> Counter:
    """One count, found once: looking for it costs as much as half a budget."""
    return CALLS.labels(operation, outcome)


@cache
def _seconds(operation: str) -> Histogram:
    return SECONDS.labels(operation)


@dataclass(frozen=True)
class Answer:
    """A successful answer of RdvPermis: its status (200 to 299) and its JSON, never shown in a repr."""

    status: int
    payload: Any = field(repr=False)


class _Trouble(Exception):
    """A call that brought no answer of RdvPermis'. `word` is for logs and metrics."""

    word = "lost"
    asked = True
    """RdvPermis may have been asked: the call counts."""
    blames = True
    """RdvPermis is ill: the circuit counts it."""

    def failure(self, call: Call) -> Failure:
        """What the caller receives: for a change, that the outcome is unknown."""
        if call.changes:
            return Failure(Code.CODE_UNKNOWN_OUTCOME, f"RdvPermis was asked {call.operation} and the answer was lost")
        return Failure(Code.CODE_RDVPERMIS_DOWN, f"RdvPermis did not answer {call.operation}")


class _Lost(_Trouble):
    """Asked, and no answer: time-out, cut, 5xx."""


class _Reset(_Trouble):
    """The connection went before a byte of the answer came."""


class _Nonsense(_Trouble):
    """An answer that does not fit: HTML, a redirect, wrong types, too much."""

    word = "nonsense"

    def failure(self, call: Call) -> Failure:
        """A read reports it as unexpected."""
        code = Code.CODE_UNKNOWN_OUTCOME if call.changes else Code.CODE_RDVPERMIS_UNEXPECTED
        return Failure(code, f"RdvPermis' answer to {call.operation} does not fit")


class _NotAsked(_Trouble):
    """The request never left."""

    word = "not_asked"
    asked = False

    def failure(self, call: Call) -> Failure:
        """RDVPERMIS_DOWN for reads and changes alike: the request never left, so nothing happened there."""
        return Failure(Code.CODE_RDVPERMIS_DOWN, f"RdvPermis cannot be reached; it was not asked {call.operation}")


class _Full(_NotAsked):
    """No connection of our pool became free: RdvPermis may be well."""

    word = "pool_full"
    blames = False


class _Unauthorised(_Trouble):
    """401: surely not executed; the token is no good."""

    word = "unauthorised"
    blames = False

    def failure(self, call: Call) -> Failure:
        """A second 401 in a row: only a sign-in helps."""
        del call
        return Failure(Code.CODE_RECONNECT_NEEDED, "RdvPermis wants an employee of the school to sign in again")


class RdvPermis:
    """RdvPermis over HTTP: tokens, budget, breaker and error codes in one place; one a process, as its limits are."""

    def __init__(
        self,
        url: str,
        client: Client,
        token_store: TokenStore,
        budget: Budget,
        breaker: Breaker,
        calls: CallJournal,
        now: Clock,
        *,
        call_seconds: float = 8.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask nothing yet."""
        self._url, self._client, self.token_store = base_of(url), client, token_store
        self.budget, self.breaker, self._journal = budget, breaker, calls
        self._now, self.clock, self._call_seconds = now, clock, call_seconds
        self._owners: TTLCache[UUID, bool] = TTLCache(OWNERS_MOST, OWNER_SECONDS, timer=clock)
        self._asking: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()
        CIRCUIT.set_function(lambda: float(breaker.state(clock())))
        LEAST_LEFT.set_function(lambda: float(budget.least_left(clock())))

    def moment(self, at: float) -> datetime:
        """Wall-clock time of a moment of `clock`."""
        return self._now() + timedelta(seconds=max(0.0, at - self.clock()))

    @asynccontextmanager
    async def action(self, who: TokenOwner, calls: int = 1) -> AsyncIterator["Action"]:
        """Several calls on one token, all of them set aside in its budget before the first goes."""
        if who.session_id is not None:
            access = await self.token_store.of_session(who.session_id, who.school_id)
        else:
            access = await self._unasked(who.school_id, calls)
        reservation = self.reserve(access, calls, urgent=who.urgent)
        try:
            yield Action(self, access, reservation)
        finally:
            self.budget.give_back(reservation, self.clock())

    async def _unasked(self, school_id: str, calls: int) -> Access:
        """A token of a school for work that nobody asked for, of somebody whom RdvPermis still counts to it.

        RECONNECT_NEEDED where there is none; what keeps one from being asked about is raised where no other serves.
        """

        def left(employee: str) -> int:
            return self.budget.left(employee, school_id, self.clock(), urgent=False)

        trouble: Failure | None = None
        for token in await self.token_store.by_turn(school_id, left, calls):
            try:
                access = await self._of_its_school(await self.token_store.ready(token), taken=token.refused_at is None)
            except Failure as failure:
                if failure.code not in _ANOTHER_MAY_SERVE:
                    raise
                if failure.code != Code.CODE_RECONNECT_NEEDED:
                    trouble = trouble or failure
                continue
            if access is not None:
                return access
        raise trouble or reconnect()

    async def _of_its_school(self, access: Access, *, taken: bool) -> Access | None:
        """The token, renewed perhaps, if RdvPermis counts its owner to the school that it is kept for; asked every minute.

        None where it counts them to another, and then the token is over, or takes them no longer. `taken`: what the row of a
        grant says; where that is not what is remembered here, another replica was told so since, and RdvPermis is asked.
        """
        lock = self._asking.get(access.token_id)
        if lock is None:
            lock = self._asking[access.token_id] = asyncio.Lock()
        async with lock:
            known = self._owners.get(access.token_id)
            if known is not None and (access.kind == "session" or known == taken):
                return access if known else None
            try:
                school, renewed = await self.school_of(access, urgent=False)
            except Failure as failure:
                if failure.code != Code.CODE_RECONNECT_NEEDED and not failure.rdvpermis_code:
                    raise
                log.warning("token.not_taken", kind=access.kind, code=failure.rdvpermis_code or failure.name)
                await self.token_store.not_taken(access)
                self._owners[access.token_id] = False
                return None
            if school.school_id != access.school_id:
                log.warning("token.elsewhere", kind=access.kind)
                await self.token_store.elsewhere(access)
                return None
            await self.token_store.confirmed(access)
            self._owners[access.token_id] = True
            return renewed

    async def school_of(self, access: Access, *, urgent: bool) -> tuple[pb.GetSchoolResponse, Access]:
        """Which school RdvPermis counts the owner of a token to (GET /moi), and the token, which may have been renewed."""
        reservation = self.reserve(access, 1, urgent=urgent)
        action = Action(self, access, reservation)
        try:
            school = await action.ask(get_school(), lambda answer: read_school(answer.payload))
        finally:
            self.budget.give_back(reservation, self.clock())
        return school, action.access

    async def ask(self, call: Call, who: TokenOwner, read: Callable[[Answer], T]) -> T:
        """Make one call and read its answer; `read` raises ValueError for one that does not fit."""
        async with self.action(who) as action:
            return await action.ask(call, read)

    def reserve(self, access: Access, calls: int, *, urgent: bool) -> Reservation:
        """Set calls aside, or refuse with RDVPERMIS_BUDGET and when to come back."""
        found = self.budget.reserve(access.employee, access.school_id, calls, self.clock(), urgent=urgent)
        if isinstance(found, float):
            WITHOUT_BUDGET.labels("person" if urgent else "background").inc()
            raise Failure(Code.CODE_RDVPERMIS_BUDGET, "the call budget is used up", retry_at=self.moment(found))
        return found

    async def once(self, call: Call, access: Access, reservation: Reservation, read: Callable[[Answer], T]) -> T:
        """Make one HTTP exchange, counted, timed, logged and judged; _Trouble or Failure when it brings nothing."""
        self._admit(call, access, reservation)
        reservation.left -= 1
        started, status, word, asked = self.clock(), 0, "cancelled", True
        # Its trace goes no further than this: RdvPermis is told nothing of it. Made by hand: nothing begins below it.
        span = tracer.start_span(call.operation, kind=trace.SpanKind.CLIENT)
        try:
            answered = await self._exchange(call, access)
            status = answered.status
            result = self._judged(call, access, answered, read)
            word = "ok"
        except _Trouble as trouble:
            word, asked = trouble.word, trouble.asked
            if trouble.blames:
                self.breaker.failed(self.clock())
            else:
                self.breaker.not_asked()
            raise
        except Failure as failure:
            word = failure.rdvpermis_code or failure.name
            raise
        finally:
            ended = self.clock()
            if word == "cancelled":
                self.breaker.not_asked()
            self.budget.ended(reservation, ended, asked=asked)
            _calls(call.operation, _label(word)).inc()
            owner = Owner(access.employee, access.school_id, reservation.urgent, access.kind)
            self._journal.add(owner, call.operation, _label(word))
            _seconds(call.operation).observe(ended - started)
            if span.is_recording():
                span.set_attributes(
                    {
                        "http.request.method": call.method,
                        "resapermis.outcome": _label(word),
                        **({"http.response.status_code": status} if status else {}),
                    }
                )
                span.end()
            # What went well is in the metrics; at an opening a line a call would cost more than reading the answer.
            write = log.debug if word == "ok" and ended - started < SLOW_SECONDS else log.info
            write(
                "rdvpermis.call", operation=call.operation, status=status, ms=round((ended - started) * 1000), code=word
            )
        return result

    def _admit(self, call: Call, access: Access, reservation: Reservation) -> None:
        """Refuse before anything leaves: deadline, budget, circuit."""
        if remaining_seconds() - 0.1 < LEAST_SECONDS:
            raise Failure(Code.CODE_RDVPERMIS_DOWN, "too little time left to ask RdvPermis; it was not asked")
        if reservation.left == 0:
            reservation.left += self.reserve(access, 1, urgent=reservation.urgent).left
        opens = self.breaker.admit(self.clock())
        if opens is not None:
            _calls(call.operation, "circuit_open").inc()
            raise Failure(
                Code.CODE_RDVPERMIS_DOWN, "RdvPermis does not answer; it was not asked", retry_at=self.moment(opens)
            )

    async def _exchange(self, call: Call, access: Access) -> HttpAnswer:
        url = f"{self._url}{call.path}?{urlencode(call.query)}" if call.query else self._url + call.path
        headers = {"Authorization": f"Bearer {access.value}"}
        body = None
        if call.body is not None:
            headers["Content-Type"] = "application/json"
            body = _JSON.encode(call.body).encode()
        try:
            async with asyncio.timeout(min(self._call_seconds, remaining_seconds() - 0.1)):
                return await self._client.exchange(call.method, url, headers, body)
        except PoolFull:
            raise _Full from None
        except RequestNotSent:
            raise _NotAsked from None
        except ConnectionCut:
            raise _Reset from None
        except InvalidAnswer:
            raise _Nonsense from None
        except (AnswerLost, TimeoutError):
            raise _Lost from None

    def _judged(self, call: Call, access: Access, answered: HttpAnswer, read: Callable[[Answer], T]) -> T:
        employee, status = access.employee, answered.status
        if status == 429:
            self.breaker.answered()
            until = self.budget.refused(
                employee, self.clock(), retry_after_seconds(answered.headers.get("Retry-After"), self._now())
            )
            raise Failure(Code.CODE_RDVPERMIS_BUDGET, "RdvPermis asks to wait", retry_at=self.moment(until))
        self.budget.accepted(employee)
        if status == 401:
            self.breaker.answered()
            raise _Unauthorised
        if 400 <= status < 500:
            self.breaker.answered()
            word = read_refusal(_payload(answered.body))
            raise Failure(code_of(word), f"RdvPermis refused {call.operation}", rdvpermis_code=word)
        if status >= 500:
            raise _Lost
        if not 200 <= status < 300:
            raise _Nonsense
        try:
            result = read(Answer(status, parse(answered.body)))
        except (ValueError, OverflowError):  # the second: a date beside the calendar
            raise _Nonsense from None
        self.breaker.answered()
        return result


class Action:
    """Calls of one action: one token, one reservation."""

    def __init__(self, client: RdvPermis, access: Access, reservation: Reservation) -> None:
        """Begin nothing yet."""
        self._client, self._access, self._reservation = client, access, reservation

    @property
    def access(self) -> Access:
        """The token as it stands: renewed, where RdvPermis refused the one that it began with."""
        return self._access

    async def ask(self, call: Call, read: Callable[[Answer], T]) -> T:
        """Make one call. A refused token is renewed once; a read cut off before any byte is asked once more."""
        tried = self._access
        try:
            return await self._once(call, read)
        except _Unauthorised:
            if self._access is tried:  # else a sibling call renewed it already
                self._access = await self._client.token_store.renew(tried)
        except _Trouble as trouble:
            if call.changes or not isinstance(trouble, _Reset):
                raise trouble.failure(call) from None
        try:
            return await self._once(call, read)
        except _Trouble as trouble:
            raise trouble.failure(call) from None

    async def _once(self, call: Call, read: Callable[[Answer], T]) -> T:
        return await self._client.once(call, self._access, self._reservation, read)


def _payload(body: bytes) -> Any:
    try:
        return parse(body)
    except ValueError:
        return None


def _label(word: str) -> str:
    """A metric's label: few values, so that RdvPermis cannot fill our memory with words."""
    return (
        "refused" if word.isupper() and word not in {"RDVPERMIS_BUDGET", "UNKNOWN_OUTCOME", "RDVPERMIS_DOWN"} else word
    )
