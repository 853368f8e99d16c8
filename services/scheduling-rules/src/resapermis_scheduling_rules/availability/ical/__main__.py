"""The process that reads one calendar: limits itself, reads a question from its input, writes the answer, ends."""

import json
import resource
import sys
from datetime import UTC, datetime
from typing import BinaryIO
from zoneinfo import ZoneInfo

from resapermis_scheduling_rules.availability.ical.recurrence import expand
from resapermis_scheduling_rules.availability.ical.reduced_calendar import NotACalendar, reduce_calendar

CPU_SECONDS = 4
MEMORY_BYTES = 512 * 1024 * 1024


def main() -> None:
    """Answer the question on standard input on standard output, within limits of time and memory."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    sys.stdout.write(answer(sys.stdin.buffer))


def answer(asked: BinaryIO) -> str:
    """The JSON that answers a question: a line of JSON, then the calendar. To be called by a main thread: it uses signals."""
    question = json.loads(asked.readline())
    since, until = (datetime.fromtimestamp(question[name], UTC) for name in ("since", "until"))
    try:
        reduced = reduce_calendar(asked.read())
        found = expand(reduced, ZoneInfo(question["zone"]), since, until)
    except NotACalendar as refused:
        return json.dumps({"refused": refused.what})
    return json.dumps(
        {
            "spans": [[starts.timestamp(), ends.timestamp()] for starts, ends in found.spans],
            "left_out": found.left_out,
            "lost": [[one.why, one.starts, one.repeats] for one in found.lost],
            "reduced": reduced.text(found.kept),
        }
    )


if __name__ == "__main__":
    main()
