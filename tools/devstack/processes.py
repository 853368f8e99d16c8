"""One child process: started so that it dies with us, watched, restarted when it falls, stopped with its group."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LOG_KEPT_BYTES = 20 * 1024 * 1024
"""A component's log is set aside as `.1` at the next start beyond this."""
GRACE_SECONDS = 15.0
"""After this much drain a component is killed; services drain for 10 s by their own setting."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.3, 10.0
HEALTHY_AFTER_SECONDS = 20.0
"""A component that lived this long is restarted at once; one that keeps falling waits longer each time."""
READY_POLL_SECONDS = 0.05

Ready = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Account:
    """Another account of the operating system, which root may start programs under (setpriv: Linux only).

    `reads_all`: its programs also enter folders and read files that are closed to it, for a clone in a folder that only root may enter.
    """

    uid: int
    gid: int
    reads_all: bool = False

    def setpriv(self) -> list[str]:
        """What the command setpriv needs to drop root for this account."""
        options = ["--reuid", str(self.uid), "--regid", str(self.gid), "--clear-groups"]
        if self.reads_all:
            # access(2) disregards capabilities of any other user than root unless no_setuid_fixup is set, and initdb asks it.
            options += ["--securebits", "+no_setuid_fixup"]
            options += ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
        return options


@dataclass(frozen=True)
class Program:
    """What to run. `account`: whom to run it under when we are root. `to_console`: stdout is ours."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    ready: Ready
    ready_within: float = 60.0
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: str = "KILL"
    account: Account | None = None
    to_console: bool = False
    directory: Path = field(default_factory=Path.cwd)


class NotReady(Exception):
    """A component did not become ready; the message names it and shows the end of its log."""


Announce = Callable[[str, str], None]
"""Called with a component's name and a line for the person watching."""


class Process:
    """A program that should be running; `watch` restarts it until `stop` or `kill`."""

    def __init__(self, program: Program, say: Announce, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing runs yet. `clock`, in seconds, tells how long a child lived and how long it takes to be back."""
        self.program = program
        self._say = say
        self._clock = clock
        self._child: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._wanted = False
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        child = self._child
        return child.pid if child is not None and child.returncode is None else None

    async def start(self, *, attempts: int = 3) -> None:
        """Start and wait until ready; NotReady when it falls `attempts` times or takes too long."""
        self._wanted = True
        deadline = asyncio.get_running_loop().time() + self.program.ready_within
        child = await self._spawn()
        for attempt in range(1, attempts + 1):
            if await self._until_ready(child, deadline):
                self._watcher = asyncio.create_task(self._watch(), name=f"watch {self.program.name}")
                return
            if child.returncode is None:
                await self._end(child, signal.SIGKILL)
                break
            if attempt < attempts:
                self._say(self.program.name, f"fell at its start ({_how(child.returncode)}), trying again")
                await asyncio.sleep(FIRST_PAUSE_SECONDS * attempt)
                child = await self._spawn()
        self._wanted = False
        outcome = "is not ready" if child.returncode in {None, -signal.SIGKILL} else f"ended ({_how(child.returncode)})"
        seconds = self.program.ready_within
        msg = f"{self.program.name} {outcome}, waited up to {seconds:.0f} s; the end of {self.program.log}:\n{self.tail()}"
        raise NotReady(msg)

    async def stop(self) -> None:
        """Ask it to end, wait for its drain, then kill what is left of its group."""
        self._wanted = False
        await self._unwatch()
        if self._child is not None:
            await self._end(self._child, self.program.stop_signal)

    async def kill(self) -> None:
        """End it like a power cut (SIGKILL to the whole group) and keep it down until `start`."""
        self._wanted = False
        await self._unwatch()
        if self._child is not None:
            await self._end(self._child, signal.SIGKILL)

    def crash(self) -> None:
        """SIGKILL its group and let the watcher bring it back."""
        if self.pid is not None:
            _signal_group(self.pid, signal.SIGKILL)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the child alone (SIGSTOP and SIGCONT for frozen components)."""
        if self.pid is not None:
            os.kill(self.pid, number)

    def tail(self, lines: int = 12) -> str:
        """The last lines of its log, each indented for an error's message."""
        try:
            with self.program.log.open("rb") as file:
                file.seek(max(0, self.program.log.stat().st_size - 16384))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return "  (no log)"
        return "\n".join("  | " + line for line in text.splitlines()[-lines:])

    async def _spawn(self) -> asyncio.subprocess.Process:
        program = self.program
        if program.log.exists() and program.log.stat().st_size > LOG_KEPT_BYTES:
            program.log.replace(program.log.with_suffix(".log.1"))
        # setpriv asks the kernel to end the child when we die, even by SIGKILL, and drops root where asked to.
        wrapper = ["setpriv", "--pdeathsig", program.death_signal]
        if program.account is not None:
            wrapper += program.account.setpriv()
        with program.log.open("ab") as log:
            self._child = await asyncio.create_subprocess_exec(
                *wrapper,
                *program.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=None if program.to_console else log,
                stderr=log,
                env=dict(program.environment),
                cwd=program.directory,
                start_new_session=True,
            )
        return self._child

    async def _until_ready(self, child: asyncio.subprocess.Process, deadline: float) -> bool:
        loop = asyncio.get_running_loop()
        ended = asyncio.create_task(child.wait())
        try:
            while loop.time() < deadline and not ended.done():
                if await self.program.ready():
                    # Another program may answer on the port while ours has just fallen over it.
                    return not ended.done()
                await asyncio.wait({ended}, timeout=READY_POLL_SECONDS)
        finally:
            ended.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ended
        return False

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE_SECONDS
        while self._wanted and self._child is not None:
            child, since = self._child, self._clock()
            code = await child.wait()
            died = self._clock()
            if died - since > HEALTHY_AFTER_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            _signal_group(child.pid, signal.SIGKILL)  # what it started goes with it
            self._say(self.program.name, f"died ({_how(code)}), back in {pause:.1f} s; its last lines:\n{self.tail(6)}")
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            child = await self._spawn()
            self.restarts += 1
            if await self._until_ready(child, loop.time() + self.program.ready_within):
                self._say(self.program.name, f"is back after {self._clock() - died:.1f} s")
            elif child.returncode is None:
                self._say(self.program.name, "runs again but is not ready")

    async def _unwatch(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
            self._watcher = None

    async def _end(self, child: asyncio.subprocess.Process, number: signal.Signals) -> None:
        if child.returncode is None:
            if number is signal.SIGKILL:
                _signal_group(child.pid, number)
            else:
                with contextlib.suppress(ProcessLookupError):
                    child.send_signal(number)
            try:
                await asyncio.wait_for(child.wait(), GRACE_SECONDS)
            except TimeoutError:
                self._say(self.program.name, f"did not end within {GRACE_SECONDS:.0f} s, killed")
        _signal_group(child.pid, signal.SIGKILL)
        await child.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _how(code: int | None) -> str:
    if code is None:
        return "still running"
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"
