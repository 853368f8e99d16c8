"""audit: `python -m resapermis_audit` serves, `migrate` updates the database, `verify FILE` checks a proof offline."""

import sys

from resapermis_kit.process import command

PACKAGE = "resapermis_audit"


def main() -> None:
    """The command line: `verify` here, the rest in the kit; ends the process with its exit status."""
    if sys.argv[1:2] == ["verify"]:
        from resapermis_audit import verify  # noqa: PLC0415 - needs none of the rest, nor the rest it

        sys.exit(verify.main(sys.argv[2:]))
    sys.exit(command.main(sys.argv[1:], PACKAGE, _load))


def _load() -> command.Serve:
    from resapermis_audit.process import serve  # noqa: PLC0415 - migrating needs none of it

    return serve


if __name__ == "__main__":
    main()
