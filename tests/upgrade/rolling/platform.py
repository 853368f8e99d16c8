"""The processes of a stack whose parts come from two trees; an event loop of their own, for callers that have none."""

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from devstack import postgres
from devstack.components import MAIL, POSTGRES, SANDBOX
from devstack.processes import Process, Program
from devstack.programs import postgres_program, program
from devstack.settings import Settings

Answer = TypeVar("Answer")


class Platform:
    """PostgreSQL, the mail catcher and RdvPermis from the start to the end; all else is started, stopped and replaced."""

    def __init__(self, settings: Settings) -> None:
        """Nothing runs yet. `settings` say home and ports."""
        self.settings = settings
        self.server = postgres.embedded(settings.home)
        self.said: list[str] = []
        self._processes: dict[str, Process] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="platform", daemon=True)

    @property
    def admin_url(self) -> str:
        """Of the database server's administrator."""
        return self.server.url(postgres.ADMINISTRATOR, "postgres")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        foundation = (SANDBOX, MAIL, POSTGRES)
        for name in [one for one in reversed(self._processes) if one not in foundation]:
            self.stop(name)
        for name in foundation:
            if name in self._processes:
                self.stop(name)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def start_database(self) -> None:
        """Make an empty cluster and start it."""
        postgres.prepare(self.server)
        self.start(postgres_program(self.settings, self.server))

    def start_outside(self) -> None:
        """RdvPermis and the mail catcher, which are not ours to upgrade; they need the keys of a first release."""
        for component in (MAIL, SANDBOX):
            self.start(program(self.settings, component, mails_to_console=False))

    def start(self, *programs: Program) -> None:
        """Start programs at once and wait until all are ready; NotReady when one is not."""

        async def start_all() -> None:
            await asyncio.gather(*(self._processes[one.name].start() for one in programs))

        for one in programs:
            self._processes[one.name] = Process(one, lambda name, line: self.said.append(f"{name}: {line}"))
        self._do(start_all())

    def stop(self, name: str) -> None:
        """Ask it to end and wait for its drain."""
        self._do(self._processes.pop(name).stop())

    def replace(self, one: Program) -> None:
        """Stop what runs under its name, and start it."""
        self.stop(one.name)
        self.start(one)

    def restart(self, name: str) -> None:
        """Stop it and start the same again."""
        self.replace(self._processes[name].program)

    def _do(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
