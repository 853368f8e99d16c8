"""mandate: `python -m resapermis_mandate` serves, `migrate` updates the database."""

import sys

from resapermis_kit.process import command

PACKAGE = "resapermis_mandate"


def main() -> None:
    """The command line; ends the process with its exit status."""
    sys.exit(command.main(sys.argv[1:], PACKAGE, _load))


def _load() -> command.Serve:
    from resapermis_mandate.process import serve  # noqa: PLC0415 - migrating needs none of it

    return serve


if __name__ == "__main__":
    main()
