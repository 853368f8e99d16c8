"""The process that reads a calendar is no copy of the one that serves gRPC, and its death is nobody else's.

Each test runs a process of its own under the event loop of the services: what it forks, and whom, is then its alone.
"""

import asyncio
import json
import sys
from typing import Any

import pytest

SERVING = """
import asyncio, json, os
from datetime import UTC, datetime, timedelta

import grpc
import uvloop

from resapermis_kit.errors import Failure
from resapermis_scheduling_rules.availability.ical.reader_process import CalendarReader

NOW = datetime(2026, 11, 24, tzinfo=UTC)
CALENDAR = b"\\r\\n".join([b"BEGIN:VCALENDAR", b"BEGIN:VEVENT", b"UID:1", b"DTSTART:20270105T090000Z",
                         b"DTEND:20270105T100000Z", b"END:VEVENT", b"END:VCALENDAR", b""])
forks = []


async def outcome():
    server = grpc.aio.server()
    server.add_insecure_port("127.0.0.1:0")
    await server.start()
    os.register_at_fork(before=lambda: forks.append(os.getpid()))
    try:
        return len((await CalendarReader(50).read(CALENDAR, "Europe/Paris", NOW, NOW + timedelta(days=366))).spans)
    except Failure as failure:
        return failure.name
    except Exception as error:
        return "nobody catches " + type(error).__name__
    finally:
        await server.stop(None)


def serve():
    print(json.dumps({"outcome": uvloop.run(outcome()), "forks": len(forks)}))
"""
DIES_FIRST = """
begin = asyncio.create_subprocess_exec


async def dead(program, *arguments, **more):
    process = await begin(program, "-c", "", **more)
    await process.wait()  # gone before anybody writes to it
    return process


asyncio.create_subprocess_exec = dead
"""


async def served(*script: str) -> dict[str, Any]:
    """What came of one calendar, read by a process that serves gRPC."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "\n".join([SERVING, *script, "serve()"]),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    output, _ = await process.communicate()
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found


@pytest.mark.req("R-18")
@pytest.mark.xfail(strict=True, raises=AssertionError, reason="fault 14: the reader is a fork of the serving process")
async def test_a_process_that_serves_grpc_forks_nobody_to_read_a_calendar() -> None:
    assert await served() == {"outcome": 1, "forks": 0}


@pytest.mark.req("R-18")
@pytest.mark.xfail(strict=True, raises=AssertionError, reason="fault 14: the death of a reader is a RuntimeError")
async def test_a_reader_that_dies_before_it_is_asked_is_a_failure_and_no_error_of_ours() -> None:
    assert not str((await served(DIES_FIRST))["outcome"]).startswith("nobody catches")
