"""Calling other services: one channel each, the caller's deadline, principal and trace go along."""

from collections.abc import AsyncIterable
from typing import Any

import grpc
import stamina
import structlog
from google.protobuf.message import Message
from opentelemetry.propagate import inject

from resapermis_kit.errors import Code, Failure, from_rpc_error
from resapermis_kit.rpc.auth import HEADER, current_token
from resapermis_kit.rpc.deadline import LEAST_USEFUL_SECONDS, remaining_seconds
from resapermis_kit.rpc.message_checks import LARGEST_MESSAGE
from resapermis_kit.tls.certificates import Certificates
from resapermis_kit.tls.credentials import RenewedChannel, note_failed_handshake

ROUND_ROBIN = '{"loadBalancingConfig": [{"round_robin": {}}]}'
_OPEN = frozenset(
    {
        Code.CODE_UNSPECIFIED,
        Code.CODE_UNKNOWN_OUTCOME,
        Code.CODE_DEADLINE,
        Code.CODE_UNAVAILABLE,
        Code.CODE_INTERNAL,
    }
)
"""Answers that egress gives before it asks RdvPermis, meanwhile, or after it did; each other one comes of knowing."""
log = structlog.get_logger()
_AWAY: set[str] = set()
"""Peers that did not answer when they were last asked: said once each, however many questions wait for one that starts."""
SPENT_ON_THE_WAY_SECONDS = 0.02
"""Taken off each deadline passed on, so that we can still name the culprit when the peer is late."""


def channel(target: str, certificates: Certificates, name: str) -> grpc.aio.Channel:
    """Open (lazily) a mutual-TLS channel to `target`, whose certificate must be that of service `name`.

    `target`: host:port; several addresses with commas, or `dns:///name:port` that resolves to several (a headless
    Service in Kubernetes). Calls go round the replicas that answer; one that falls is left out until it is back. After a
    renewal of our certificates its connections are opened anew.
    """
    options: list[tuple[str, str | int]] = [
        ("grpc.ssl_target_name_override", name),
        ("grpc.default_authority", name),
        ("grpc.max_receive_message_length", LARGEST_MESSAGE),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.client_idle_timeout_ms", 2**31 - 1),  # the first act of a morning finds its connection
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 500),  # shorter than `ask` goes on asking
        ("grpc.service_config", ROUND_ROBIN),
        ("grpc.enable_retries", 0),  # retries are decided here, by `call`, never by the transport
    ]
    address = f"ipv4:{target}" if "," in target else target
    return RenewedChannel(
        certificates, lambda credentials: grpc.aio.secure_channel(address, credentials, options=options)
    )


async def call(method: Any, request: Message, *, timeout: float | None = None, principal: str | None = None) -> Any:  # noqa: ASYNC109
    """Call a peer's unary method once and return its answer; its refusal comes as the same Failure it raised.

    The deadline is what is left of ours less 20 ms, at most `timeout` seconds. `principal` is a signed token;
    by default that of the RPC being answered; "" calls as this service itself.
    """
    seconds, metadata = sent_along(timeout, principal)
    try:
        return await method(request, timeout=seconds, metadata=tuple(metadata.items()))
    except grpc.aio.AioRpcError as error:
        raise failure_of(error) from None


def failure_of(error: grpc.aio.AioRpcError) -> Failure:
    """A peer's refusal, or why it could not be asked."""
    note_failed_handshake(error)
    return from_rpc_error(error)


def sent_along(seconds: float | None = None, principal: str | None = None) -> tuple[float, dict[str, str]]:
    """Seconds until the deadline, and metadata, of a call made now by the act that is being answered.

    Both as `call` has them; DEADLINE, surely without a call, where less than the least useful time is left.
    """
    left = remaining_seconds() - SPENT_ON_THE_WAY_SECONDS
    seconds = left if seconds is None else min(left, seconds)
    if seconds < LEAST_USEFUL_SECONDS:
        raise Failure(Code.CODE_DEADLINE, "too little time left to ask a peer", reached=False)
    metadata: dict[str, str] = {}
    inject(metadata)
    token = current_token.get() if principal is None else principal
    if token:
        metadata[HEADER] = token
    return seconds, metadata


async def ask(
    method: Any,
    request: Message,
    *,
    timeout: float | None = None,  # noqa: ASYNC109
    principal: str | None = None,
    peer: str = "",
) -> Any:
    """Like `call`, for questions and for commands that carry a request id: tried again while the peer is away.

    At most five tries in about a second and within the deadline, only on UNAVAILABLE: as long as a channel takes to find
    a peer that has just started again. What times the tries begins after the first one: nearly all calls need no more.
    That it is away is logged once until it is back. `peer`: what it is called there; "": as the package of the question.
    """
    peer = peer or request.DESCRIPTOR.file.package
    try:
        answer = await call(method, request, timeout=timeout, principal=principal)
    except Failure as failure:
        if not is_away(failure):
            raise
        first = failure
    else:
        _is_back(peer)
        return answer
    if peer not in _AWAY:
        _AWAY.add(peer)
        log.info("peer.away", peer=peer)
    async for attempt in tries_while_away(max(remaining_seconds() - SPENT_ON_THE_WAY_SECONDS, 0.0)):
        with attempt:
            if attempt.num == 1:
                raise first
            answer = await call(method, request, timeout=timeout, principal=principal)
            _is_back(peer)
            return answer
    raise AssertionError  # stamina either returns or raises


def _is_back(peer: str) -> None:
    if peer in _AWAY:
        _AWAY.discard(peer)
        log.info("peer.back", peer=peer)


def tries_while_away(seconds: float | None = None) -> AsyncIterable[stamina.Attempt]:
    """How a question is asked again: at most five tries in about a second, or in `seconds`, each after UNAVAILABLE.

    The first attempt is the one that has failed already: whoever asks raises its failure in it.
    """
    return stamina.retry_context(
        on=is_away, attempts=5, timeout=seconds, wait_initial=0.05, wait_max=0.5, wait_jitter=0.05
    )


def may_have_acted(failure: Failure) -> bool:
    """Whether RdvPermis may have done what egress was asked for and failed so: the one rule for all who ask it.

    Surely not where RdvPermis refused (its code), where egress did by an answer of its own that says so (circuit, budget,
    token, rights, a field it cannot read), or where the call never left. Any other status of the transport says nothing: a
    limit on the answer looks like one on the call, a replica that stops like one that does not begin.
    """
    if failure.reached is not None:
        return failure.reached
    return not failure.rdvpermis_code and failure.code in _OPEN


def is_away(error: Exception) -> bool:
    """Whether a question may be asked again: the peer, or what it needs itself, did not answer."""
    return isinstance(error, Failure) and error.code == Code.CODE_UNAVAILABLE
