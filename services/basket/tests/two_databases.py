"""A primary and its synchronous standby, real ones, behind an address that is moved at a failover."""

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from devstack.postgres import ADMINISTRATOR, BINARIES, prepare
from resapermis_kit.roles.handover import Database, ensure
from resapermis_testing.eventually import eventually
from resapermis_testing.memory import data_folder
from resapermis_testing.postgres import Server

TRUST = "local all all trust\nlocal replication all trust\n"
"""Only this test's own folders lead to the sockets."""
SMALL = {
    "shared_buffers": "32MB",
    "max_connections": "60",
    "max_wal_size": "256MB",
    "log_min_messages": "fatal",
    "fsync": "off",  # a killed process loses nothing that the system has taken from it
}


class DatabaseServer(Server):
    """One PostgreSQL of the two."""

    async def ask(self, statement: str) -> object:
        """One value, of the maintenance database."""
        connection = await asyncpg.connect(self.place.url(ADMINISTRATOR, "postgres"), timeout=3)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    async def answers_true(self, statement: str) -> bool:
        """Whether it is up and answers true."""
        try:
            return bool(await self.ask(statement))
        except (OSError, TimeoutError, asyncpg.PostgresError):
            return False


@dataclass
class TwoDatabases:
    """Both servers, and the folder of sockets by which clients find whichever is the database."""

    home: Path
    primary: DatabaseServer = field(init=False)
    standby: DatabaseServer = field(init=False)

    def __post_init__(self) -> None:
        """Name the places; nothing is there yet."""
        self.primary, self.standby = (DatabaseServer(self.home / name, SMALL) for name in ("a", "b"))

    @property
    def url(self) -> str:
        """The same before and after a failover; for the role that serves."""
        return f"postgresql://basket@/basket?host={self.home}/db"

    @property
    def owner_url(self) -> str:
        """The same for who migrates."""
        return self.url.replace("basket@", "basket_owner@")

    async def start_primary(self) -> None:
        """An empty database, alone for now."""
        await asyncio.to_thread(prepare, self.primary.place)
        (self.primary.place.data / "pg_hba.conf").write_text(TRUST, encoding="utf-8")
        self.primary.start()
        await eventually(lambda: self.primary.answers_true("SELECT true"), 20)
        await ensure(self.primary.place.url(ADMINISTRATOR, "postgres"), [Database.of("basket")], {})
        self._address_is(self.primary)

    async def start_standby(self) -> None:
        """A copy of the primary that follows it, without which it commits nothing from now on."""
        place = self.standby.place
        for folder in (place.data, place.socket):
            folder.mkdir(mode=0o700, parents=True)
            if place.account is not None:
                os.chown(folder, place.account.uid, place.account.gid)
        copy = ("pg_basebackup", "-h", str(self.primary.place.socket), "-U", ADMINISTRATOR, "-D", str(place.data))
        command = [str(BINARIES / copy[0]), *copy[1:], "--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
        await asyncio.to_thread(subprocess.run, self.standby.as_its_user(*command), check=True, cwd="/")
        place.socket.chmod(0o711)
        self.standby.start()
        await self.wait_for_each_other("*")

    async def wait_for_each_other(self, who: str) -> None:
        """Set whom commits wait for: "*" the standby, "" nobody; return once it is so."""
        await self.primary.ask(f"ALTER SYSTEM SET synchronous_standby_names = '{who}'")
        await self.primary.ask("SELECT pg_reload_conf()")
        state = "SELECT bool_or(sync_state = 'sync') FROM pg_stat_replication" if who else "SELECT true"
        ready = f"SELECT current_setting('synchronous_standby_names') = '{who}' AND ({state})"
        await eventually(lambda: self.primary.answers_true(ready), 20)

    async def fail_over(self) -> None:
        """The standby becomes the database. The primary must be dead."""
        assert self.primary.process is None
        if self.standby.process is None:
            self.standby.start()
        await eventually(lambda: self.standby.answers_true("SELECT true"), 20)
        assert await self.standby.ask("SELECT pg_promote(true, 20)")
        self._address_is(self.standby)

    def _address_is(self, server: DatabaseServer) -> None:
        new = self.home / "db.new"
        new.symlink_to(server.place.socket)
        new.replace(self.home / "db")


@contextlib.contextmanager
def two_databases() -> Iterator[TwoDatabases]:
    """Folders for both; whatever happened, no process and no folder is left."""
    home = data_folder("resapermis-two-")
    home.chmod(0o711)
    both = TwoDatabases(home)
    try:
        yield both
    finally:
        both.primary.kill()
        both.standby.kill()
        shutil.rmtree(home)
