"""Basket's own commands over its kept judgements, asked with basket's certificate and database: nobody else may judge."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ctl.addresses import UnknownAddress, of_home
from devstack.components import Ports, service_named
from devstack.settings import Settings

BASKET = "resapermis_basket"
NEEDED = ("RESAPERMIS_DATABASE_URL", "RESAPERMIS_TLS_DIR", "RESAPERMIS_PEER_SCHEDULING_RULES")


def environment(home: Path | None, port: int, ours: Mapping[str, str]) -> dict[str, str]:
    """Basket's: that of a local stack in `home` at `port`, or this process's own where it is run beside basket."""
    if home is None:
        missing = [name for name in NEEDED if not (ours.get(name) or ours.get(f"{name}_FILE"))]
        if missing:
            msg = f"not set: {', '.join(missing)} (as basket has them; or name a local stack's folder with --home)"
            raise UnknownAddress(msg)
        return dict(ours)
    settings = Settings(home.resolve(), Ports(port), {}, {}, dict(of_home(home).databases))
    return settings.service(service_named("basket"))


def ask(words: Sequence[str], home: Path | None, port: int) -> int:
    """Run the command; its JSON goes to our terminal, its exit status is ours: 0 as it should be, 1 drift, 2 not asked."""
    command = [sys.executable, "-m", BASKET, *words]
    return subprocess.run(command, env=environment(home, port, os.environ), check=False).returncode
