"""Asks the process that reads calendars; kills it when it takes too long, so that nobody else waits for it."""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from resapermis_kit.errors import malformed
from resapermis_scheduling_rules.availability.ical.recurrence import Span
from resapermis_scheduling_rules.availability.ical.reduced_calendar import LARGEST

AT_ONCE = 2
MODULE = "resapermis_scheduling_rules.availability.ical"
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CalendarReading:
    """A calendar's busy times, what was left out by why, and all that is kept of its text."""

    spans: Sequence[Span]
    left_out: Mapping[str, int]
    reduced: bytes


@dataclass(frozen=True)
class CalendarReader:
    """Reads calendars, few at a time, each in a process of its own."""

    seconds: float
    """For one calendar by the clock; its processor time is limited by the process itself."""
    module: str = MODULE
    _permits: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def read(self, calendar: bytes, zone: str, since: datetime, until: datetime) -> CalendarReading:
        """Busy times that overlap [since, until). MALFORMED: no calendar, too large, or more work than it is worth."""
        if len(calendar) > LARGEST:
            raise malformed("calendar", f"at most {LARGEST} bytes")
        question = {"zone": zone, "since": int(since.timestamp()), "until": int(until.timestamp())}
        async with self._permits:
            output = await self._ask(json.dumps(question).encode() + b"\n" + calendar)
        answer = json.loads(output)
        if "refused" in answer:
            raise malformed("calendar", answer["refused"])
        spans = [(datetime.fromtimestamp(a, UTC), datetime.fromtimestamp(b, UTC)) for a, b in answer["spans"]]
        return CalendarReading(spans, answer["left_out"], answer["reduced"].encode())

    async def _ask(self, question: bytes) -> bytes:
        pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-B",
            "-m",
            self.module,
            stdin=pipe,
            stdout=pipe,
            stderr=nothing,
            env={"LC_ALL": "C.UTF-8"},
        )
        try:
            async with asyncio.timeout(self.seconds):
                output, _ = await process.communicate(question)
        except TimeoutError:
            output = b""
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0 or not output:
            log.warning("calendar.given_up", status=process.returncode)
            raise malformed("calendar", "reading it takes more time or memory than a calendar should")
        return output
