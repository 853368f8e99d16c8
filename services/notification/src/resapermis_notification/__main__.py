"""notification: `python -m resapermis_notification` serves, `migrate` updates the database."""

import sys

from resapermis_kit.process import command
from resapermis_kit.process.settings import ServiceSettings

PACKAGE = "resapermis_notification"


def main() -> None:
    """Entry point. Migrating needs no mail server."""
    sys.exit(command.main(sys.argv[1:], PACKAGE, lambda: ServiceSettings().database_url, _load))


def _load() -> command.Serve:
    from resapermis_notification.process import serve  # noqa: PLC0415 - migrating needs none of it

    return serve


if __name__ == "__main__":
    main()
