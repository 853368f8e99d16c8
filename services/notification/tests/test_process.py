"""The process as it is deployed: ready, consumes what basket publishes on NATS, posts, mails, drains."""

import asyncio
import json
import os
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from notification_peers import Addressees, MailCatcher

from resapermis.basket.v1.basket_pb2 import LineState
from resapermis.basket.v1.events_pb2 import LineChanged
from resapermis.iam.v1 import iam_pb2_grpc
from resapermis.mandate.v1 import mandate_pb2_grpc
from resapermis.notification.v1 import notification_pb2 as pb
from resapermis.notification.v1 import notification_pb2_grpc as rpc
from resapermis.notification.v1.events_pb2 import NoticePosted
from resapermis_kit.clock import utc_now
from resapermis_kit.database.transaction import transaction
from resapermis_kit.events import relay as kit_relay
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.auth import Principal, Signer
from resapermis_kit.tls.certificates import Certificates
from resapermis_testing.eventually import eventually
from resapermis_testing.grpc_server import POLICIES, Serve
from resapermis_testing.nats import Nats, make_all_streams
from resapermis_testing.ports import free_port
from resapermis_testing.postgres import MakeDatabase, MakeEngine

MODULE = "resapermis_notification"


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _platform(port: int) -> str:
    """What is not there of what this process calls, though it is ready itself."""
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz/platform", timeout=5)
    assert answer.value.code == 503
    return answer.value.read().decode().strip()


@pytest.mark.req("N-03", "N-04", "N-06", "P-04")
async def test_a_booking_published_on_the_bus_is_in_the_inbox_and_in_the_mail(
    make_database: MakeDatabase,
    make_engine: MakeEngine,
    make_bus: Any,
    nats_server: Nats,
    serve: Serve,
    mail_server: MailCatcher,
    tls: Path,
    principal_keys: tuple[Path, Path],
    signer: Signer,
) -> None:
    addressees = Addressees()
    gateway = await serve(
        "auth-gateway", (iam_pb2_grpc.add_IamServiceServicer_to_server, addressees, "resapermis.iam.v1.IamService")
    )
    mandate = await serve(
        "mandate",
        (mandate_pb2_grpc.add_MandateServiceServicer_to_server, addressees, "resapermis.mandate.v1.MandateService"),
    )
    grpc, metrics = free_port(), free_port()
    environment = os.environ | {
        "RESAPERMIS_DATABASE_URL": await make_database(MODULE),
        "RESAPERMIS_NATS_URL": nats_server.url,
        "RESAPERMIS_TLS_DIR": str(tls / "notification"),
        "RESAPERMIS_GRPC_LISTEN": f"127.0.0.1:{grpc}",
        "RESAPERMIS_METRICS_LISTEN": f"127.0.0.1:{metrics}",
        "RESAPERMIS_PRINCIPAL_JWKS": str(principal_keys[1]),
        "RESAPERMIS_POLICIES": str(POLICIES),
        "RESAPERMIS_PEER_AUTH_GATEWAY": f"127.0.0.1:{gateway.server.port}",
        "RESAPERMIS_PEER_MANDATE": f"127.0.0.1:{mandate.server.port}",
        "RESAPERMIS_PEER_BASKET": f"127.0.0.1:{free_port()}",
        "RESAPERMIS_PEER_SCHEDULING_RULES": f"127.0.0.1:{free_port()}",
        "RESAPERMIS_SMTP_URL": f"smtp://127.0.0.1:{mail_server.port}",
        "RESAPERMIS_MAIL_FROM": "ResaPermis <no-reply@resapermis.example>",
        "RESAPERMIS_DELIVER_SECONDS": "0.05",
        "RESAPERMIS_LEAVE_SECONDS": "2",
    }
    bus = await make_bus("basket")
    await make_all_streams(bus)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", MODULE, env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        await eventually(lambda: asyncio.to_thread(_ready, metrics), seconds=30)
        away = await asyncio.to_thread(_platform, metrics)
        assert {"basket: UNAVAILABLE", "scheduling-rules: UNAVAILABLE", "mandate: NOT_FOUND"} <= set(away.split(", "))
        engine = await make_engine(MODULE)
        posted: asyncio.Queue[NoticePosted] = asyncio.Queue()

        async def on_message(message: Any) -> None:
            posted.put_nowait(NoticePosted.FromString(message.data))

        await bus.subscribe(NoticePosted.DESCRIPTOR.full_name, cb=on_message)
        async with transaction(engine) as tx:
            event = LineChanged(
                line_id="l1", school_id="school-1", candidate_id="c1", category="B", to=LineState.LINE_STATE_BOOKED
            )
            await Outbox("basket").add(tx, utc_now(), event)
        await kit_relay.relay_round(engine, bus.jetstream(), "basket", utc_now)
        announced = await asyncio.wait_for(posted.get(), 20)
        channel = peers.channel(f"127.0.0.1:{grpc}", Certificates(tls / "auth-gateway"), "notification")
        who = signer.sign(Principal("account-1", "session-1", "school-1", ("school_manager",)), "notification")
        stub = rpc.NotificationServiceStub(channel)
        listed = await peers.call(stub.ListNotices, pb.ListNoticesRequest(), principal=who)
        assert [notice.id for notice in listed.notices] == [announced.notice_id]

        async def mailed() -> bool:
            return len(mail_server.mails) == 3

        await eventually(mailed, seconds=20)
        process.send_signal(signal.SIGTERM)

        async def leaving() -> bool:
            return not await asyncio.to_thread(_ready, metrics)

        await eventually(leaving, seconds=5)
        late = await peers.call(stub.ListNotices, pb.ListNoticesRequest(), principal=who)
        assert [notice.id for notice in late.notices] == [announced.notice_id], "who has not heard of it is answered"
        await channel.close()
        assert await asyncio.wait_for(process.wait(), 20) == 0
        assert process.stdout is not None
        logged = (await process.stdout.read()).decode()
        assert '"ready"' in logged
        said = [json.loads(line) for line in logged.splitlines()]
        away = [(one["peer"], one["level"]) for one in said if one["event"] == "peer.away"]
        assert sorted(away) == [("basket", "info"), ("scheduling-rules", "info")], "once each, and no warning"
        assert "retry_scheduled" not in logged
        assert "@" not in logged
        assert "Zoé" not in logged
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
