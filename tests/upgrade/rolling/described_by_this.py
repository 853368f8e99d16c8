"""Run by this release, or by a copy of it that is the next one: prepares the stack in `home` for itself, and says how each part is started.

`python described_by_this.py ORDER` (a JSON file). With `"prepare": true` it makes what is missing of certificates, keys and
databases, hands databases over, and brings them to its own newest migration, as an upgrade does before it replaces any process:
processes of the release before serve meanwhile. It starts nothing else.
"""

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ctl.steps import bus_beside_0_2_0
from devstack import certificates, keys, postgres
from devstack.components import BUS_ADMIN, NATS, SERVICES, Ports, components_of, replica_named
from devstack.programs import migrate, program
from devstack.settings import Settings


def main(order: dict[str, Any]) -> dict[str, Any]:
    home, ports, replicas = Path(order["home"]), Ports(order["port"]), order["replicas"]
    settings = Settings(home, ports, {}, order["settings"], replicas=replicas)
    certificates.ensure_certificates(settings.tls, certificates.PLATFORM, datetime.now(UTC))
    keys.ensure_keys(settings.secrets)
    if order.get("copied_keyset"):
        keys.hand_on(settings.secrets)
    keys.ensure_keysets(settings.secrets)
    databases = sorted({service.database for service in SERVICES})
    settings.databases.update(asyncio.run(postgres.ensure_databases(order["admin_url"], databases, None)))
    asyncio.run(migrate(settings, [service for service in SERVICES if service.migrates]))

    components = [
        component for service in SERVICES for component in components_of(service, replicas.get(service.name, 1))
    ]
    made = {component: program(settings, component, mails_to_console=False) for component in [BUS_ADMIN, *components]}
    ready = {component: _metrics(ports, component) for component in made}
    programs = {
        component: [list(one.command), dict(one.environment), ready[component], "/readyz"]
        for component, one in made.items()
    }
    server = program(settings, NATS, mails_to_console=False)
    programs[NATS] = [list(server.command), dict(server.environment), ports.nats, ""]
    listen, monitor = f"127.0.0.1:{ports.nats}", f"127.0.0.1:{ports.nats_monitor}"
    beside = home / "nats-beside-0.2.0.conf"
    beside.write_text(
        bus_beside_0_2_0.configuration(listen, monitor, home / "nats", settings.nats_tls), encoding="utf-8"
    )
    programs["nats-beside-0.2.0"] = [[server.command[0], "-c", str(beside)], dict(server.environment), ports.nats, ""]
    return {"programs": programs}


def _metrics(ports: Ports, component: str) -> int:
    return ports.bus_admin if component == BUS_ADMIN else ports.metrics(*replica_named(component))


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    Path(given["answer"]).write_text(json.dumps(main(given)), encoding="utf-8")
