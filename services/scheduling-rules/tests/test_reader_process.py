"""The process that reads a calendar is no copy of the one that serves gRPC, and its death is nobody else's.

Each test runs a process of its own under the event loop of the services: what it forks, and whom, is then its alone.
"""

import asyncio
import json
import sys
from typing import Any

import pytest

from resapermis_testing.profile import tries

SERVING = """
import asyncio, json, os, sys
from datetime import UTC, datetime, timedelta

import grpc
import uvloop

from resapermis_kit.errors import Failure
from resapermis_scheduling_rules.availability.ical.reader_process import CalendarReader

NOW = datetime(2026, 11, 24, tzinfo=UTC)
LARGER_THAN_A_PIPE = b"DESCRIPTION:" + b"x" * 100_000
CALENDAR = b"\\r\\n".join([b"BEGIN:VCALENDAR", b"BEGIN:VEVENT", b"UID:1", b"DTSTART:20270105T090000Z",
                         b"DTEND:20270105T100000Z", LARGER_THAN_A_PIPE, b"END:VEVENT", b"END:VCALENDAR", b""])
module, times = sys.argv[1], int(sys.argv[2])
forks = []


async def outcome(reader):
    try:
        return len((await reader.read(CALENDAR, "Europe/Paris", NOW, NOW + timedelta(days=366))).spans)
    except Failure as failure:
        return failure.name
    except Exception as error:
        return "nobody catches " + type(error).__name__


async def outcomes():
    server = grpc.aio.server()
    server.add_insecure_port("127.0.0.1:0")
    await server.start()
    os.register_at_fork(before=lambda: forks.append(os.getpid()))
    reader = CalendarReader(50, *([module] if module else []))
    try:
        return [await outcome(reader) for _ in range(times)]
    finally:
        await server.stop(None)


print(json.dumps({"outcomes": uvloop.run(outcomes()), "forks": len(forks)}))
"""


async def served(module: str = "", times: int = 1) -> dict[str, Any]:
    """What came of one calendar read so often by a process that serves gRPC, and how often that forked.

    `module`: what runs in the reader's place; empty: the reader.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVING, module, str(times)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    output, _ = await process.communicate()
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found


@pytest.mark.req("R-18")
@pytest.mark.timeout(900)  # two hundred readers one after the other, in the long profile
async def test_a_process_that_serves_grpc_forks_nobody_to_read_calendars() -> None:
    times = tries(briefly=3, long=200)
    assert await served(times=times) == {"outcomes": [1] * times, "forks": 0}


@pytest.mark.req("R-18")
async def test_a_reader_that_dies_before_it_is_asked_is_a_failure_and_no_error_of_ours() -> None:
    assert await served("no_such_module") == {"outcomes": ["MALFORMED"], "forks": 0}
