"""What tests of both faces share: the State's sandbox, a process of its own as in life."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import httpx2
import pytest

from rdvpermis_sandbox.domain import seed
from rdvpermis_sandbox.domain.model import School
from rdvpermis_sandbox.settings import Settings
from resapermis_testing.certificates import NOBODY
from resapermis_testing.eventually import eventually
from resapermis_testing.ports import free_port

SECRET = "client-secret-of-tests"
REDIRECTS = ("http://localhost:1/auth/callback", "https://resapermis.test/auth/callback")
SCHOOLS = 60
"""More than there are tests that take one of their own: what one books, no other sees."""


@dataclass(frozen=True)
class SandboxProcess:
    """Where the sandbox answers, and what its seed tells of its world."""

    settings: Settings
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return self.settings.public_url

    @property
    def issuer(self) -> str:
        return self.settings.issuer

    @cached_property
    def schools(self) -> dict[str, School]:
        """By id, as the same seed makes them there."""
        return seed.world(self.settings.seed, self.settings.schools).schools

    def http(self) -> httpx2.AsyncClient:
        """For a browser at its pages, or a hand at its switches."""
        return httpx2.AsyncClient(base_url=self.url, trust_env=False, verify=NOBODY)

    async def begin(self, now: datetime, *, frozen: bool) -> None:
        """From here on it is this moment there, nothing fails on purpose, and nobody has called yet."""
        orders = {"clock": {"set": now.isoformat(), "frozen": frozen}, "faults": [], "limits": {}}
        async with self.http() as http:

            async def answers() -> bool:
                assert self.process.poll() is None, "the sandbox has ended; why stands above"
                try:
                    return (await http.get("/control/clock")).is_success
                except httpx2.TransportError:
                    return False

            await eventually(answers, seconds=30)
            for switch, order in orders.items():
                answer = await http.post(f"/control/{switch}", json=order)
                assert answer.is_success, answer.text


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxProcess]:
    """One sandbox for all tests of a test process; `begin` waits until it is up."""
    address = f"127.0.0.1:{free_port()}"
    settings = Settings(
        listen=address,
        public_url=f"http://{address}",
        client_secret=SECRET,
        redirect_uris=REDIRECTS,
        schools=SCHOOLS,
    )
    environment = {
        "PATH": os.environ["PATH"],
        "RDVPERMIS_LISTEN": settings.listen,
        "RDVPERMIS_PUBLIC_URL": settings.public_url,
        "RDVPERMIS_CLIENT_SECRET": settings.client_secret,
        "RDVPERMIS_REDIRECT_URIS": ",".join(settings.redirect_uris),
        "RDVPERMIS_SCHOOLS": str(settings.schools),
    }
    process = subprocess.Popen([sys.executable, "-m", "rdvpermis_sandbox"], env=environment)
    yield SandboxProcess(settings, process)
    process.terminate()
    process.wait(10)
