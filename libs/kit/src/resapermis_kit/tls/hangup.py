"""Has a program beside us read its certificate again once it was renewed: for those that do so at SIGHUP alone, as nats-server.

python -m resapermis_kit.tls.hangup PIDFILE FILE…
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

EVERY_SECONDS = 10.0
"""A certificate is renewed hours before it ends."""


def contents(files: Iterable[Path]) -> tuple[bytes, ...]:
    """What they hold; of one that is not there, nothing."""
    return tuple(file.read_bytes() if file.exists() else b"" for file in files)


def hang_up(pid_file: Path) -> bool:
    """Send SIGHUP to the process that the file names; False where there is none now: it reads everything when it starts."""
    try:
        os.kill(int(pid_file.read_text(encoding="ascii")), signal.SIGHUP)
    except (OSError, ValueError):
        return False
    return True


def watch(pid_file: Path, files: Sequence[Path], wait: Callable[[], bool]) -> None:
    """Look at the files after each `wait`, until that is False. A change that could not be told is told at the next look.

    The first look tells in any case: files may have been renewed while nobody watched, after the program had read them.
    """
    known: tuple[bytes, ...] | None = None
    while wait():
        found = contents(files)
        if found != known and hang_up(pid_file):
            known = found


def _wait() -> bool:
    time.sleep(EVERY_SECONDS)
    return True


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    watch(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]], _wait)
