"""The certificate that browsers are shown is asked of the reverse proxy: when it ends is a metric, what is not believed is counted."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from pydantic import ValidationError

from resapermis_auth_gateway.web.security import shown_certificate
from resapermis_auth_gateway.web.security.shown_certificate import PEER, TASK, ShownCertificate
from resapermis_auth_gateway.web.settings import WebSettings
from resapermis_kit.tls import policy
from resapermis_testing.certificates import Authority
from resapermis_testing.eventually import eventually
from resapermis_testing.ports import free_port

pytestmark = pytest.mark.req("S-17", "S-25")
NAME = "resapermis.test"


@asynccontextmanager
async def proxy(folder: Path, port: int = 0) -> AsyncIterator[int]:
    """Ends TLS with the folder's certificate: its port."""
    context = policy.server_context((folder / "tls.key").read_bytes(), (folder / "tls.pem").read_bytes())
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


def failed(kind: str) -> float:
    return REGISTRY.get_sample_value("resapermis_tls_failures_total", {"peer": PEER, "kind": kind}) or 0.0


def ended(outcome: str) -> float:
    """How often the watch looked, with that outcome."""
    labels = {"task": TASK, "outcome": outcome}
    return REGISTRY.get_sample_value("resapermis_leader_task_seconds_count", labels) or 0.0


def ends() -> float:
    return REGISTRY.get_sample_value("resapermis_certificate_expires_seconds", {"certificate": PEER}) or 0.0


async def test_when_it_ends_is_a_metric_and_a_renewed_one_is_met_at_the_next_look(tmp_path: Path) -> None:
    authority = Authority()
    for life in (dt.timedelta(hours=30), dt.timedelta(hours=40)):
        authority.sign(tmp_path, "door", names=[NAME], ends=life)
        async with proxy(tmp_path) as port:
            await ShownCertificate(f"127.0.0.1:{port}", NAME, tmp_path / "ca.pem").look()
        left = ends() - dt.datetime.now(dt.UTC).timestamp()
        assert life.total_seconds() - 30 < left <= life.total_seconds()


@pytest.mark.parametrize(
    ("names", "ended", "kind"),
    [(["other.test"], False, "wrong_name"), ([NAME], True, "expired")],
)
async def test_one_that_no_browser_would_believe_is_counted(
    tmp_path: Path, names: list[str], kind: str, *, ended: bool
) -> None:
    life = {"begins": dt.timedelta(hours=-2), "ends": dt.timedelta(hours=-1)} if ended else {}
    Authority().sign(tmp_path, "door", names=names, **life)
    before = failed(kind)
    async with proxy(tmp_path) as port:
        with pytest.raises(OSError, match="certificate verify failed"):
            await ShownCertificate(f"127.0.0.1:{port}", NAME, tmp_path / "ca.pem").look()
    assert failed(kind) == before + 1


async def test_without_a_file_the_systems_authorities_are_believed_and_ours_is_none_of_them(tmp_path: Path) -> None:
    Authority().sign(tmp_path, "door", names=[NAME])
    before = failed("untrusted")
    async with proxy(tmp_path) as port:
        with pytest.raises(OSError, match="certificate verify failed"):
            await ShownCertificate(f"127.0.0.1:{port}", NAME, None).look()
    assert failed("untrusted") == before + 1


async def test_a_proxy_that_is_not_there_is_looked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown_certificate, "EVERY_SECONDS", 0.02)
    Authority().sign(tmp_path, "door", names=[NAME], ends=dt.timedelta(hours=50))
    port, before = free_port(), ended("failed")
    watching = asyncio.create_task(ShownCertificate(f"127.0.0.1:{port}", NAME, tmp_path / "ca.pem").watch())

    async def in_vain() -> bool:
        return ended("failed") > before

    async def met() -> bool:
        return ends() - dt.datetime.now(dt.UTC).timestamp() > dt.timedelta(hours=49).total_seconds()

    try:
        await eventually(in_vain)
        async with proxy(tmp_path, port):
            await eventually(met)
    finally:
        watching.cancel()


def test_an_address_without_a_port_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESAPERMIS_REVERSE_PROXY", "front")
    with pytest.raises(ValidationError, match="host:port"):
        WebSettings()  # type: ignore[call-arg] - from the environment
