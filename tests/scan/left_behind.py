"""What a run leaves behind, as files to look through; and what of a list of values stands in them, however it is written."""

import asyncio
import base64
import json
import os
import re
import subprocess
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import md5, sha1, sha256
from pathlib import Path
from urllib.parse import quote

import httpx2
from nats.js.api import ConsumerConfig, DeliverPolicy

from devstack.components import OPERATOR, SERVICES
from devstack.postgres import BINARIES
from devstack.stack import Stack
from resapermis_kit.events import streams
from resapermis_kit.tls.certificates import Certificates
from resapermis_testing.certificates import NOBODY
from resapermis_testing.stand_ins.otlp import SpanReceiver

LIKE_A_SECRET = re.compile(
    rb"\beyJ[\w-]{10,}\.[\w-]{10,}|Bearer\s+\S+|[\w.+-]+@(?:mail|ecole)\.example|[?&](?:code|state|token)=[\w-]"
)
"""Tokens, addresses and codes that nobody listed."""
LONG_ENOUGH = 6
"""Bytes of base64 that mean something."""


def folded(text: str) -> str:
    """Without accents and capitals."""
    return "".join(one for one in unicodedata.normalize("NFD", text.casefold()) if not unicodedata.combining(one))


@dataclass(frozen=True)
class Wanted:
    """What must stand nowhere. `guessable`: few enough that whoever finds its hash finds it: a name, a number, an address."""

    text: str
    guessable: bool = False


def written_forms(wanted: Wanted) -> set[bytes]:
    """How a value may stand somewhere: itself, folded, escaped, in hexadecimal or base64, or as a hash that anybody can make again."""
    found: set[bytes] = set()
    value = wanted.text
    for text in {value, folded(value), value.upper(), value.lower(), unicodedata.normalize("NFD", value)}:
        data = text.encode()
        found |= {data, data.hex().encode(), quote(text).encode(), json.dumps(text)[1:-1].encode()}
        found.add("".join(f"\\{byte:03o}" if byte > 126 else chr(byte) for byte in data).encode())
        for shift in range(3):  # where it does not begin with a group of three bytes
            whole = base64.b64encode(b"\0" * shift + data)
            inner = whole[-(-shift * 8 // 6) : (shift + len(data)) * 8 // 6]  # what no neighbour changes
            if len(inner) >= LONG_ENOUGH:
                found |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
        for digest in (sha256(data), sha1(data), md5(data)) if wanted.guessable else ():  # noqa: S324 - what may have been done
            found |= {digest.hexdigest().encode(), base64.b64encode(digest.digest()).rstrip(b"=")}
    return found


async def _dump(stack: Stack, folder: Path) -> None:
    for database in sorted({service.database for service in SERVICES}):
        output = folder / f"database-{database}"
        command = [str(BINARIES / "pg_dump"), "--file", str(output), stack.owner_url(database)]
        process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
        _, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()


async def _bus(stack: Stack, folder: Path) -> None:
    client = await streams.connect(
        f"tls://127.0.0.1:{stack.ports.nats}", Certificates(stack.settings.tls / OPERATOR), OPERATOR
    )
    try:
        stream = client.jetstream()
        for info in await stream.streams_info():
            name, seen = str(info.config.name), 0
            reader = await stream.pull_subscribe(
                "", stream=name, config=ConsumerConfig(deliver_policy=DeliverPolicy.ALL)
            )
            with (folder / f"bus-{name}").open("wb") as output:
                while seen < info.state.messages:
                    for message in await reader.fetch(500, timeout=5):
                        headers = repr(message.headers).encode()
                        output.write(message.subject.encode() + b"\n" + headers + b"\n" + message.data + b"\n")
                        await message.ack()
                        seen += 1
    finally:
        await client.close()


def _metrics(stack: Stack, folder: Path, more: Mapping[str, int]) -> None:
    ports = {service.name: stack.ports.metrics(service) for service in SERVICES}
    ports |= {"bus-admin": stack.ports.bus_admin, **more}
    with httpx2.Client(timeout=5, verify=NOBODY) as web:
        for name, port in ports.items():
            (folder / f"metrics-{name}").write_bytes(web.get(f"http://127.0.0.1:{port}/metrics").content)


def collect(stack: Stack, receiver: SpanReceiver, folder: Path, more_metrics: Mapping[str, int] | None = None) -> None:
    """Write all of it into `folder`, a file for each place. `more_metrics`: further pages to read, by name and port."""
    for log in sorted((stack.home / "log").iterdir()):
        (folder / f"log-{log.name}").write_bytes(log.read_bytes())
    (folder / "traces").write_bytes(receiver.raw())
    _metrics(stack, folder, more_metrics or {})
    asyncio.run(_dump(stack, folder))
    asyncio.run(_bus(stack, folder))


def standing_in(folder: Path, values: Mapping[str, Wanted]) -> set[tuple[str, str]]:
    """(place, what) of each of `values` (what → value) that stands there in any form.

    By grep, which looks for thousands of texts at once: it is a hundred megabytes.
    """
    kinds: dict[bytes, set[str]] = {}
    for kind, value in values.items():
        for form in written_forms(value):
            kinds.setdefault(form, set()).add(kind)
    command = ("grep", "--only-matching", "--text", "--fixed-strings", "--with-filename", "--null", "--file=-")
    environment = {"LC_ALL": "C", "PATH": os.environ["PATH"]}
    files = [str(file) for file in sorted(folder.iterdir())]
    found = subprocess.run(  # noqa: S603 - ours
        (*command, *files), input=b"\n".join(sorted(kinds)), capture_output=True, env=environment, check=False
    )
    assert found.returncode in {0, 1}, found.stderr
    seen = set()
    for line in found.stdout.splitlines():
        file, _, match = line.partition(b"\0")
        place = Path(file.decode()).name
        seen |= {(place, kind) for kind in kinds[match]}
    return seen


def like_secrets(folder: Path) -> dict[str, set[bytes]]:
    """Places where something stands that looks like a token, an address or a code, with how each begins."""
    found = {
        file.name: {match[0][:12] for match in LIKE_A_SECRET.finditer(file.read_bytes())}
        for file in sorted(folder.iterdir())
    }
    return {place: beginnings for place, beginnings in found.items() if beginnings}
