"""Asks the process that reads calendars; kills it when it takes too long, so that nobody else waits for it."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from resapermis_kit.errors import malformed
from resapermis_scheduling_rules.availability.ical.recurrence import LOSSES, LostEvent, Span
from resapermis_scheduling_rules.availability.ical.reduced_calendar import LARGEST

AT_ONCE = 2
MODULE = "resapermis_scheduling_rules.availability.ical"
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CalendarReading:
    """A calendar's busy times, what was left out by why, the first events lost, and all that is kept of its text."""

    spans: Sequence[Span]
    left_out: Mapping[str, int]
    lost: Sequence[LostEvent]
    reduced: bytes

    @property
    def complete(self) -> bool:
        """Whether all that may make somebody busy was read."""
        return not LOSSES & self.left_out.keys()


@dataclass(frozen=True)
class CalendarReader:
    """Reads calendars, few at a time, each in a process of its own."""

    seconds: float
    """For one calendar by the clock; its processor time is limited by the process itself."""
    module: str = MODULE
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(AT_ONCE, "calendar"))

    async def read(self, calendar: bytes, zone: str, since: datetime, until: datetime) -> CalendarReading:
        """Busy times that overlap [since, until). MALFORMED: no calendar, too large, or more work than it is worth."""
        if len(calendar) > LARGEST:
            raise malformed("calendar", f"at most {LARGEST} bytes")
        question = {"zone": zone, "since": int(since.timestamp()), "until": int(until.timestamp())}
        asked = json.dumps(question).encode() + b"\n" + calendar
        # Threads, not a semaphore, count the readers: a call that is cancelled leaves its reader to its end.
        answer = json.loads(await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, asked))
        if "refused" in answer:
            raise malformed("calendar", answer["refused"])
        spans = [(datetime.fromtimestamp(a, UTC), datetime.fromtimestamp(b, UTC)) for a, b in answer["spans"]]
        lost = [LostEvent(*one) for one in answer["lost"]]
        return CalendarReading(spans, answer["left_out"], lost, answer["reduced"].encode())

    def _answer(self, question: bytes) -> bytes:
        """The answer of a process of its own; blocks for `seconds` at most."""
        # subprocess starts it by vfork: asyncio's own way is a fork, which a process that runs gRPC may not survive.
        try:
            done = subprocess.run(  # noqa: S603 - words of our own
                (sys.executable, "-I", "-B", "-m", self.module),
                input=question,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"LC_ALL": "C.UTF-8"},
                timeout=self.seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            status, output = None, b""
        else:
            status, output = done.returncode, done.stdout
        if status != 0 or not output:
            log.warning("calendar.given_up", status=status)
            raise malformed("calendar", "reading it takes more time or memory than a calendar should")
        return output
