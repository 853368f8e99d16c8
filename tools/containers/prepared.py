"""What docker-compose.yml mounts: certificates, keys, passwords and configuration, each process's own alone.

Made by the same code as those of `make up`; made again it keeps what is there. Files are 0600 in folders of 0700, of the
account that the containers run as.
"""

import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from containers.walls import GRAFANA, OTEL, PROMETHEUS
from devstack import certificates, keys, nats
from devstack.components import MAIL, NATS, POSTGRES, SANDBOX, SERVICES, Service

SECRETS: Mapping[str, str] = {"principal.jwk.json": "web", "oidc-client-secret": "egress"}
"""Which process has which secret: who signs principals reaches no other site, who reaches RdvPermis signs none."""
SERVER = certificates.Leaf(asks=False)
INSIDE: Mapping[str, certificates.Leaf] = {
    **certificates.PLATFORM,
    POSTGRES: SERVER,
    PROMETHEUS: SERVER,
    GRAFANA: SERVER,
    OTEL: SERVER,
}
"""Who has a certificate of the inner authority, which no browser needs to trust."""
DOOR, RDVPERMIS = "resapermis.localhost", "rdvpermis.localhost"
OUTSIDE: Mapping[str, certificates.Leaf] = {DOOR: SERVER, RDVPERMIS: SERVER, MAIL: SERVER}
"""Who has one of the public authority: what stands for a recognised one's in a real deployment."""
IMAGES_ACCOUNT = 65532
"""The account of our images: of the containers where root prepares them, since nobody's work should run as root."""


def account(uid: int, gid: int) -> tuple[int, int]:
    """Who the containers run as, from who prepares them: the files are theirs, and only root can give them away."""
    return (IMAGES_ACCOUNT, IMAGES_ACCOUNT) if uid == 0 else (uid, gid)


def prepare(place: Path, now: datetime, more: Mapping[str, str], *, renew: bool = False) -> None:
    """Write all that the file mounts in `place`, and `place/.env`: what it must have and `more`, beside what somebody set there.

    A `door.pem` that is not the local authority's own, a recognised one's say, is left as it is. `renew`: every certificate,
    those that would be good for longer too.
    """
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept, data = place / "kept", place / "data"
    for folder in (kept, data, place / "keys"):
        folder.mkdir(mode=0o700, exist_ok=True)
    door = place / "public" / DOOR
    local = not (door / "door.pem").exists() or (door / "door.pem").read_bytes() == _pair(door)
    certificates.ensure_certificates(place / "tls", INSIDE, now, renew=renew)
    certificates.ensure_certificates(place / "public", OUTSIDE, now, renew=renew)
    if local:
        certificates.write_secret(door / "door.pem", _pair(door))
    keys.ensure_keys(kept)
    keys.ensure_keysets(kept)
    _own_keys(place, kept)
    for service in SERVICES:
        if service.keyset:
            _copy(kept / f"keyset-{service.keyset}.json", place / "keys" / service.name / "keyset.json")
    _copy(kept / "principal.jwks.json", place / "principal.jwks.json")
    configuration = nats.configuration(
        "0.0.0.0:4222", "0.0.0.0:8222", Path("/data"), Path("/run/tls"), "resapermis-compose"
    )
    certificates.write_secret(place / "nats.conf", configuration.encode())
    for name in (POSTGRES, "postgres-socket", NATS, PROMETHEUS):
        (data / name).mkdir(mode=0o700, exist_ok=True)
    uid, gid = account(os.getuid(), os.getgid())
    settings = {
        "COMPOSE_PROJECT_NAME": "resapermis",
        **_settings(place / ".env"),
        "RESAPERMIS_COMPOSE_HOME": str(place.resolve()),
        "RESAPERMIS_UID": str(uid),
        "RESAPERMIS_GID": str(gid),
        **more,
    }
    certificates.write_secret(place / ".env", "".join(f"{name}={value}\n" for name, value in settings.items()).encode())
    if uid != os.getuid():
        _give_away(place, uid, gid)


def _pair(folder: Path) -> bytes:
    files = (folder / "tls.pem", folder / "tls.key")
    return b"".join(file.read_bytes() for file in files if file.exists())


def _settings(file: Path) -> dict[str, str]:
    """What an .env file sets; comments are not kept."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    pairs = (line.partition("=") for line in lines if not line.lstrip().startswith("#"))
    return {name.strip(): value for name, equals, value in pairs if equals}


def _own_keys(place: Path, kept: Path) -> None:
    for service in SERVICES:
        own = _folder(place, service.name)
        serving = _url(service.role, _password(kept, service.role), service.database)
        certificates.write_secret(own / "database-url", serving.encode())
        for name, face in SECRETS.items():
            if service.face == face:
                _copy(kept / name, own / name)
            else:
                (own / name).unlink(missing_ok=True)  # earlier releases gave both to both
        if service.migrates:
            owner = _owner(service)
            url = _url(owner, _password(kept, owner), service.database)
            certificates.write_secret(_folder(place, f"migrate-{service.name}") / "database-url", url.encode())
    for role in sorted({role for service in SERVICES for role in (service.role, _owner(service))}):
        certificates.write_secret(_folder(place, "databases") / f"postgres-{role}", _password(kept, role).encode())
    certificates.write_secret(_folder(place, POSTGRES) / "password", _password(kept, "administrator").encode())
    _copy(kept / "oidc-client-secret", _folder(place, SANDBOX) / "oidc-client-secret")


def _folder(place: Path, name: str) -> Path:
    folder = place / "keys" / name
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _owner(service: Service) -> str:
    return f"{service.database}_owner"


def _url(role: str, password: str, database: str) -> str:
    """For the process in its container: it believes the authority that is mounted beside its certificate."""
    return f"postgresql://{role}:{password}@postgres/{database}?sslmode=verify-full&sslrootcert=/run/tls/ca.pem"


def _password(kept: Path, role: str) -> str:
    """Drawn and kept at the first call."""
    file = kept / f"postgres-{role}"
    if not file.exists():
        certificates.write_secret(file, secrets.token_urlsafe(24).encode())
    return file.read_text(encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    certificates.write_secret(target, source.read_bytes())


def _give_away(place: Path, uid: int, gid: int) -> None:
    """To the containers' account what they mount; the authorities' keys and what is only kept stay root's."""
    for name in ("keys", "principal.jwks.json", "nats.conf"):
        _chown_all(place / name, uid, gid)
    for authority, names in (("tls", INSIDE), ("public", OUTSIDE)):
        for name in (*names, "ca.pem"):
            _chown_all(place / authority / name, uid, gid)
    for folder in (place / "data").iterdir():  # what is in it is theirs already
        os.chown(folder, uid, gid)


def _chown_all(path: Path, uid: int, gid: int) -> None:
    inside: Iterable[Path] = path.rglob("*") if path.is_dir() else ()
    for one in (path, *inside):
        os.chown(one, uid, gid)


def forget(place: Path) -> None:
    """Remove all of it, the data too."""
    shutil.rmtree(place)
