"""What docker-compose.yml mounts: certificates, keys, passwords and the NATS configuration, in .resapermis/compose.

Made by the same code as those of `make up`; run again it keeps what is there. Each service's folder holds its own alone.
"""

import os
import secrets
import shutil
from datetime import UTC, datetime
from pathlib import Path

from devstack import certificates, keys, nats
from devstack.components import SERVICES
from devstack.settings import ROOT

SECRETS = {"principal.jwk.json": "web", "oidc-client-secret": "egress"}
"""Which process has which secret: who signs principals reaches no other site, who reaches RdvPermis signs none."""


def once(file: Path) -> str:
    """The password in `file`, drawn and written at the first call."""
    if not file.exists():
        certificates.write_secret(file, secrets.token_urlsafe(24).encode())
    return file.read_text(encoding="utf-8")


def main() -> None:
    """Write everything and say how to go on."""
    place = Path(os.environ.get("RESAPERMIS_HOME", str(ROOT / ".resapermis"))) / "compose"
    kept = place / "kept"
    kept.mkdir(mode=0o700, parents=True, exist_ok=True)
    certificates.ensure_certificates(place / "tls", certificates.PLATFORM, datetime.now(UTC))
    keys.ensure_keys(kept)
    keys.ensure_keysets(kept)
    shutil.copyfile(kept / "principal.jwks.json", place / "principal.jwks.json")
    configuration = nats.configuration(
        "0.0.0.0:4222", "0.0.0.0:8222", Path("/data"), Path("/run/tls"), "resapermis-compose"
    )
    (place / "nats.conf").write_text(configuration, encoding="utf-8")
    once(place / "postgres-password")
    statements = []
    for service in SERVICES:
        own = place / "keys" / service.name
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        role, password = service.database, once(kept / f"postgres-{service.database}")
        if service.migrates:
            statements.append(f"CREATE ROLE \"{role}\" LOGIN PASSWORD '{password}';")
            statements.append(f'CREATE DATABASE "{role}" OWNER "{role}";\nREVOKE ALL ON DATABASE "{role}" FROM PUBLIC;')
        certificates.write_secret(own / "database-url", f"postgresql://{role}:{password}@postgres/{role}".encode())
        if service.keyset:
            shutil.copy(kept / f"keyset-{service.keyset}.json", own / "keyset.json")
    for name, owner in SECRETS.items():
        for service in SERVICES:
            own_copy = place / "keys" / service.name / name
            if service.face == owner:
                shutil.copy(kept / name, own_copy)
            else:
                own_copy.unlink(missing_ok=True)  # earlier releases gave both to both
    # The image's entry point of PostgreSQL reads it as another account.
    (place / "databases.sql").write_text("\n".join(statements) + "\n", encoding="utf-8")
    lines = (
        f"RESAPERMIS_UID={os.getuid()}",
        f"RESAPERMIS_GID={os.getgid()}",
        f"RESAPERMIS_CLIENT_SECRET={once(kept / 'oidc-client-secret')}",
    )
    certificates.write_secret(place / ".env", ("\n".join(lines) + "\n").encode())
    print(
        f"docker compose --env-file {place.relative_to(ROOT) if place.is_relative_to(ROOT) else place}/.env up --build"
    )


if __name__ == "__main__":
    main()
