"""Commands with a request id act once: a twin gets the first one's answer.

A claim commits with the intention; the answer is settled in the transaction that knows it. Rows stay 24 h.
"""

from datetime import datetime, timedelta
from hashlib import sha256

import sqlalchemy as sa
from google.protobuf.message import Message
from sqlalchemy.dialects.postgresql import insert

from resapermis_kit.database.metadata import KIT
from resapermis_kit.database.transaction import Tx
from resapermis_kit.errors import Code, Failure, malformed

KEPT = timedelta(hours=24)
LONGEST_ID = 255

requests = sa.Table(
    "request",
    KIT,
    sa.Column("caller", sa.Text, primary_key=True),
    sa.Column("request_id", sa.Text, primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("response", sa.LargeBinary),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
)
sa.Index("request_created_at_idx", requests.c.created_at)


def digest(command: Message) -> bytes:
    """Hash of what was asked, without its request id."""
    bare = type(command)()
    bare.CopyFrom(command)
    bare.ClearField("request_id")
    return sha256(command.DESCRIPTOR.full_name.encode() + b"\0" + bare.SerializeToString(deterministic=True)).digest()


def claim(caller: str, command: Message, now: datetime, response: Message | None) -> dict[str, object]:
    """What a statement of a service's own writes as the claim; `response`: the answer, if it is known already."""
    return {
        "caller": caller,
        "request_id": request_id_of(command),
        "digest": digest(command),
        "response": response.SerializeToString() if response is not None else None,
        "claimed_at": now,
    }


def request_id_of(command: Message) -> str:
    """The command's request id; MALFORMED without one."""
    request_id: str = getattr(command, "request_id", "")
    if not 1 <= len(request_id) <= LONGEST_ID:
        raise malformed("request_id", "1 to 255 characters (Idempotency-Key)")
    return request_id


async def earlier_answer(tx: Tx, caller: str, command: Message, now: datetime) -> bytes | None:
    """Claim the command's request id for `caller`, or return the answer its twin got.

    Waits on a twin whose transaction is open. Refuses with KEY_REUSED (same id, other body) and IN_PROGRESS
    (the twin committed its intention and does not know the outcome yet).
    """
    request_id = request_id_of(command)
    asked = digest(command)
    claim = (
        insert(requests)
        .values(caller=caller, request_id=request_id, digest=asked, created_at=now)
        .on_conflict_do_nothing()
        .returning(requests.c.request_id)
    )
    if (await tx.execute(claim)).scalar() is not None:
        return None
    row = (
        await tx.execute(
            sa.select(requests.c.digest, requests.c.response).where(
                requests.c.caller == caller, requests.c.request_id == request_id
            )
        )
    ).one()
    if row.digest != asked:
        raise Failure(Code.CODE_KEY_REUSED, "this Idempotency-Key was used for another request")
    if row.response is None:
        raise Failure(Code.CODE_IN_PROGRESS, "the same request is being answered", retry_at=now + timedelta(seconds=1))
    answer: bytes = row.response
    return answer


async def settle(tx: Tx, caller: str, command: Message, response: Message) -> None:
    """Keep the answer for later twins, in the transaction that makes it true."""
    await tx.execute(
        sa.update(requests)
        .where(requests.c.caller == caller, requests.c.request_id == getattr(command, "request_id", ""))
        .values(response=response.SerializeToString())
    )


async def withdraw(tx: Tx, caller: str, command: Message) -> None:
    """Give the request id free again: the command was surely refused after its intention was committed."""
    await tx.execute(
        sa.delete(requests).where(
            requests.c.caller == caller, requests.c.request_id == getattr(command, "request_id", "")
        )
    )


async def forget_old(tx: Tx, now: datetime) -> None:
    """Delete claims of more than a day before `now`; a twin that comes later acts again."""
    await tx.execute(sa.delete(requests).where(requests.c.created_at < now - KEPT))
