"""Run by this release, or by a copy of it that is the next one: prepares the stack in `home` for itself, and says how each part is started.

`python described_by_this.py ORDER` (a JSON file): makes what is missing of certificates, keys and databases, hands databases
over, and brings them to its own newest migration, as `make up` does, while processes of the release before serve. It starts
nothing else. `copied_keyset`: egress' keyset is a copy of the one that sealed for it in 0.2.0.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from ctl.steps import bus_beside_0_2_0
from devstack import keys
from devstack.components import BUS_ADMIN, NATS, SERVICES, Ports, components_of, replica_named
from devstack.programs import program
from devstack.stack import Stack


async def prepared(order: dict[str, Any]) -> Stack:
    replicas, settings, admin_url = order["replicas"], order["settings"], order["admin_url"]
    stack = Stack(
        Path(order["home"]), order["port"], database_url=admin_url, component_settings=settings, replicas=replicas
    )
    if order.get("copied_keyset"):
        keys.hand_on(stack.settings.secrets)
    stack._prepare()
    await stack._start_postgres()
    await stack._migrate([service for service in SERVICES if service.migrates], None)
    return stack


def main(order: dict[str, Any]) -> dict[str, Any]:
    stack = asyncio.run(prepared(order))
    settings, ports = stack.settings, stack.ports
    components = [one for service in SERVICES for one in components_of(service, order["replicas"].get(service.name, 1))]
    programs = {}
    for component in (BUS_ADMIN, *components):
        made = program(settings, component, mails_to_console=False)
        programs[component] = [list(made.command), dict(made.environment), _metrics(ports, component), "/readyz"]
    server = program(settings, NATS, mails_to_console=False)
    programs[NATS] = [list(server.command), dict(server.environment), ports.nats, ""]
    listen, monitor = f"127.0.0.1:{ports.nats}", f"127.0.0.1:{ports.nats_monitor}"
    beside = bus_beside_0_2_0.configuration(listen, monitor, stack.home / "nats", settings.nats_tls)
    file = stack.home / "nats-beside-0.2.0.conf"
    file.write_text(beside, encoding="utf-8")
    command = [server.command[0], "-c", str(file)]
    programs["nats-beside-0.2.0"] = [command, dict(server.environment), ports.nats, ""]
    return {"programs": programs}


def _metrics(ports: Ports, component: str) -> int:
    return ports.bus_admin if component == BUS_ADMIN else ports.metrics(*replica_named(component))


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    Path(given["answer"]).write_text(json.dumps(main(given)), encoding="utf-8")
