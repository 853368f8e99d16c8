"""What the watcher of a process reports to the person at the terminal."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from devstack.processes import Process, Program

LIVES = "import pathlib, sys, time; time.sleep(1); pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
"""A program that says when it has lived for a second."""


@pytest.mark.xfail(
    strict=True, reason="fault 15: the time that it lived counts as time to come back", raises=AssertionError
)
async def test_how_long_a_restart_took_counts_from_the_fall(tmp_path: Path) -> None:
    lived = tmp_path / "lived"
    reported: asyncio.Queue[str] = asyncio.Queue()

    async def ready() -> bool:
        return True

    command = (sys.executable, "-c", LIVES, str(lived))
    process = Process(
        Program("sample", command, dict(os.environ), tmp_path / "log", ready),
        lambda _name, line: reported.put_nowait(line),
    )
    loop = asyncio.get_running_loop()
    await process.start()
    try:
        while not lived.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.02)
        fell = loop.time()
        process.crash()
        line = ""
        while "back after" not in line:
            line = await asyncio.wait_for(reported.get(), 20)
        took = loop.time() - fell
    finally:
        await process.kill()
    seconds = re.search(r"after ([\d.]+) s", line)
    assert seconds is not None
    assert float(seconds[1]) <= took + 0.1
