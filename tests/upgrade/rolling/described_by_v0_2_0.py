"""Run by release v0.2.0 itself, with its own interpreter and tools, never by this one: prepares its stack and says how each part is started.

`python described_by_v0_2_0.py ORDER` (a JSON file): makes certificates, keys, databases and their tables in `home`, and writes to
`answer` each program's command, environment and where one sees that it is ready. It starts nothing but `migrate`.

It is written in the words of v0.2.0 and never changes.
"""

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from devstack import certificates, keys, postgres
from devstack.components import NATS, OPERATOR, SERVICES, Ports
from devstack.programs import migrate, program
from devstack.settings import Settings


def main(order: dict[str, Any]) -> dict[str, Any]:
    home, ports, replicas = Path(order["home"]), Ports(order["port"]), order["replicas"]
    settings = Settings(home, ports, {}, order["settings"], replicas=replicas)
    names = [NATS, OPERATOR, *(service.name for service in SERVICES)]
    certificates.ensure_certificates(settings.tls, names, datetime.now(UTC))
    keys.ensure_keys(settings.secrets)
    keys.ensure_keysets(settings.secrets)
    databases = sorted({service.database for service in SERVICES})
    settings.databases.update(asyncio.run(postgres.ensure_databases(order["admin_url"], databases, None)))
    for service in SERVICES:
        if service.migrates:
            asyncio.run(migrate(settings, service))
    server = program(settings, NATS, mails_to_console=False)
    programs = {NATS: [list(server.command), dict(server.environment), ports.nats, ""]}
    for service in SERVICES:
        # This release's own stack has one web face; a deployment may have several, each at an address of its own.
        often = range(1, replicas.get(service.name, 1) + 1)
        for number in often:
            component = service.name if number == 1 else f"{service.name}-{number}"
            environment = settings.service(service, number)
            if service.face == "web":
                environment["RESAPERMIS_WEB_LISTEN"] = f"127.0.0.1:{order['pages'][number - 1]}"
            command = [sys.executable, "-P", *service.command]
            programs[component] = [command, environment, ports.metrics(service, number), "/readyz"]
    return {"programs": programs}


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    Path(given["answer"]).write_text(json.dumps(main(given)), encoding="utf-8")
