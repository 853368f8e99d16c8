"""After all journeys: nobody's name, NEPH, address or secret stands in a log, on the bus, or in clear on the disk.

Runs last (conftest), and makes a booking of its own so that it means something when it runs alone.
"""

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import asyncpg
import nats.errors
import pytest
from journey import DrivingSchool, Schools, TheState, log_text, until
from nats.js.api import ConsumerConfig, DeliverPolicy

from devstack.components import OPERATOR
from devstack.stack import Stack
from resapermis_kit.events import streams
from resapermis_kit.tls.certificates import Certificates

pytestmark = pytest.mark.xdist_group("stack")
LIKE_A_SECRET = re.compile(r"eyJ[\w-]{10,}|Bearer\s+\S+|[\w.+-]+@(?:mail|ecole)\.example|[?&](?:code|state|token)=")


@pytest.fixture
def secrets(stack: Stack, state: TheState, all_schools: Schools, school: DrivingSchool) -> dict[str, str]:
    """What must not be found, by what it is."""
    booked = school.booking()
    school.act("POST", "/api/v1/candidates/search", {"query": state.people[-1].last_name})
    until(lambda: school.notices("booking.confirmed", booked["id"]), "the notice of the booking")
    found = {"client secret": (stack.settings.secrets / "oidc-client-secret").read_text(encoding="utf-8").strip()}
    for number, person in enumerate(state.people):
        for kind, trace in zip(("NEPH", "first name", "last name", "address"), person.traces, strict=True):
            found[f"{kind} of person {number}"] = trace
    for each in all_schools.opened:
        found[f"CSRF token of {each.name}"] = each.csrf
        for cookie in each.web.cookies.jar:
            if cookie.value and len(cookie.value) > 20:
                found[f"cookie {cookie.name} of {each.name}"] = cookie.value

    def kept() -> dict[str, Any] | None:
        truth: dict[str, Any] = json.loads((stack.home / "rdvpermis.state").read_text(encoding="utf-8"))
        return truth if booked["examId"] in truth["exams"] else None

    truth = until(kept, "the State to have written the booking down")
    for kind in ("accesses", "refreshes", "codes"):
        found |= {f"{kind} {number}": token for number, token in enumerate(truth[kind])}
    assert len(found) > 10
    return found


def stands_in(secrets: dict[str, str], content: bytes) -> list[str]:
    """Which secrets stand there; their kinds, not themselves."""
    return [kind for kind, secret in secrets.items() if secret.encode() in content]


@pytest.mark.req("D-03", "S-02", "N-07")
def test_no_log_holds_a_person_or_a_secret(stack: Stack, secrets: dict[str, str]) -> None:
    texts = dict(log_text(stack.home))
    assert len(texts) >= 10
    for name, text in texts.items():
        assert stands_in(secrets, text.encode()) == [], name
        assert [match[0][:12] for match in LIKE_A_SECRET.finditer(text)] == [], name


@pytest.mark.req("D-03", "S-02")
async def test_the_bus_carries_no_person_and_no_secret(stack: Stack, secrets: dict[str, str]) -> None:
    client = await streams.connect(
        f"tls://127.0.0.1:{stack.ports.nats}", Certificates(stack.settings.tls / OPERATOR), OPERATOR
    )
    seen: dict[str, int] = {}
    try:
        stream = client.jetstream()
        for info in await stream.streams_info():
            name = str(info.config.name)
            config = ConsumerConfig(deliver_policy=DeliverPolicy.ALL)
            reader = await stream.pull_subscribe("", stream=name, config=config)
            while seen.setdefault(name, 0) < info.state.messages:
                for message in await reader.fetch(500, timeout=5):
                    whole = message.data + repr(message.headers).encode() + message.subject.encode()
                    assert stands_in(secrets, whole) == [], message.subject
                    await message.ack()
                    seen[name] += 1
    except nats.errors.Error as error:
        pytest.fail(f"the bus cannot be read: {type(error).__name__}, read so far: {seen}")
    finally:
        await client.close()
    assert {"events-basket", "records-basket", "records-mandate", "events-notification"} <= set(seen)


async def written_out(stack: Stack) -> Path:
    """Where PostgreSQL keeps its data, all of it written to files."""
    admin = await asyncpg.connect(stack.admin_url)
    try:
        await admin.execute("CHECKPOINT")
        return Path(await admin.fetchval("SHOW data_directory"))
    finally:
        await admin.close()


def files_with(patterns: Iterable[str], folder: Path) -> list[Path]:
    """Files in which one of the texts stands, by grep: they are hundreds of megabytes."""
    command = ("grep", "--recursive", "--files-with-matches", "--text", "--fixed-strings", "--file=-", str(folder))
    environment = {"LC_ALL": "C", "PATH": os.environ["PATH"]}
    wanted = "\n".join(patterns).encode()
    found = subprocess.run(command, input=wanted, capture_output=True, env=environment, check=False)  # noqa: S603 - ours
    return [Path(line) for line in found.stdout.decode().splitlines()]


@pytest.mark.req("D-03", "S-02")
def test_no_person_and_no_secret_lies_in_clear_on_the_disk(
    stack: Stack, secrets: dict[str, str], school: DrivingSchool
) -> None:
    data, store = asyncio.run(written_out(stack)), stack.home / "nats"
    assert files_with([school.id], data), "a school's id lies there in clear: the search finds what is there"
    for folder in (data, store):
        found = {str(file.relative_to(stack.home)): file for file in files_with(secrets.values(), folder)}
        assert {name: stands_in(secrets, file.read_bytes()) for name, file in found.items()} == {}
