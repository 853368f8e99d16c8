"""Loaded by every process of the stack that `make crossings` starts: writes down whose functions ran between two signals.

SIGUSR1 begins, SIGUSR2 ends and writes `$CROSSINGS_DIR/<pid>.json`: the project's files, by
"<trace> <coroutine>": the trace (32 hexadecimal digits, all zeros outside of one) in which their functions were called, and
the coroutine that their task began with ("-" outside of a task).
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType

FOLDER = os.environ.get("CROSSINGS_DIR", "")
OURS = (
    "/libs/kit/src/",
    "/libs/persons/src/",
    "/libs/places/src/",
    "/libs/rules/src/",
    "/libs/vault/src/",
    "/services/",
)
_files: dict[str, set[str]] = {}


def _record(frame: FrameType, event: str, _: object) -> None:
    name = frame.f_code.co_filename
    if event != "call" or not any(part in name for part in OURS):
        return
    trace = sys.modules.get("opentelemetry.trace")  # not imported here: the product says when
    number = trace.get_current_span().get_span_context().trace_id if trace is not None else 0
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    began = getattr(task.get_coro(), "__qualname__", "-") if task is not None else "-"
    _files.setdefault(f"{number:032x} {began}", set()).add(name)


def _begin(_: int, __: FrameType | None) -> None:
    _files.clear()
    sys.setprofile(_record)


def _end(_: int, __: FrameType | None) -> None:
    sys.setprofile(None)
    whole = {key: sorted(files) for key, files in _files.items()}
    file = Path(FOLDER) / f"{os.getpid()}.json"
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps(whole), encoding="utf-8")
    draft.rename(file)


if FOLDER:
    signal.signal(signal.SIGUSR1, _begin)
    signal.signal(signal.SIGUSR2, _end)
