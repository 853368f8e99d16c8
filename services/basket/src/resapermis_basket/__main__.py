"""basket: `python -m resapermis_basket` serves, `… migrate` updates the database; see `compliance.commands` for the others."""

import asyncio
import sys

import structlog

from resapermis_kit.process import command

PACKAGE = "resapermis_basket"


def main() -> None:
    """The command line: `compliance-check` and `preview` here, the rest in the kit; exits with its status."""
    if len(sys.argv) > 1 and sys.argv[1] != "migrate":
        _ask(sys.argv[1:])
    sys.exit(command.main(sys.argv[1:], PACKAGE, _load))


def _ask(words: list[str]) -> None:
    from resapermis_basket.compliance import commands  # noqa: PLC0415 - neither serving nor migrating needs them first
    from resapermis_basket.settings import Settings  # noqa: PLC0415 - as above

    if commands.is_ours(words):
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # the answer alone on the terminal
        sys.exit(asyncio.run(commands.run(words, Settings())))


def _load() -> command.Serve:
    from resapermis_basket.process import serve  # noqa: PLC0415 - migrating needs none of it

    return serve


if __name__ == "__main__":
    main()
