"""Some components of the stack by themselves, for a bench that needs no RdvPermis; and people who are signed in there."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from measure.terminal import say
from sqlalchemy.ext.asyncio import AsyncEngine

from devstack.components import NATS, POSTGRES
from devstack.probes import free_port
from devstack.stack import Stack
from resapermis_auth_gateway import accounts
from resapermis_auth_gateway.profile import Profile, Profiles
from resapermis_auth_gateway.web.sign_in import queries
from resapermis_auth_gateway.web.sign_in.cookies import digest, new_secret, session_cookie
from resapermis_auth_gateway.web.sign_in.device import Device
from resapermis_kit.clock import new_id
from resapermis_kit.database.transaction import transaction
from resapermis_kit.rpc.auth import Principal
from resapermis_vault.keyset import Keyset

WEB = "auth-gateway"
ROLES = ("school_manager",)


@asynccontextmanager
async def started(bench: str, port: int, settings: Mapping[str, Mapping[str, str]]) -> AsyncIterator[Stack]:
    """PostgreSQL, NATS and the components that `settings` names, each with its own, in a home that is removed at the end.

    `port`: where free ports are looked for, apart from other benches'. CannotStart as `Stack` raises it.
    """
    home = await asyncio.to_thread(_home, bench)
    stack = Stack(
        home,
        free_port(range(30), start=port),
        components=(POSTGRES, NATS, *settings),
        component_settings=settings,
        say=lambda component, line: say(f"{component}: {line}"),
    )
    try:
        async with stack:
            yield stack
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _home(bench: str) -> Path:
    home = Path(tempfile.mkdtemp(prefix=f"resapermis-{bench}-"))
    home.chmod(0o755)  # as root, PostgreSQL runs as another user and must reach its folder
    return home


@dataclass(frozen=True)
class Visitor:
    """Somebody with a page open."""

    principal: Principal
    """As the web face signs it for other services."""
    cookie: str

    def get(self, stack: Stack, path: str) -> bytes:
        """The whole HTTP/1.1 request that their page sends for `path`."""
        origin = f"http://localhost:{stack.ports.pages()}"
        name = session_cookie(origin.startswith("https")).name
        return (
            f"GET {path} HTTP/1.1\r\nHost: {origin.partition('://')[2]}\r\nSec-Fetch-Site: same-origin\r\n"
            f"Cookie: {name}={self.cookie}\r\n\r\n"
        ).encode()


def profiles_of(stack: Stack) -> Profiles:
    """Seals people's profiles as the web face of this stack does."""
    return Profiles(Keyset.load(stack.settings.secrets / f"keyset-{WEB}.json"))


async def visitor(engine: AsyncEngine, profiles: Profiles, school_id: str) -> Visitor:
    """Sign somebody of a school in: account and session as sign-in leaves them in the database of the web face (`engine`)."""
    account_id, cookie, now = new_id(), new_secret(), datetime.now(UTC)
    key = profiles.new_key(account_id)
    profile = profiles.seal(account_id, key, Profile("Camille Martin", "camille@ecole.test", "fr"))
    session = queries.Session(new_id(), account_id, school_id, "École", "94", "sid", now, now, ROLES, key, profile, now)
    account = accounts.Account(account_id, school_id, ROLES, key, profile)
    async with transaction(engine) as tx:
        await accounts.save_account(tx, "bench", str(account_id), account, now)
        await queries.start_session(tx, digest(cookie), session, Device())
    return Visitor(Principal(str(account_id), str(session.id), school_id, ROLES, "127.0.0.0/24"), cookie)
