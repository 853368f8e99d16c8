"""The process itself: `python -m resapermis_auth_gateway egress`."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import httpx2
import pytest

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as pb
from resapermis.rdvpermis.v1.rdvpermis_pb2_grpc import RdvPermisServiceStub
from resapermis_auth_gateway.egress.settings import EgressSettings
from resapermis_auth_gateway.settings import Settings
from resapermis_kit.clock import new_id
from resapermis_kit.database.engine import make_engine
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.auth import HEADER, Principal
from resapermis_kit.tls.certificates import Certificates
from resapermis_testing.certificates import NOBODY
from resapermis_testing.grpc_server import POLICIES
from resapermis_testing.ports import free_port
from resapermis_vault.keyset import Keyset
from resapermis_vault.operator import files

from .conftest import EGRESS, INVENTED, PACKAGE, World

PAGE = Path(__file__).parents[4] / "docs" / "providers.md"
OWN = sorted(EgressSettings.model_fields.keys() - Settings.model_fields.keys())


@pytest.mark.parametrize("name", OWN)
def test_the_page_on_providers_has_each_setting_with_its_default(name: str) -> None:
    row = re.search(rf"^\| `RESAPERMIS_{name.upper()}` \| ([^|]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert row is not None, "not in the table"
    default = EgressSettings.model_fields[name].default
    if isinstance(default, (int, float)):
        assert re.split(r"[,:]", row[1])[0] == f"{default:g}"
    elif isinstance(default, str):
        assert row[1].startswith(f"`{default}`" if default else "empty")


@pytest.mark.req("S-03", "S-14")
async def test_it_starts_serves_says_its_health_and_drains(
    make_database, nats_server, make_bus, responder, tls, principal_keys, signer, tmp_path
):
    files.write_new(tmp_path / "keyset.json")
    grpc_port, metrics_port, database = free_port(), free_port(), await make_database(PACKAGE, EGRESS)
    settings = {
        "DATABASE_URL": database,
        "NATS_URL": nats_server.url,
        "TLS_DIR": tls / "egress",
        "GRPC_LISTEN": f"127.0.0.1:{grpc_port}",
        "METRICS_LISTEN": f"127.0.0.1:{metrics_port}",
        "PRINCIPAL_JWKS": principal_keys[1],
        "POLICIES": POLICIES,
        "KEYSET_FILE": tmp_path / "keyset.json",
        "PUBLIC_URL": "http://localhost:1",
        "OIDC_ISSUER": f"{responder.url}/realm",
        "OIDC_CLIENT_ID": "resapermis",
        "OIDC_CLIENT_SECRET": INVENTED,
        "RDVPERMIS_URL": responder.url,
    }
    environment = {"PATH": os.environ["PATH"]} | {f"RESAPERMIS_{name}": str(value) for name, value in settings.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", PACKAGE, "egress", env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(20):
            while json.loads(await process.stdout.readline())["event"] != "ready":
                pass
        channel = peers.channel(f"127.0.0.1:{grpc_port}", Certificates(tls / "basket"), "egress")
        principal = signer.sign(Principal("account-1", str(new_id()), "school-1", ("school_manager",)), "egress")
        asking = RdvPermisServiceStub(channel).GetSchool
        with pytest.raises(Failure) as refused:
            await peers.call(asking, pb.GetSchoolRequest(), principal=principal)
        assert refused.value.code == Code.CODE_RECONNECT_NEEDED
        with pytest.raises(Failure):
            await peers.call(asking, pb.GetSchoolRequest(), principal="not.a.token")
        engine = make_engine(database, pool=1, name="test")
        signed_in = SimpleNamespace(engine=engine, vault=Keyset.load(tmp_path / "keyset.json"))
        issuer = environment["RESAPERMIS_OIDC_ISSUER"]
        session = await World.sign_in(signed_in, issuer=issuer)
        responder.on("GET", "/paniers", (200, []))
        principal = signer.sign(Principal("account-1", str(session), "school-1", ("school_manager",)), "egress")
        await peers.call(RdvPermisServiceStub(channel).ListBaskets, pb.ListBasketsRequest(), principal=principal)
        await channel.close()
        async with httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{metrics_port}", trust_env=False, verify=NOBODY
        ) as http:
            assert (await http.get("/readyz")).text == "ready\n"
            metrics = (await http.get("/metrics")).text
        assert "resapermis_rdvpermis_circuit 0.0" in metrics
        assert HEADER not in metrics
        bus = await make_bus("egress")
        assert (
            await bus.jetstream().streams_info() == []
        )  # facts and records of this database are the web face's to say
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 15) == 0
        denied, called = sorted(await World.records(signed_in), key=lambda one: one.action)
        assert (denied.action, denied.facts["reason"], denied.actor.id) == (
            "access.denied",
            "principal_forged",
            "basket",
        )
        assert (called.action, called.facts["paniers.liste.ok"]) == ("rdvpermis.call", "1")
        assert {denied.source, called.source} == {"auth-gateway"}, "whose outbox it is"
        await engine.dispose()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
