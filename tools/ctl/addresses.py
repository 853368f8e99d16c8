"""Where the databases and RdvPermis' truth are."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from devstack.components import PUBLISHERS

DATABASES = tuple(sorted(PUBLISHERS))


class UnknownAddress(Exception):
    """It is not known where something is; the message says how to name it."""


@dataclass(frozen=True)
class Addresses:
    """`databases`: URL by database name; `control`: the sandbox's URL, "" where the State is not ours to read.

    `nats_monitors`: https:// addresses of NATS' monitoring ports, with commas; "" where they are not to be asked. `authorities`:
    file (PEM) of who may have signed their certificates; None: the system's.
    """

    databases: Mapping[str, str]
    control: str = ""
    nats_monitors: str = ""
    authorities: Path | None = None

    def reading(self, control: str, nats_monitors: str = "", authorities: Path | None = None) -> "Addresses":
        """With RdvPermis' truth at `control`, and NATS to be asked how it is set."""
        believed = authorities if authorities is not None else self.authorities
        return replace(self, control=control, nats_monitors=nats_monitors, authorities=believed)


def variable(database: str) -> str:
    """The setting that names a database, e.g. RESAPERMIS_BASKET_DATABASE_URL."""
    return f"RESAPERMIS_{database.upper()}_DATABASE_URL"


def of_environment(environment: Mapping[str, str]) -> Addresses:
    """Every database named by its own setting, or in a file that RESAPERMIS_<NAME>_DATABASE_URL_FILE names.

    Unknown names those that are not; OSError for a file that cannot be read.
    """
    found = {name: given(environment, variable(name)) for name in DATABASES}
    missing = [variable(name) for name, url in found.items() if not url]
    if missing:
        msg = f"not set: {', '.join(missing)} (or name a local stack's folder with --home)"
        raise UnknownAddress(msg)
    return Addresses(found)


def given(environment: Mapping[str, str], setting: str) -> str:
    """A setting, or what the file holds that its `_FILE` names; empty where neither is there."""
    file = environment.get(f"{setting}_FILE")
    return environment.get(setting, "") or (Path(file).read_text(encoding="utf-8").rstrip("\n") if file else "")


def of_home(home: Path) -> Addresses:
    """The embedded server of a local stack that runs in `home`."""
    from devstack import postgres  # noqa: PLC0415 - wants PostgreSQL's programs, which no image has

    server = postgres.embedded(home.resolve())
    if not (server.data / "PG_VERSION").exists():
        msg = f"no local stack keeps its data in {home}"
        raise UnknownAddress(msg)
    return Addresses(
        {name: server.url(PUBLISHERS[name].role, name) for name in DATABASES}, authorities=home / "tls" / "ca.pem"
    )
