"""`make web-vitals`: how fast the pages are, by Lighthouse, on a stack of their own and signed in as a school's manager.

Sign-in, home and slots, each as a phone on slow 4G with a CPU four times slower and as a desktop computer sees them with an
empty cache, and what one hold takes until it is seen (INP). Prints JSON: medians of the rounds, and which goals are missed.
The exit status is 1 when one is. On a machine that does other work the figures are worse than they are.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from browser.judgement import GOALS, HOLD, PAGES, Run, missed, summary
from browser.lighthouse import NotInstalled, installed
from demo import free_base
from devstack.background import BackgroundStack
from devstack.settings import ROOT
from devstack.stack import CannotStart, Stack
from run_tests import chromium

ROUNDS = 5
USERNAME, PASSWORD = "gerant.094-1", "sandbox"


class NotMeasured(Exception):
    """Lighthouse or the browser gave up; what they wrote is on standard error."""


def measured(url: str, browser: str, asked: argparse.Namespace) -> list[Run]:
    """Each measurement of the running stack at `url`; NotMeasured where one fails."""
    question = {
        "url": url,
        "browser": browser,
        "rounds": asked.rounds,
        "only": asked.only,
        "username": USERNAME,
        "password": PASSWORD,
        "reports": str(ROOT / asked.reports) if asked.reports else None,
    }
    program = (str(ROOT / ".venv" / "bin" / "node"), "measure.mjs", json.dumps(question))
    done = subprocess.run(program, cwd=installed(), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        msg = f"Lighthouse ended with {done.returncode}"
        raise NotMeasured(msg)
    runs: list[Run] = json.loads(done.stdout)
    return runs


def main(arguments: Sequence[str]) -> int:
    """Measure and print; 0 only when every goal is met."""
    parser = argparse.ArgumentParser(prog="make web-vitals", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"measurements of each, {ROUNDS} if not given")
    parser.add_argument("--only", nargs="+", choices=[*PAGES, HOLD], default=[*PAGES, HOLD], help="what is measured")
    parser.add_argument("--reports", type=Path, help="a folder for Lighthouse's own reports, one a measurement")
    asked = parser.parse_args(arguments)
    browser = chromium(os.environ)
    if browser is None:
        print("there is no Chromium here (apt install chromium, or RESAPERMIS_CHROMIUM)", file=sys.stderr)
        return 1
    if asked.reports:
        (ROOT / asked.reports).mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="resapermis-vitals-"))
    home.chmod(0o755)  # as root, PostgreSQL runs as another user and must reach its folder
    try:
        with BackgroundStack(Stack(home, free_base())) as background:
            runs = measured(background.stack.url, browser, asked)
    except (CannotStart, NotInstalled, NotMeasured) as reason:
        print(f"nothing was measured: {reason}; logs of the services: {home}/log", file=sys.stderr)
        return 1
    shutil.rmtree(home, ignore_errors=True)
    figures = summary(runs)
    misses = missed(figures, asked.only)
    print(
        json.dumps(
            {"rounds": asked.rounds, "goals": GOALS, "medians": figures, "runs": runs, "missed": misses}, indent=1
        )
    )
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
