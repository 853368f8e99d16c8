"""Write what docker-compose.yml mounts into .resapermis/compose: certificates, keys, passwords, configuration.

Run again it keeps what is there, and renews certificates that are about to end.
"""

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path

from containers.prepared import prepare
from devstack.settings import ROOT

PROFILES = {"traces": {"RESAPERMIS_OTLP_ENDPOINT": "https://otel:4317"}, "dashboards": {}}
"""What of the file runs only where it is asked for, and what that sets."""


def main() -> None:
    """Write everything and say how to go on."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--profile",
        action="append",
        default=[],
        choices=sorted(PROFILES),
        help="run this too, from now on: COMPOSE_PROFILES in .env",
    )
    parser.add_argument("--renew", action="store_true", help="make every certificate anew, as after one was stolen")
    arguments = parser.parse_args()
    asked = arguments.profile
    place = Path(os.environ.get("RESAPERMIS_HOME", str(ROOT / ".resapermis"))) / "compose"
    settings = {"COMPOSE_PROFILES": ",".join(asked)} if asked else {}
    for profile in asked:
        settings |= PROFILES[profile]
    prepare(place, datetime.now(UTC), settings, renew=arguments.renew)
    shown = place.relative_to(ROOT) if place.is_relative_to(ROOT) else place
    print(f"docker compose --env-file {shown}/.env up --build      # or podman-compose: docs/compose.md")
    print(f"then https://resapermis.localhost:8443, by the CA of {shown}/public/ca.pem")


if __name__ == "__main__":
    main()
