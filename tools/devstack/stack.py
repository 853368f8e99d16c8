"""A whole ResaPermis on loopback: `Stack(home, port)`, `await stack.start()`, `await stack.stop()`."""

import asyncio
import fcntl
import hashlib
import importlib.util
import os
import signal
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from devstack import certificates, keys, postgres
from devstack.components import (
    ALL_COMPONENTS,
    BUS_ADMIN,
    DATABASES,
    FOUNDATION,
    MAIL,
    MOST_REPLICAS,
    NATS,
    POSTGRES,
    SANDBOX,
    SERVES,
    SERVICES,
    Ports,
    Service,
    components_of,
    replica_named,
)
from devstack.probes import busy_ports, http_answer
from devstack.processes import READY_POLL_SECONDS, Announce, NotReady, Process
from devstack.programs import migrate, postgres_program, program
from devstack.settings import Settings
from resapermis_kit.roles.rights import OWNER

STOP_ORDER: tuple[tuple[str, ...], ...] = (
    *(
        tuple(
            component
            for service in SERVICES
            if (service.face == "web") is pages
            for component in components_of(service, MOST_REPLICAS)
        )
        for pages in (True, False)
    ),
    (SANDBOX, MAIL, BUS_ADMIN),
    (NATS,),
    (POSTGRES,),
)
"""What people reach goes first, the database last; components of one layer go together."""
SERVES_WITHIN_SECONDS = 60.0

RENEWAL_SECONDS = 3600.0
"""Between two looks whether a certificate must be renewed; a leaf has two days left then."""


def silent(component: str, line: str) -> None:
    """Announce nothing: the default, for tests."""
    del component, line


class CannotStart(Exception):
    """The stack cannot start here; the message says why and what to do. Nothing is left running."""


