"""How each component is started: its command, its environment, and how one sees that it is ready."""

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from devstack import nats, postgres
from devstack.components import BUS_ADMIN, MAIL, NATS, POSTGRES, SANDBOX, Service, replica_named
from devstack.probes import http_ok, listens
from devstack.processes import Program, Ready
from devstack.settings import ROOT, Settings

PYTHON = (sys.executable, "-P")
"""-P: the current folder is no place to import from."""


def postgres_program(settings: Settings, server: postgres.Embedded) -> Program:
    """The embedded PostgreSQL server; its cluster must exist."""
    url = server.url(postgres.ADMINISTRATOR, "postgres")
    return Program(
        POSTGRES,
        server.command(),
        settings.base(POSTGRES),
        _log(settings, POSTGRES),
        lambda: postgres.answers(url),
        stop_signal=signal.SIGINT,  # "fast": ends sessions, writes a checkpoint
        death_signal="INT",
        account=server.account,
        directory=Path("/"),
    )


def program(settings: Settings, component: str, *, mails_to_console: bool) -> Program:
    """Any other component. Writes the configuration of NATS."""
    if component == NATS:
        store = settings.home / "nats"
        store.mkdir(mode=0o700, exist_ok=True)
        file = settings.home / "nats.conf"
        listen, monitor = f"127.0.0.1:{settings.ports.nats}", f"127.0.0.1:{settings.ports.nats_monitor}"
        file.write_text(nats.configuration(listen, monitor, store, settings.nats_tls), encoding="utf-8")
        server = (str(Path(sys.executable).parent / "nats-server"), "-c", str(file))
        return _simple(settings, NATS, server, lambda: listens(settings.ports.nats))
    if component == BUS_ADMIN:
        return Program(
            BUS_ADMIN,
            (*PYTHON, "-m", "resapermis_kit.process.bus_admin"),
            settings.bus_admin(),
            _log(settings, BUS_ADMIN),
            _http(settings.ports.bus_admin, "/readyz"),
            directory=settings.home,
        )
    if component == MAIL:
        ports = settings.ports
        listen_smtp, listen_web = f"127.0.0.1:{ports.smtp}", f"127.0.0.1:{ports.mail_web}"
        command = (*PYTHON, str(ROOT / "tools" / "mailcatcher.py"), "--smtp", listen_smtp, "--web", listen_web)
        ready = _http(ports.mail_web, "/api/mails")
        return _simple(settings, MAIL, command, ready, to_console=mails_to_console)
    if component == SANDBOX:
        environment = settings.sandbox()
        ready = _http(settings.ports.sandbox, "/realms/formation/.well-known/openid-configuration")
        return Program(
            SANDBOX,
            (*PYTHON, "-m", "rdvpermis_sandbox"),
            environment,
            _log(settings, SANDBOX),
            ready,
            directory=settings.home,
        )
    service, replica = replica_named(component)
    return Program(
        component,
        (*PYTHON, *service.command),
        settings.service(service, replica),
        _log(settings, component),
        _http(settings.ports.metrics(service, replica), "/readyz"),
        directory=settings.home,
    )


async def migrate(settings: Settings, services: Sequence[Service]) -> None:
    """Bring the databases of services to head, each by its own `migrate`; RuntimeError with its words when one fails."""
    wanted = [{"package": service.package, "environment": settings.migration(service)} for service in services]
    child = await asyncio.create_subprocess_exec(
        "setpriv",
        "--pdeathsig",
        "KILL",
        *PYTHON,
        str(Path(__file__).with_name("migrate_all.py")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=settings.base(POSTGRES),
        cwd=settings.home,
    )
    try:
        orders = "".join(f"{json.dumps(one)}\n" for one in wanted)
        done, errors = await child.communicate(orders.encode())
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != 0:
        at_head = set(done.decode("utf-8", "replace").split())
        failed = next((service.name for service in services if service.package not in at_head), "the last of them")
        words = errors.decode("utf-8", "replace")[-3000:]
        msg = f"{failed}: migrate ended with status {child.returncode}:\n{words}"
        raise RuntimeError(msg)


def _simple(
    settings: Settings, component: str, command: tuple[str, ...], ready: Ready, *, to_console: bool = False
) -> Program:
    environment, log = settings.base(component), _log(settings, component)
    return Program(component, command, environment, log, ready, to_console=to_console, directory=settings.home)


def _log(settings: Settings, component: str) -> Path:
    return settings.home / "log" / f"{component}.log"


def _http(port: int, path: str) -> Ready:
    return lambda: http_ok(port, path)
