"""Who reads its certificate at SIGHUP alone is told of what changed, and once of what may have changed before."""

import os
import signal
from pathlib import Path

import pytest

from resapermis_kit.tls import hangup


@pytest.mark.req("S-17")
def test_the_first_look_tells_and_those_after_it_of_changes_alone(tmp_path: Path) -> None:
    """As where the watcher was started again: what was renewed meanwhile is in the files already."""
    file, pid_file, told = tmp_path / "tls.pem", tmp_path / "pid", list[int]()
    file.write_text("as it was")
    pid_file.write_text(str(os.getpid()))
    counts, contents = list[int](), iter(["as it was", "as it was", "again", "again"])

    def wait() -> bool:
        counts.append(len(told))
        content = next(contents, None)
        if content is not None:
            file.write_text(content)
        return content is not None

    before = signal.signal(signal.SIGHUP, lambda number, _: told.append(number))
    try:
        hangup.watch(pid_file, [file], wait)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert counts == [0, 1, 1, 2, 2]
