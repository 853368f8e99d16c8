"""A stack that v0.1.0 left as it was when the power went, on this version."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from journey import DrivingSchool, TheState, until
from kept_rows import Tables, kept_rows

import releases
from devstack.background import BackgroundStack
from devstack.components import POSTGRES, SERVICES, offsets
from devstack.probes import free_port
from devstack.programs import migrate
from devstack.stack import Stack

VERSION = "v0.1.0"

MAKER = Path(__file__).with_name("made_by_v0_1_0.py")


@dataclass(frozen=True)
class Upgraded:
    """The old release's stack on this version.

    `was`: what it had, as it said itself (made_by_v0_1_0.py); `migrated`: every row of every database when the migrations had run
    and no service had started.
    """

    was: dict[str, Any]
    migrated: dict[str, Tables]
    running: BackgroundStack
    school: DrivingSchool
    state: TheState

    @property
    def stack(self) -> Stack:
        return self.running.stack

    def ask(self, database: str, question: str, *values: object) -> list[Any]:
        async def asked() -> list[Any]:
            connection = await asyncpg.connect(self.stack.database_url(database), timeout=10)
            try:
                return list(await connection.fetch(question, *values))
            finally:
                await connection.close()

        return asyncio.run(asked())


def ending_is_over(upgraded: Upgraded) -> None:
    """Wait until the hold whose candidate's mandate ended is given back, here and at RdvPermis."""
    slot = upgraded.was["ending"]["slot"]

    def over() -> bool:
        return slot not in upgraded.school.lines() and slot not in upgraded.state.held(upgraded.school.id)

    until(over, "the hold of an ended mandate to be given back")


@contextmanager
def upgraded(failed: Callable[[], bool]) -> Iterator[Upgraded]:
    """Have the old release make its stack, migrate it and start it on this version; its logs are kept when something `failed`."""
    release = releases.ready(VERSION)
    folder = Path(tempfile.mkdtemp(prefix="resapermis-upgrade-"))
    folder.chmod(0o755)  # as root, PostgreSQL runs as another user and must reach its folder
    home, port = folder / "home", free_port(offsets(), start=29_000 + 40 * (os.getpid() % 50), step=40, attempts=80)
    paths = [*(str(release.root / below) for below in ("tools", "tests/journeys")), str(MAKER.parent)]
    made = subprocess.run(  # noqa: S603 - no input from outside
        [str(release.python), "-P", str(MAKER), str(home), str(port), str(folder / "was.json")],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert made.returncode == 0, f"logs in {home}/log\n{made.stdout[-2000:]}{made.stderr[-4000:]}"
    was = json.loads((folder / "was.json").read_text(encoding="utf-8"))
    migrated = asyncio.run(_migrated(home, port))
    settings = {"basket": {"RESAPERMIS_GRACE_SECONDS": "2"}}
    with BackgroundStack(Stack(home, port, component_settings=settings)) as running:
        state = TheState(running.stack.settings.sandbox_url)
        school = DrivingSchool(running.stack.url, state, was["school"]["department"], was["school"]["number"])
        # The browser's session is as old as the rest: nobody signs in again.
        school.web.cookies.update(was["cookies"])
        school.csrf = school.get("/auth/session")["csrfToken"]
        yield Upgraded(was, migrated, running, school, state)
        school.web.close()
        state.web.close()
    if failed():
        sys.stderr.write(f"\nlogs of both releases: {home}/log\n")
    else:
        shutil.rmtree(folder)


async def _migrated(home: Path, port: int) -> dict[str, Tables]:
    """Migrate with nothing running but PostgreSQL, and read what is there."""
    async with Stack(home, port, components=[POSTGRES]) as stack:
        await migrate(stack.settings, [service for service in SERVICES if service.migrates])
        urls = {service.database: stack.database_url(service.database) for service in SERVICES}
        return {database: await asyncio.to_thread(kept_rows, url) for database, url in urls.items()}
