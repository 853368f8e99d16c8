"""Run the browser tests against a stack of their own: start it, run Playwright, stop it. Exit status is Playwright's."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from demo import free_base
from devstack.background import BackgroundStack
from devstack.settings import ROOT
from devstack.stack import CannotStart, Stack

COMPONENT_SETTINGS = {"scheduling-rules": {"RESAPERMIS_PLAN_POLLS": "2"}}
"""People at work in the tests poll what they ask for; few polls by plan beside them are enough."""


def main(arguments: list[str]) -> int:
    """Run Playwright with `arguments`; returns its exit status, 1 when the stack cannot start."""
    home = Path(tempfile.mkdtemp(prefix="resapermis-e2e-"))
    home.chmod(0o755)  # as root, PostgreSQL runs as another user and must reach its folder
    try:
        with BackgroundStack(Stack(home, free_base(), component_settings=COMPONENT_SETTINGS)) as background:
            stack = background.stack
            environment = os.environ | {
                "E2E_BASE_URL": stack.url,
                "E2E_SANDBOX_URL": stack.settings.sandbox_url,
                "E2E_HOME": str(home),
                "E2E_MAIL_URL": f"http://localhost:{stack.ports.mail_web}",
                "E2E_USERNAME": os.environ.get("E2E_USERNAME", "gerant.094-1"),
                "E2E_PASSWORD": os.environ.get("E2E_PASSWORD", "sandbox"),
            }
            status = subprocess.run(
                ["npm", "run", "--silent", "e2e", "--", *arguments], cwd=ROOT / "web", env=environment, check=False
            )
    except CannotStart as reason:
        print(f"the stack cannot start: {reason}", file=sys.stderr)
        return 1
    if status.returncode:
        print(f"logs of the services: {home}/log", file=sys.stderr)
    else:
        shutil.rmtree(home, ignore_errors=True)
    return status.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
