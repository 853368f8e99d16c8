"""Bring databases of several services to head, each by its service's own `migrate`, all in this one process.

Loading what migrates is most of the work of a migration: six processes would load it six times. Orders come on standard
input, one a line: {"package": "resapermis_basket", "environment": {…}} with all that this service's process may know. The package
is written to standard output once its database is at head; the first failure ends the process.
"""

import json
import os
import runpy
import sys


def main() -> int:
    """Take every order; return the exit status."""
    for order in map(json.loads, sys.stdin):
        os.environ.clear()
        os.environ.update(order["environment"])
        sys.argv = [order["package"], "migrate"]
        try:
            runpy.run_module(order["package"], run_name="__main__", alter_sys=True)
        except SystemExit as ended:
            if ended.code:
                raise
        print(order["package"], flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
