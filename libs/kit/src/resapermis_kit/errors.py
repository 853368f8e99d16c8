"""One refusal that crosses processes whole, and the tables by which each edge renders it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from resapermis.errors.v1 import errors_pb2 as pb
from resapermis.verdict.v1.verdict_pb2 import Verdict

Code = pb.Code
DOMAIN = "resapermis"


@dataclass(frozen=True)
class Rendering:
    """How a code looks at the two edges."""

    grpc: grpc.StatusCode
    http: HTTPStatus


_S, _H = grpc.StatusCode, HTTPStatus
_BY_NAME: dict[str, Rendering] = {
    "UNSPECIFIED": Rendering(_S.INTERNAL, _H.INTERNAL_SERVER_ERROR),
    "MALFORMED": Rendering(_S.INVALID_ARGUMENT, _H.UNPROCESSABLE_ENTITY),
    "NOT_FOUND": Rendering(_S.NOT_FOUND, _H.NOT_FOUND),
    "PAYLOAD_TOO_LARGE": Rendering(_S.INVALID_ARGUMENT, _H.REQUEST_ENTITY_TOO_LARGE),
    "KEY_REUSED": Rendering(_S.INVALID_ARGUMENT, _H.UNPROCESSABLE_ENTITY),
    "IN_PROGRESS": Rendering(_S.ABORTED, _H.CONFLICT),
    "STALE": Rendering(_S.ABORTED, _H.PRECONDITION_FAILED),
    "UNAUTHENTICATED": Rendering(_S.UNAUTHENTICATED, _H.UNAUTHORIZED),
    "RECONNECT_NEEDED": Rendering(_S.UNAUTHENTICATED, _H.UNAUTHORIZED),
    "SIGN_IN_FAILED": Rendering(_S.UNAUTHENTICATED, _H.UNAUTHORIZED),
    "SIGN_IN_INCOMPLETE": Rendering(_S.FAILED_PRECONDITION, _H.FORBIDDEN),
    "FORBIDDEN": Rendering(_S.PERMISSION_DENIED, _H.FORBIDDEN),
    "CSRF": Rendering(_S.PERMISSION_DENIED, _H.FORBIDDEN),
    "STEP_UP_NEEDED": Rendering(_S.PERMISSION_DENIED, _H.FORBIDDEN),
    "UNKNOWN_OUTCOME": Rendering(_S.UNKNOWN, _H.ACCEPTED),
    "RDVPERMIS_DOWN": Rendering(_S.UNAVAILABLE, _H.SERVICE_UNAVAILABLE),
    "RDVPERMIS_BUDGET": Rendering(_S.RESOURCE_EXHAUSTED, _H.SERVICE_UNAVAILABLE),
    "OVERLOADED": Rendering(_S.RESOURCE_EXHAUSTED, _H.SERVICE_UNAVAILABLE),
    "UNAVAILABLE": Rendering(_S.UNAVAILABLE, _H.SERVICE_UNAVAILABLE),
    "DEADLINE": Rendering(_S.DEADLINE_EXCEEDED, _H.GATEWAY_TIMEOUT),
    "INTERNAL": Rendering(_S.INTERNAL, _H.INTERNAL_SERVER_ERROR),
}
_REFUSED = Rendering(_S.FAILED_PRECONDITION, _H.CONFLICT)

RENDERINGS: dict[pb.Code.ValueType, Rendering] = {
    number: _BY_NAME.get(name.removeprefix("CODE_"), _REFUSED) for name, number in pb.Code.items()
}
_OF_GRPC = {
    _S.UNAVAILABLE: pb.CODE_UNAVAILABLE,
    _S.DEADLINE_EXCEEDED: pb.CODE_DEADLINE,
    _S.RESOURCE_EXHAUSTED: pb.CODE_OVERLOADED,
    _S.UNAUTHENTICATED: pb.CODE_UNAUTHENTICATED,
    _S.PERMISSION_DENIED: pb.CODE_FORBIDDEN,
    # By the peer, which stops: our own cancelling is asyncio's.
    _S.CANCELLED: pb.CODE_UNAVAILABLE,
}
_NOT_SENT = ("connections to all backends failing", "errors resolving")
"""How gRPC begins to say that a call found no connection (round_robin) and no address: it never left."""


class Failure(Exception):
    """The one exception that crosses processes: a code of the closed list and what a reader needs to act on it.

    `detail` is an English sentence for logs and developers; it never holds personal data.
    """

    def __init__(
        self,
        code: pb.Code.ValueType,
        detail: str,
        *,
        verdicts: Sequence[Verdict] = (),
        violations: Sequence[tuple[str, str]] = (),
        retry_at: datetime | None = None,
        rdvpermis_code: str = "",
        error_id: str = "",
        object_id: str = "",
        reached: bool | None = None,
        denied: str = "",
    ) -> None:
        """Make a refusal; `violations` are (field path, what is wrong) pairs, `object_id` is what the code says it is of.

        `reached`: of a call that ended without an answer, whether it may have come to the peer; None: it was answered, or
        there was no call. It does not travel further.
        `denied`: why access is refused, as the journal names it; whoever answers the request records it. It does not travel
        either: a refusal is recorded where it is decided.
        """
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.verdicts = tuple(verdicts)
        self.violations = tuple(violations)
        self.retry_at = retry_at
        self.rdvpermis_code = rdvpermis_code
        self.error_id = error_id
        self.object_id = object_id
        self.reached = reached
        self.denied = denied

    @property
    def name(self) -> str:
        """The stable word, e.g. "SLOT_TAKEN"."""
        return pb.Code.Name(self.code).removeprefix("CODE_")

    @property
    def rendering(self) -> Rendering:
        """How this code is answered at both edges: a gRPC status and an HTTP one."""
        return RENDERINGS[self.code]

    def to_proto(self) -> pb.Refusal:
        """As the message that rides in google.rpc.Status and on basket lines."""
        refusal = pb.Refusal(
            code=self.code,
            detail=self.detail,
            verdicts=self.verdicts,
            violations=[pb.Violation(field=field, description=text) for field, text in self.violations],
            rdvpermis_code=self.rdvpermis_code,
            error_id=self.error_id,
            object_id=self.object_id,
        )
        if self.retry_at is not None:
            refusal.retry_at.FromDatetime(self.retry_at)
        return refusal

    @classmethod
    def from_proto(cls, refusal: pb.Refusal) -> "Failure":
        """The failure that `to_proto` wrote, with its verdicts and violations."""
        return cls(
            refusal.code,
            refusal.detail,
            verdicts=refusal.verdicts,
            violations=[(v.field, v.description) for v in refusal.violations],
            retry_at=refusal.retry_at.ToDatetime(UTC) if refusal.HasField("retry_at") else None,
            rdvpermis_code=refusal.rdvpermis_code,
            error_id=refusal.error_id,
            object_id=refusal.object_id,
        )


def malformed(field: str, description: str) -> Failure:
    """Refuse a field that cannot be read; the value is never repeated."""
    return Failure(pb.CODE_MALFORMED, f"{field}: {description}", violations=[(field, description)])


def to_status(failure: Failure) -> grpc.Status:
    """Render for gRPC: status, ErrorInfo (reason = code name) and our Refusal as details."""
    info, refusal = any_pb2.Any(), any_pb2.Any()
    info.Pack(error_details_pb2.ErrorInfo(reason=failure.name, domain=DOMAIN))
    refusal.Pack(failure.to_proto())
    status = status_pb2.Status(
        code=failure.rendering.grpc.value[0],
        message=failure.detail,
        details=[info, refusal],
    )
    rendered: grpc.Status = rpc_status.to_status(status)
    return rendered


def from_rpc_error(error: grpc.aio.AioRpcError) -> Failure:
    """Read a peer's refusal; a status without our detail (peer down, proxy) becomes the nearest code."""
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        refusal = pb.Refusal()
        if detail.Unpack(refusal):
            return Failure.from_proto(refusal)
    code = _OF_GRPC.get(error.code(), pb.CODE_INTERNAL)
    never = error.code() is _S.UNAVAILABLE and (error.details() or "").startswith(_NOT_SENT)
    return Failure(code, f"peer answered {error.code().name}", reached=not never)
