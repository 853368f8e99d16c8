"""Commands with a request id act once: a twin gets the first one's answer. One protocol for every service.

`begin` claims the id in the transaction of the intention, `finish` keeps the answer in the one that makes it true,
`abandon` frees the id where the command was surely refused after all, `answer_twin` only reads. A process may die between
`begin` and `finish`: its twin is then answered by what became of that which the intention made (`Command.recover`),
whoever settled it. Rows stay 24 h.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import Any, Generic, TypeVar
from uuid import UUID

import sqlalchemy as sa
from google.protobuf.message import Message
from sqlalchemy.dialects.postgresql import insert

from resapermis_kit.database.metadata import KIT
from resapermis_kit.database.transaction import Tx
from resapermis_kit.errors import Code, Failure, malformed

KEPT = timedelta(hours=24)
LONGEST_ID = 255
LONGEST_COMMAND = timedelta(minutes=2)
"""Whoever claimed an id so long ago is at work no more: no RPC is given more than a minute, with all that it calls."""

requests = sa.Table(
    "request",
    KIT,
    sa.Column("caller", sa.Text, primary_key=True),
    sa.Column("request_id", sa.Text, primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("response", sa.LargeBinary),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("made", sa.Uuid),
)
sa.Index("request_created_at_idx", requests.c.created_at)

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)


async def _nothing(tx: Tx, made: UUID) -> None:
    """Recover nothing: the answer is kept in the transaction that claims the id."""


@dataclass(frozen=True)
class Command(Generic[Q, R]):
    """A request with its `request_id`, of one caller (whose ids are their own), and how its twins are answered."""

    caller: str
    request: Q
    answer: type[R]
    recover: Callable[[Tx, UUID], Awaitable[R | None]] = _nothing
    """The answer by what now is of the object that `begin` noted; None while nobody knows what became of it."""

    @cached_property
    def request_id(self) -> str:
        """The request's own; MALFORMED without one."""
        request_id: str = getattr(self.request, "request_id", "")
        if not 1 <= len(request_id) <= LONGEST_ID:
            raise malformed("request_id", "1 to 255 characters (Idempotency-Key)")
        return request_id

    @cached_property
    def digest(self) -> bytes:
        """Hash of what is asked, without the request id."""
        bare = type(self.request)()
        bare.CopyFrom(self.request)
        bare.ClearField("request_id")
        name = self.request.DESCRIPTOR.full_name.encode()
        return sha256(name + b"\0" + bare.SerializeToString(deterministic=True)).digest()

    def claim(self, now: datetime, response: Message | None) -> dict[str, object]:
        """What a statement of a service's own writes as the claim; `response`: the answer, if it is known already."""
        return {
            "caller": self.caller,
            "request_id": self.request_id,
            "digest": self.digest,
            "response": response.SerializeToString() if response is not None else None,
            "claimed_at": now,
        }


async def begin(tx: Tx, command: Command[Any, R], now: datetime, made: UUID | None = None) -> R | None:
    """Claim the command's id and return None; or the answer, where a twin was here before.

    `made`: what the intention makes, or changes, in this transaction; without it a claim that is not finished within
    LONGEST_COMMAND may be taken over. Waits on a twin whose transaction is open. Refuses as `answer_twin` does.
    """
    dead = sa.and_(
        requests.c.response.is_(None), requests.c.made.is_(None), requests.c.created_at < now - LONGEST_COMMAND
    )
    claim = insert(requests).values(
        caller=command.caller, request_id=command.request_id, digest=command.digest, created_at=now, made=made
    )
    claim = claim.on_conflict_do_update(
        index_elements=[requests.c.caller, requests.c.request_id],
        set_={"created_at": claim.excluded.created_at, "made": claim.excluded.made},
        where=sa.and_(requests.c.digest == claim.excluded.digest, dead),
    )
    while (await tx.execute(claim.returning(requests.c.request_id))).scalar() is None:
        answer = await answer_twin(tx, command, now)
        if answer is not None:  # else its claim was abandoned or forgotten between the two statements
            return answer
    return None


async def answer_twin(tx: Tx, command: Command[Any, R], now: datetime) -> R | None:
    """What the command was answered under its id, or is by now; None where nobody began it. Claims nothing.

    Refuses with KEY_REUSED (same id, other body), with IN_PROGRESS while whoever began it may be at work and nobody knows
    the outcome, and with UNKNOWN_OUTCOME when only the reconciler can find it.
    """
    mine = (requests.c.caller == command.caller, requests.c.request_id == command.request_id)
    row = (await tx.execute(sa.select(requests).where(*mine))).one_or_none()
    if row is None:
        return None
    if row.digest != command.digest:
        raise Failure(Code.CODE_KEY_REUSED, "this Idempotency-Key was used for another request")
    if row.response is not None:
        return command.answer.FromString(row.response)
    answer = await command.recover(tx, row.made) if row.made is not None else None
    if answer is not None:
        return answer
    if row.created_at >= now - LONGEST_COMMAND:
        raise Failure(Code.CODE_IN_PROGRESS, "the same request is being answered", retry_at=now + timedelta(seconds=1))
    if row.made is not None:
        raise Failure(Code.CODE_UNKNOWN_OUTCOME, "whoever was asked this ended meanwhile; the outcome is being found")
    return None


async def finish(tx: Tx, command: Command[Any, R], response: R) -> None:
    """Keep the answer for later twins, in the transaction that makes it true."""
    await tx.execute(
        sa.update(requests)
        .where(requests.c.caller == command.caller, requests.c.request_id == command.request_id)
        .values(response=response.SerializeToString())
    )


async def abandon(tx: Tx, command: Command[Any, Any]) -> None:
    """Give the request id free again: the command was surely refused after its intention was committed."""
    await tx.execute(
        sa.delete(requests).where(requests.c.caller == command.caller, requests.c.request_id == command.request_id)
    )


async def forget_old(tx: Tx, now: datetime) -> None:
    """Delete claims of more than a day before `now`; a twin that comes later acts again."""
    await tx.execute(sa.delete(requests).where(requests.c.created_at < now - KEPT))
