"""The process as it is deployed: migrate, ready, consumes basket over NATS, drains."""

import asyncio
import json
import os
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import grpc
import pytest
import sqlalchemy as sa

from resapermis.basket.v1 import basket_pb2 as basket
from resapermis.basket.v1.events_pb2 import LineChanged
from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis.scheduling.v1 import scheduling_pb2_grpc as grpc_
from resapermis_kit.clock import utc_now
from resapermis_kit.database.engine import make_engine as new_engine
from resapermis_kit.database.transaction import transaction
from resapermis_kit.events import relay as kit_relay
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.auth import HEADER, Principal, Signer
from resapermis_kit.tls.certificates import Certificates
from resapermis_scheduling_rules.school.tables import lines
from resapermis_testing.eventually import eventually
from resapermis_testing.grpc_server import POLICIES
from resapermis_testing.nats import Nats, make_all_streams
from resapermis_testing.ports import free_port
from resapermis_testing.postgres import MakeDatabase, MakeEngine
from resapermis_vault.keyset import new_document

MODULE = "resapermis_scheduling_rules"


@pytest.mark.req("R-11")
async def test_it_starts_consumes_and_drains(
    make_database: MakeDatabase,
    make_engine: MakeEngine,
    make_bus: Any,
    nats_server: Nats,
    tls: Path,
    principal_keys: tuple[Path, Path],
    signer: Signer,
    tmp_path: Path,
) -> None:
    ports = {"grpc": free_port(), "metrics": free_port(), "nobody": free_port()}
    url = await make_database(MODULE)
    keyset = tmp_path / "keyset.json"
    keyset.touch(mode=0o600)
    keyset.write_text(json.dumps(new_document()), encoding="utf-8")
    environment = os.environ | {
        "RESAPERMIS_KEYSET_FILE": str(keyset),
        "RESAPERMIS_DATABASE_URL": url,
        "RESAPERMIS_NATS_URL": nats_server.url,
        "RESAPERMIS_TLS_DIR": str(tls / "scheduling-rules"),
        "RESAPERMIS_GRPC_LISTEN": f"127.0.0.1:{ports['grpc']}",
        "RESAPERMIS_METRICS_LISTEN": f"127.0.0.1:{ports['metrics']}",
        "RESAPERMIS_PRINCIPAL_JWKS": str(principal_keys[1]),
        "RESAPERMIS_POLICIES": str(POLICIES),
        "RESAPERMIS_PEER_EGRESS": f"127.0.0.1:{ports['nobody']}",
        "RESAPERMIS_PEER_BASKET": f"127.0.0.1:{ports['nobody']}",
    }
    bus = await make_bus("basket")
    await make_all_streams(bus)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", MODULE, env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        await eventually(lambda: asyncio.to_thread(_ready, ports["metrics"]), seconds=30)
        said_by = await make_engine(MODULE)
        box = Outbox("basket")
        async with transaction(said_by) as tx:
            event = LineChanged(line_id="line-1", school_id="school-1", slot_id="s1", to=basket.LINE_STATE_HELD)
            event.department, event.month, event.category = "91", "2026-12", "B"
            await box.add(tx, utc_now(), event)
        await kit_relay.relay_round(said_by, bus.jetstream(), "basket", utc_now)
        ours = new_engine(url)
        await eventually(lambda: _counted(ours), seconds=20)
        await ours.dispose()
        channel = peers.channel(f"127.0.0.1:{ports['grpc']}", Certificates(tls / "basket"), "scheduling-rules")
        who = signer.sign(Principal("account-1", "session-1", "school-1", ("school_manager",)), "scheduling-rules")
        with pytest.raises(grpc.aio.AioRpcError) as caught:  # egress is away and the school was never seen
            await grpc_.SchedulingServiceStub(channel).Evaluate(
                pb.EvaluateRequest(purpose="hold"), metadata=((HEADER, who),), timeout=5
            )
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        await channel.close()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


async def _counted(engine: Any) -> bool:
    async with transaction(engine) as tx:
        return (await tx.execute(sa.select(lines.c.id))).scalars().all() == ["line-1"]
