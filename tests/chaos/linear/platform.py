"""Two real replicas of basket on one PostgreSQL, with peers that allow everything, also the same slot twice.

So whatever keeps a slot to one school is basket's own doing: its transactions and the index `one_live_line_a_slot`.
"""

import asyncio
import contextlib
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import asyncpg
import grpc
from basket_peers import Mandates, RdvPermis, Rules, World

from devstack.components import POSTGRES, offsets, replica_named, service_named
from devstack.probes import free_port, http_body
from devstack.settings import ROOT
from devstack.stack import Stack
from resapermis.mandate.v1 import mandate_pb2_grpc
from resapermis.rdvpermis.v1 import rdvpermis_pb2_grpc
from resapermis.scheduling.v1 import scheduling_pb2_grpc
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.auth import Signer, Verifier
from resapermis_kit.rpc.authorization import Authorizer
from resapermis_kit.rpc.server import Server
from resapermis_kit.tls.certificates import Certificates

HOLD_SECONDS = 2
"""R-HOLD-TTL here: holds lapse while others wait for their slots."""
PACKAGE = "resapermis"
ANSWERED = re.compile(rb"^resapermis_rpc_seconds_count\{[^}]*\} [1-9]", re.MULTILINE)
"""Stands in a replica's metrics once it has answered one call (kit: rpc/gate.py)."""


class Nobodys(dict[str, str]):
    """Who has which slot at RdvPermis: nobody ever, so that it refuses none."""

    def __contains__(self, slot_id: object) -> bool:
        """False for every slot, whatever was held."""
        return False


@dataclass
class Platform:
    """The replicas as callers reach them."""

    stack: Stack
    signer: Signer
    channel: grpc.aio.Channel
    """Goes round the replicas."""

    async def found_again(self, component: str, until: Callable[[], bool]) -> None:
        """Wait until a started replica has answered a call, or `until` says that nobody calls any more."""
        service, replica = replica_named(component)
        port = self.stack.ports.metrics(service, replica)
        while not until() and not ANSWERED.search(await http_body(port, "/metrics")):  # noqa: ASYNC110 - another process answers
            await asyncio.sleep(0.05)

    def errors(self) -> list[str]:
        """What the replicas logged as errors."""
        logs = sorted((self.stack.home / "log").glob("basket*.log"))
        return [line for log in logs for line in log.read_text("utf-8").splitlines() if '"level": "error"' in line]

    async def without_guard(self) -> None:
        """Take the index away that keeps a slot to one live line. Nothing brings it back."""
        connection = await asyncpg.connect(self.stack.owner_url("basket"), timeout=10)
        try:
            await connection.execute("DROP INDEX one_live_line_a_slot")
        finally:
            await connection.close()


def _home() -> Path:
    home = Path(tempfile.mkdtemp(prefix="resapermis-linear-"))
    home.chmod(0o755)  # as root, PostgreSQL runs as another user and must reach its folder
    return home


@asynccontextmanager
async def started(replicas: int = 2) -> AsyncIterator[Platform]:
    """Start all; stop all. The home is kept when something failed, for its logs."""
    home = _home()
    settings = {"RESAPERMIS_EXPIRE_EVERY_SECONDS": "0.2", "RESAPERMIS_GRACE_SECONDS": "1"}
    stack = Stack(
        home,
        free_port(offsets({"basket": replicas}), start=26_000),
        components=(POSTGRES, "basket"),
        component_settings={"basket": settings},
        replicas={"basket": replicas},
    )
    async with AsyncExitStack() as leaving, stack:
        world = World(quota_limit=1_000_000)
        state = RdvPermis(world)
        world.limits |= {"basket": 36, "hold_ttl_seconds": HOLD_SECONDS}
        state.owner, state.lasts = Nobodys(), timedelta(minutes=5)
        keys = stack.settings.secrets / "principal.jwks.json"
        authorizer = Authorizer(ROOT / "policies")
        for name, add, servicer, full in (
            ("mandate", mandate_pb2_grpc.add_MandateServiceServicer_to_server, Mandates(world), "mandate.v1.Mandate"),
            (
                "scheduling-rules",
                scheduling_pb2_grpc.add_SchedulingServiceServicer_to_server,
                Rules(world),
                "scheduling.v1.Scheduling",
            ),
            ("egress", rdvpermis_pb2_grpc.add_RdvPermisServiceServicer_to_server, state, "rdvpermis.v1.RdvPermis"),
        ):
            address = f"127.0.0.1:{stack.ports.grpc(service_named(name))}"
            server = Server(
                address, Certificates(stack.settings.tls / name), Verifier(keys, name), authorizer, lambda _: None
            )
            server.add(add, servicer, f"{PACKAGE}.{full}Service")
            await server.start()
            leaving.push_async_callback(server.stop, 0.0)
        channel = peers.channel(
            stack.settings.address(service_named("basket")), Certificates(stack.settings.tls / "auth-gateway"), "basket"
        )
        leaving.push_async_callback(channel.close)
        try:
            yield Platform(stack, Signer(stack.settings.secrets / "principal.jwk.json"), channel)
        finally:
            for component in reversed(stack.components):  # its data go: nobody waits until it has drained
                await stack.kill(component)
    with contextlib.suppress(OSError):
        shutil.rmtree(home)
