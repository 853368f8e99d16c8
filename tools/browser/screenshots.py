"""`make screenshots`: pictures of each page and dialog, to be looked at; or those of the READMEs.

A stack of their own is started, a school is put in the middle of its work, and each page is shown light, dark, and at 320 px.
ARGS="some/folder" says where they go (web/test-results/screens); ARGS=--readme writes docs/images instead, whose pictures
`make lint` finds old when the interface no longer says what they show.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import e2e
from devstack.settings import ROOT
from run_tests import chromium

FORMS = ("light", "dark", "320", "320-dark")
FOLDER = Path("web", "test-results", "screens")


def main(arguments: Sequence[str]) -> int:
    """Take them; the exit status is Playwright's."""
    parser = argparse.ArgumentParser(prog="make screenshots", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, help=f"where they go, {FOLDER} if not given")
    parser.add_argument("--readme", action="store_true", help="those of README.md and README.fr.md, in docs/images")
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS), help="in which forms")
    asked = parser.parse_args(arguments)
    browser = chromium(os.environ)
    if browser is None:
        print("there is no Chromium here (apt install chromium, or RESAPERMIS_CHROMIUM)", file=sys.stderr)
        return 1
    folder = ROOT / asked.folder
    os.environ |= {
        "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
        "RESAPERMIS_CHROMIUM": browser,
        "SCREENS": str(folder),
        "SCREENS_FORMS": ",".join(asked.forms),
    }
    status = e2e.main(["--config", "screens.config.ts", "readme" if asked.readme else "screens.spec"])
    if status == 0:
        print(f"the pictures are in {ROOT / 'docs' / 'images' if asked.readme else folder}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
