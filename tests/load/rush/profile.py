"""py-spy on basket: a flamegraph to look at, and the largest costs as words."""

import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path

PROGRAM = Path(sys.executable).parent / "py-spy"


async def record(pid: int, seconds: int, flamegraph: Path) -> dict[str, float]:
    """Sample `pid` for so long; write the flamegraph; return each part's share of the samples, largest first."""
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "stacks"
        await asyncio.gather(
            _record(pid, seconds, "flamegraph", flamegraph, 100), _record(pid, seconds, "raw", raw, 97)
        )
        return costs(raw.read_text(encoding="utf-8"))


async def _record(pid: int, seconds: int, form: str, output: Path, rate: int) -> None:
    command = [str(PROGRAM), "record", "--nonblocking", "-p", str(pid), "-d", str(seconds)]
    command += ["-r", str(rate), "-f", form, "-o", str(output)]
    child = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await child.communicate()
    if child.returncode != 0:
        msg = f"py-spy failed: {errors.decode('utf-8', 'replace')[-500:]}"
        raise RuntimeError(msg)


_PARTS = (
    ("opentelemetry", "traces (OpenTelemetry)"),
    ("joserfc", "verifying principals (joserfc)"),
    ("cedarpy", "rights (Cedar)"),
    ("sqlalchemy", "statements (SQLAlchemy)"),
    ("asyncpg", "the database protocol (asyncpg)"),
    ("resapermis_kit/bus", "publishing facts (relay)"),
    ("nats/", "publishing facts (relay)"),
    ("stamina", "retries (stamina)"),
    ("resapermis_kit/peers", "calling peers (gRPC client)"),
    ("grpc/", "answering calls (gRPC server)"),
    ("google/protobuf", "messages (protobuf)"),
    ("prometheus_client", "metrics"),
    ("resapermis_basket", "basket's own code"),
    ("resapermis_kit", "the kit"),
    ("uvloop", "the event loop"),
    ("asyncio", "the event loop"),
)


def costs(stacks: str) -> dict[str, float]:
    """Share of samples by the innermost frame whose file belongs to a part; percent, largest first."""
    found: Counter[str] = Counter()
    for line in stacks.splitlines():
        frames, _, count = line.rpartition(" ")
        for frame in reversed(frames.split(";")):
            part = next((name for word, name in _PARTS if word in frame), None)
            if part is not None:
                found[part] += int(count)
                break
        else:
            found["other"] += int(count)
    total = max(1, sum(found.values()))
    return {name: round(100 * count / total, 1) for name, count in found.most_common()}
