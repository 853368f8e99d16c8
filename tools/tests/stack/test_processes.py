"""What the watcher of a process reports to the person at the terminal."""

import asyncio
import sys
from pathlib import Path

from devstack.processes import Process, Program


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0
        self.read = asyncio.Event()

    def __call__(self) -> float:
        self.read.set()
        return self.now


async def test_how_long_a_component_was_away_does_not_include_how_long_it_had_lived(tmp_path: Path) -> None:
    lines: list[str] = []
    back, clock = asyncio.Event(), Clock()

    def say(component: str, line: str) -> None:
        del component
        lines.append(line)
        if line.startswith("is back"):
            back.set()

    async def ready() -> bool:
        return True

    program = Program("sleeper", (sys.executable, "-c", "import signal; signal.pause()"), {}, tmp_path / "log", ready)
    process = Process(program, say, clock)
    await process.start()
    try:
        await clock.read.wait()
        clock.now += 1694.0
        process.crash()
        await back.wait()
    finally:
        await process.stop()
    assert lines[-1].startswith("is back after 0.0 s"), lines
