"""py-spy on the services: sampled stacks to look at, and the largest costs as words."""

import asyncio
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

PROGRAM = Path(sys.executable).parent / "py-spy"


async def record(pids: Mapping[str, int], seconds: int, folder: Path) -> dict[str, dict[str, float]]:
    """Sample each process for so long; return each part's share of its samples, largest first.

    `<name>.stacks` in the folder has the samples, one line a stack (flamegraph.pl and speedscope read it); `<name>.txt`
    says which functions they pass through most.
    """
    await asyncio.gather(*(_record(pid, seconds, folder / f"{name}.stacks") for name, pid in pids.items()))
    found = {}
    for name in pids:
        stacks = (folder / f"{name}.stacks").read_text(encoding="utf-8")
        (folder / f"{name}.txt").write_text(functions(stacks), encoding="utf-8")
        found[name] = costs(stacks)
    return found


async def _record(pid: int, seconds: int, output: Path) -> None:
    command = [str(PROGRAM), "record", "--nonblocking", "-p", str(pid), "-d", str(seconds)]
    command += ["-r", "200", "-f", "raw", "-o", str(output)]
    child = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await child.communicate()
    if child.returncode != 0:
        msg = f"py-spy failed: {errors.decode('utf-8', 'replace')[-500:]}"
        raise RuntimeError(msg)


def functions(stacks: str) -> str:
    """Percent of samples that pass through each function, and that end in it; the hundred largest."""
    through: Counter[str] = Counter()
    ending: Counter[str] = Counter()
    for line in stacks.splitlines():
        text, _, count = line.rpartition(" ")
        frames = [frame.rpartition(":")[0] for frame in text.split(";")]  # "function (file:line)" without the line
        ending[frames[-1]] += int(count)
        for frame in set(frames):
            through[frame] += int(count)
    total = max(1, sum(ending.values()))
    rows = (
        f"{100 * many / total:6.1f} {100 * ending[frame] / total:6.1f}  {frame})"
        for frame, many in through.most_common(100)
    )
    return "\n".join(["through   ends  function", *rows]) + "\n"


_PARTS = (
    ("opentelemetry", "traces (OpenTelemetry)"),
    ("joserfc", "verifying principals (joserfc)"),
    ("cedarpy", "rights (Cedar)"),
    ("sqlalchemy", "statements (SQLAlchemy)"),
    ("asyncpg", "the database protocol (asyncpg)"),
    ("resapermis_kit/events/relay", "publishing events (relay)"),
    ("resapermis_kit/events", "handling events (consumers)"),
    ("nats/", "the bus protocol (NATS)"),
    ("stamina", "retries (stamina)"),
    ("resapermis_kit/rpc/peers", "calling peers (gRPC client)"),
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
