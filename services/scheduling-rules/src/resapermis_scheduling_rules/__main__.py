"""scheduling-rules: serves, `migrate` updates the database, `parameter …` proposes a change (see parameters/change.py)."""

import asyncio
import sys

from resapermis_kit.process import command

PACKAGE = "resapermis_scheduling_rules"


def main() -> int:
    """Command line: `migrate`, `parameter …` (see parameters/change.py), or nothing to serve."""
    if sys.argv[1:2] == ["parameter"]:
        return _parameter(sys.argv[2:])
    return command.main(sys.argv[1:], PACKAGE, _load)


def _load() -> command.Serve:
    from resapermis_scheduling_rules.process import serve  # noqa: PLC0415 - migrating needs none of it

    return serve


def _parameter(words: list[str]) -> int:
    from resapermis_kit.errors import Failure  # noqa: PLC0415 - as above
    from resapermis_kit.process.settings import Database  # noqa: PLC0415 - as above
    from resapermis_scheduling_rules.evaluation import preview  # noqa: PLC0415 - as above
    from resapermis_scheduling_rules.parameters import change  # noqa: PLC0415 - as above

    try:
        print(asyncio.run(change.command(words, Database().database_url, preview.preview)))  # noqa: T201 - a command line speaks
    except Failure as failure:
        print(f"{failure.name}: {failure.detail}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