class Stack:
    """The components of one stack and their order, in one event loop. Synchronous callers: devstack.background."""

    def __init__(
        self,
        home: Path,
        port: int = 8080,
        *,
        components: Iterable[str] = ALL_COMPONENTS,
        database_url: str = "",
        settings: Mapping[str, str] | None = None,
        component_settings: Mapping[str, Mapping[str, str]] | None = None,
        replicas: Mapping[str, int] | None = None,
        say: Announce = silent,
        mails_to_console: bool = False,
    ) -> None:
        """`home` keeps data, keys and logs. `settings` go to every process, `component_settings` to one (component → settings).

        `database_url` names the administrator of an outside server, else PostgreSQL is embedded. `replicas`: how often
        a service runs (`{"basket": 2}`); its further components are called "basket-2" and so on.
        """
        if unknown := set(components) - set(ALL_COMPONENTS):
            msg = f"no such component: {', '.join(sorted(unknown))}"
            raise ValueError(msg)
        self.home = home.resolve()
        self.ports = Ports(port)
        often = dict(replicas or {})
        running = {service.name: components_of(service, often.get(service.name, 1)) for service in SERVICES}
        wanted = {*components, *((BUS_ADMIN,) if NATS in components else ())}
        asked = [component for component in ALL_COMPONENTS if component in wanted]
        self.components = tuple(each for component in asked for each in running.get(component, (component,)))
        self.absent: dict[str, str] = {}
        self.settings = Settings(
            self.home, self.ports, dict(settings or {}), dict(component_settings or {}), replicas=often
        )
        self._outside = database_url
        self._say = say
        self._mails_to_console = mails_to_console
        self._processes: dict[str, Process] = {}
        self._lock: IO[str] | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._server = postgres.embedded(self.home)
        self._stamps = self.home / "migrated"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """The URL that people type: the web face, plain HTTP on loopback."""
        return self.settings.public_url

    @property
    def admin_url(self) -> str:
        """The administrator's URL of the database server, for tests and measures."""
        return self._outside or self._server.url(postgres.ADMINISTRATOR, "postgres")

    def database_url(self, name: str) -> str:
        """The URL of the database of a role that serves (`components.Database.serving`), known once PostgreSQL is ready."""
        return self.settings.databases[name]

    def owner_url(self, name: str) -> str:
        """The URL of the same database for its owner, as `migrate` has it: for what a service may not do."""
        return self.settings.databases[f"{name}{OWNER}"]

    def process(self, component: str) -> Process:
        """The process of a component, for signals and process ids; KeyError when it was never started."""
        return self._processes[component]

    async def start(self) -> None:
        """Start every component, each as soon as what it needs is there; on failure stop all and raise CannotStart."""
        self._take_home()
        try:
            self._find_absent()
            wanted = [component for component in self.components if component not in self.absent]
            self._claim_ports(wanted)
            await asyncio.to_thread(self._prepare)
            async with asyncio.TaskGroup() as group:
                ready: dict[str, asyncio.Task[None]] = {}
                for component in (component for component in wanted if component in FOUNDATION):
                    needs = [ready.get(NATS)] if component == BUS_ADMIN else []
                    ready[component] = group.create_task(self._start_after(component, needs))
                running = [component for component in wanted if component not in FOUNDATION]
                databases: dict[str, Service] = {}
                for service, _ in map(replica_named, running):
                    databases.setdefault(service.database, service)
                migrated = group.create_task(self._migrate(databases.values(), ready.get(POSTGRES)))
                for component in running:
                    group.create_task(self._start_after(component, [migrated, ready.get(NATS)]))
            await self._until_it_serves()
        except BaseException as failure:
            await self.stop()
            if isinstance(failure, ExceptionGroup):
                raise CannotStart("\n".join(_messages(failure))) from failure
            raise
        self._renewing = asyncio.create_task(self._keep_certificates(), name="renew certificates")

    async def stop(self) -> None:
        """Stop every process in order. Safe to call twice."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
            self._renewing = None
        for layer in STOP_ORDER:
            await asyncio.gather(
                *(self._processes[component].stop() for component in layer if component in self._processes)
            )
        self._processes.clear()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def start_component(self, component: str) -> None:
        """Start one component, or start it again, and wait until it is ready; NotReady when it is not."""
        since = time.monotonic()
        note = ""
        if component == POSTGRES:
            note = await self._start_postgres()
        else:
            if component not in self._processes:
                made = program(self.settings, component, mails_to_console=self._mails_to_console)
                self._processes[component] = Process(made, self._say)
            await self._processes[component].start()
        self._say(component, f"ready in {time.monotonic() - since:.1f} s{note}")

    async def stop_component(self, component: str) -> None:
        """Stop a component as an operator would and keep it down until `start_component`."""
        await self._processes[component].stop()

    async def kill(self, component: str) -> None:
        """Cut a component's power (SIGKILL) and keep it down until `start_component`."""
        await self._processes[component].kill()

    async def renew_certificates(self, now: datetime) -> list[str]:
        """Renew what ends soon; return whose. Our processes read new files by themselves, nats-server is told to."""
        renewed = await asyncio.to_thread(
            certificates.ensure_certificates, self.settings.tls, certificates.PLATFORM, now
        )
        if NATS in renewed and NATS in self._processes:
            self._processes[NATS].send(signal.SIGHUP)
        return renewed

    async def _keep_certificates(self) -> None:
        while True:
            await asyncio.sleep(RENEWAL_SECONDS)
            try:
                await self.renew_certificates(datetime.now(UTC))
            except OSError as error:
                self._say(NATS, f"certificates could not be renewed: {error.strerror}")

    # -- before anything starts

    def _take_home(self) -> None:
        (self.home / "log").mkdir(mode=0o755, parents=True, exist_ok=True)
        lock = (self.home / "lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip() or "?"
            lock.close()
            msg = f"another stack runs in {self.home} (process {holder}): stop it, or set RESAPERMIS_HOME elsewhere"
            raise CannotStart(msg) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def _find_absent(self) -> None:
        for component in self.components:
            package = "rdvpermis_sandbox" if component == SANDBOX else None
            if component not in FOUNDATION:
                package = replica_named(component)[0].package
            if package is not None and not _runnable(package):
                self.absent[component] = f"NOT STARTED: {package} has no __main__ (run make setup if it should)"
                self._say(component, self.absent[component])

    def _claim_ports(self, wanted: Iterable[str]) -> None:
        ports = {purpose: port for component in wanted for purpose, port in self.ports.of(component).items()}
        if busy := busy_ports(ports):
            hint = "stop that program, or choose other ports, for example: RESAPERMIS_PORT=9080 make up"
            raise CannotStart("\n".join([*busy, hint]))

    def _prepare(self) -> None:
        certificates.ensure_certificates(self.settings.tls, certificates.PLATFORM, datetime.now(UTC))
        keys.ensure_keys(self.settings.secrets)
        sealing = any(service.keyset and service.name in self.components for service in SERVICES)
        if sealing and _runnable("resapermis_vault"):
            keys.ensure_keysets(self.settings.secrets)

    # -- the database and what stands on it

    async def _start_postgres(self) -> str:
        note = ""
        if self._outside:
            if not await postgres.answers(self._outside):
                msg = "postgres: the server of RESAPERMIS_DATABASE_URL does not answer, or refuses this role"
                raise NotReady(msg)
            note = " (outside server)"
        else:
            if not (self._server.data / "PG_VERSION").exists():
                self._say(POSTGRES, "making an empty database cluster, once")
            await asyncio.to_thread(postgres.prepare, self._server)
            if POSTGRES not in self._processes:
                self._processes[POSTGRES] = Process(postgres_program(self.settings, self._server), self._say)
            await self._processes[POSTGRES].start()
        passwords = self.settings.secrets if self._outside else None
        prepared = await postgres.ensure_databases(self.admin_url, DATABASES, passwords)
        self.settings.databases.update(prepared.urls)
        for name in prepared.touched:  # its owner has yet to state the rights
            (self._stamps / name).unlink(missing_ok=True)
        return note

    async def _migrate(self, services: Iterable[Service], postgres_ready: asyncio.Task[None] | None) -> None:
        """Run the services' migrations, but of those whose database is where the very same files left it."""
        if postgres_ready is not None:
            await postgres_ready
        digests = {service: _migrations_digest(service.package) for service in services}
        wanted = []
        for service, digest in digests.items():
            stamp, url = self._stamps / service.database, self.owner_url(service.database)
            if not stamp.exists() or stamp.read_text(encoding="utf-8") != f"{digest} {await postgres.revision(url)}":
                wanted.append(service)
        if not wanted:
            return
        since = time.monotonic()
        await migrate(self.settings, wanted)
        names = ", ".join(service.database for service in wanted)
        self._say(POSTGRES, f"databases brought to head in {time.monotonic() - since:.1f} s: {names}")
        self._stamps.mkdir(exist_ok=True)
        for service in wanted:
            revision = await postgres.revision(self.owner_url(service.database))
            (self._stamps / service.database).write_text(f"{digests[service]} {revision}", encoding="utf-8")

    @property
    def whole(self) -> bool:
        """Whether every service that the web face calls is part of it: then there is a platform, which serves people."""
        web = next(service for service in SERVICES if service.face == "web")
        return {web.name, *web.calls} <= set(self.components) - set(self.absent)

    async def _until_it_serves(self) -> None:
        """Wait until the first acts are served: each component is ready by now, but not yet connected to each other."""
        if not self.whole:
            return
        port = self.ports.metrics(next(service for service in SERVICES if service.face == "web"))
        until = time.monotonic() + SERVES_WITHIN_SECONDS
        while (answer := await http_answer(port, SERVES))[0] != HTTPStatus.OK:
            if time.monotonic() > until:
                msg = f"every component is ready, and the platform does not serve: {answer[1] or 'no answer'}"
                raise CannotStart(msg)
            await asyncio.sleep(READY_POLL_SECONDS)

    async def _start_after(self, component: str, needs: Iterable[asyncio.Task[None] | None]) -> None:
        for need in needs:
            if need is not None:
                await need
        await self.start_component(component)


def _runnable(package: str) -> bool:
    return importlib.util.find_spec(package) is not None and importlib.util.find_spec(f"{package}.__main__") is not None


def _migrations_digest(package: str) -> str:
    """Of the files that say what `migrate` does: the service's migrations, and how the kit states rights after them."""
    digest = hashlib.sha256()
    for name, below in ((package, "migrations"), ("resapermis_kit", "roles")):
        spec = importlib.util.find_spec(name)
        folder = Path(spec.origin).parent / below if spec is not None and spec.origin else Path("/nonexistent")
        for file in sorted(folder.rglob("*.py")):
            digest.update(f"{file.relative_to(folder)}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def _messages(group: BaseExceptionGroup[BaseException]) -> list[str]:
    lines: list[str] = []
    for error in group.exceptions:
        lines += _messages(error) if isinstance(error, BaseExceptionGroup) else [str(error) or repr(error)]
    return list(dict.fromkeys(lines))
