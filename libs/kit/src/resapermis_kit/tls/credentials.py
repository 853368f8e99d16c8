"""gRPC's TLS by the process's certificates: what a server shows to who comes, and channels that go on after a renewal."""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any, Self

import grpc
from prometheus_client import Counter

from resapermis_kit.tls.certificates import Certificates, Material
from resapermis_kit.tls.policy import FAILED, KINDS

HANDSHAKES = Counter(
    "resapermis_rpc_handshakes",
    "Handshakes that others began with this server; compare `resapermis_rpc_connections_total`",
)
LOOKED_UP_SECONDS = 900.0
"""After so long, or up to a third of it less by chance (else all channels of a process, and of those that started together,
would begin at once), a call has the peer's name looked up again. Not by the server's own end of old connections
(max_connection_age): of calls that begin in that moment some fail, and a command that fails so may have acted."""
ENDS_SECONDS = 60.0
"""How long calls go on that were under way on a connection with the certificates before: no call lives longer."""
_READY, _IDLE = grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.IDLE

PEER = "service"
"""What metrics of failed handshakes call our own services: gRPC tells of them with the calls that found none that succeeded."""
for _kind in KINDS:
    FAILED.labels(PEER, _kind)
FAILED_KINDS = (
    ("Hostname Verification Check failed", "wrong_name"),
    ("certificate has expired", "expired"),
    ("certificate is not yet valid", "expired"),
    ("unsupported certificate purpose", "wrong_use"),
    ("CERTIFICATE_VERIFY_FAILED", "untrusted"),
    ("certificate signature failure", "untrusted"),
    ("ALERT", "refused"),
    ("handshake failed", "protocol"),
)
"""Words in gRPC's own text, the first that is in it, and what `policy.kind_of` calls that."""


def note_failed_handshake(error: grpc.aio.AioRpcError) -> None:
    """Count a call of ours that was not sent because a peer's certificate, or ours, was refused.

    A server that refuses ours in TLS 1.3 closes the connection, which gRPC tells as any other closed one: that is counted there.
    """
    text = (error.details() or "") if error.code() is grpc.StatusCode.UNAVAILABLE else ""
    kind = next((kind for words, kind in FAILED_KINDS if words in text), None)
    if kind is not None:
        FAILED.labels(PEER, kind).inc()


def channel_credentials(material: Material) -> grpc.ChannelCredentials:
    """Mutual TLS as who these certificates are."""
    return grpc.ssl_channel_credentials(material.authorities.encode(), material.key, material.chain)


def server_credentials(certificates: Certificates) -> grpc.ServerCredentials:
    """Mutual TLS; a new connection is shown what the files held when they were last looked at."""
    given = certificates.material

    def changed() -> grpc.ServerCertificateConfiguration | None:
        """What gRPC asks at each new connection; None for "as before".

        It must not be given the same again: gRPC then frees what another connection's handshake is about to use
        (grpc/grpc#36693), and many callers at once end the process.
        """
        nonlocal given
        HANDSHAKES.inc()
        if certificates.material is given:
            return None
        given = certificates.material
        return _server_configuration(given)

    return grpc.dynamic_ssl_server_credentials(
        _server_configuration(given),
        changed,  # type: ignore[arg-type] # types-grpcio does not know that None stands for "as before"
        require_client_authentication=True,
    )


def _server_configuration(material: Material) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(material.key, material.chain)], root_certificates=material.authorities.encode()
    )


class RenewedChannel(grpc.aio.Channel):
    """A channel behind which another stands from time to time: once our certificates were renewed, and every quarter of an hour.

    gRPC reads credentials once a channel, and looks up a peer's replicas when it has lost one of them: of one that came since
    it hears from a new channel alone. The next channel takes over once it is connected: until then calls go on by the one
    before, so that none waits for a handshake, and a name that cannot be looked up now costs no connection. Calls under way
    come to their end on the one that they began on; stubs that were made of this one need not be made again.
    """

    def __init__(
        self,
        certificates: Certificates,
        opened: Callable[[grpc.ChannelCredentials], grpc.aio.Channel],
        monotonic: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`opened` makes a channel, which connects at its first call. `chance`: between 0 and 1."""
        self._certificates, self._opened, self._monotonic, self._chance = certificates, opened, monotonic, chance
        self._material = certificates.material
        self._credentials = channel_credentials(self._material)
        self._channel = opened(self._credentials)
        self._next: grpc.aio.Channel | None = None
        self._due = self._from_now()
        self._ending: set[asyncio.Task[None]] = set()

    def current(self) -> grpc.aio.Channel:
        """The channel of now, for one call. Calls alone have the name looked up: without any no handshake is worth it."""
        if self._next is None and self._monotonic() >= self._due:
            self._open_next()
        return self._standing()

    def _standing(self) -> grpc.aio.Channel:
        if self._certificates.material is not self._material:
            self._material = self._certificates.material
            self._credentials = channel_credentials(self._material)
            if self._next is not None:
                self._end(self._next)
            self._open_next()
        if self._next is not None and (
            self._next.get_state(try_to_connect=True) is _READY or self._channel.get_state() is _IDLE
        ):
            self._end(self._channel)
            self._channel, self._next, self._due = self._next, None, self._from_now()
        return self._channel

    def _open_next(self) -> None:
        self._next = self._opened(self._credentials)

    def _end(self, channel: grpc.aio.Channel) -> None:
        ending = asyncio.get_running_loop().create_task(channel.close(ENDS_SECONDS))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    def _from_now(self) -> float:
        return self._monotonic() + LOOKED_UP_SECONDS * (1 - self._chance() / 3)

    async def __aenter__(self) -> Self:
        """Nothing to do: it connects at its first call."""
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Close it."""
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Close it, and at once whatever was left of those before."""
        for ending in self._ending:
            ending.cancel()
        await asyncio.gather(*self._ending, return_exceptions=True)
        if self._next is not None:
            await self._next.close()
        await self._channel.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:  # noqa: FBT001, FBT002 - gRPC's own
        """Of the channel of now."""
        return self._standing().get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Of the channel of now."""
        await self._standing().wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Wait until the channel of now is connected."""
        await self._standing().channel_ready()

    def unary_unary(self, *arguments: Any, **named: Any) -> Any:
        """As gRPC's own."""
        return _Method(self, "unary_unary", arguments, named)

    def unary_stream(self, *arguments: Any, **named: Any) -> Any:
        """As gRPC's own."""
        return _Method(self, "unary_stream", arguments, named)

    def stream_unary(self, *arguments: Any, **named: Any) -> Any:
        """As gRPC's own."""
        return _Method(self, "stream_unary", arguments, named)

    def stream_stream(self, *arguments: Any, **named: Any) -> Any:
        """As gRPC's own."""
        return _Method(self, "stream_stream", arguments, named)


class _Method:
    """A method to call, made anew of each channel that stands behind a renewed one."""

    __slots__ = ("_arguments", "_call", "_channel", "_kind", "_named", "_of")

    def __init__(self, channel: RenewedChannel, kind: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        self._channel, self._kind, self._arguments, self._named = channel, kind, arguments, named
        self._of: grpc.aio.Channel | None = None
        self._call: Any = None

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        of = self._channel.current()
        if of is not self._of:
            self._of, self._call = of, getattr(of, self._kind)(*self._arguments, **self._named)
        return self._call(*arguments, **named)
