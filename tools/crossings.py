"""`make crossings`: which files a request crosses from HTTP to its answer, counted on a running stack.

While one request is answered, every process writes down whose functions ran in its trace. What leader tasks, the relay and
probes did in the same moment is of another trace; what consumers did with the events that the request published comes
after its commit and is left out. Each act is done three times, and what every one of them crossed is counted: what is
remembered for a second, such as an opened token, is then the same on a slow machine. Printed as JSON, an object per act:

    own       files of services that take the request, ask, write and answer: what is read to follow it
    pure      values and rules that they use (`domain`, `rules`, `places`): each is read for itself
    edge      files of auth-gateway that every signed-in request crosses: session, CSRF token, rights, problems
    egress    the way out to RdvPermis, which is the same for every question
    library   files of libs/kit and libs/vault

The exit status is 1 when an act crosses more files of its own than LIMITS, or when docs/architecture.md shows other
numbers.
"""

import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from demo import CATEGORY, DEPARTMENT, Demo, Places, free_base, until
from devstack.background import BackgroundStack
from devstack.components import SERVICES
from devstack.stack import Stack
from resapermis_kit.process.leader import run_forever

ROOT = Path(__file__).resolve().parents[1]
RECORDER = ROOT / "tools" / "crossings_recorder"
LIMITS = {"hold": 35, "search": 20, "create_mandate": 12, "read_audit": 9}
PAGE = ROOT / "docs" / "architecture.md"
ROWS = {
    "hold": "hold two slots",
    "search": "search slots (already polled)",
    "create_mandate": "ask for a mandate",
    "read_audit": "read the journal",
}
"""What the page calls each act."""
TIMES = 3
"""How often each act is done."""
EDGE = "session"
"""The act whose files every signed-in request crosses: it asks who is signed in."""
OTHERS = ("pure", "edge", "egress", "library")
"""The page's columns after the limit."""
GATEWAY = "services/auth-gateway/"
EGRESS = (
    f"{GATEWAY}src/resapermis_auth_gateway/egress/",
    f"{GATEWAY}src/resapermis_auth_gateway/tokens.py",  # opened for a call, when it is not remembered from the last
)
HTTP = "RequestResponseCycle.run_asgi"
PURE = frozenset({"domain", "domain.py", "persons", "places", "rules"})
"""Folders and files; of these are libs/persons, libs/places and libs/rules."""
NO_TRACE = "0" * 32
CONSUMER = frozenset({"Subscription._wait_for_msgs", run_forever.__qualname__})
"""Coroutines of the tasks that handle events: nats-py's, and the kit's."""

Run = Mapping[str, frozenset[str]]
"""What ran while an act was done: "<trace> <first coroutine of the task>" → files, from the repository's root."""


def crossed(run: Run) -> frozenset[str]:
    """The files that the act's one request crossed until it was answered. ValueError if there was none, or several."""
    traces = {
        key.split()[0]
        for key, files in run.items()
        if key.endswith(f" {HTTP}") and not key.startswith(NO_TRACE) and any(file.startswith(GATEWAY) for file in files)
    }
    if len(traces) != 1:
        msg = f"{len(traces)} requests were answered instead of one"
        raise ValueError(msg)
    (trace,) = traces
    kept = [files for key, files in run.items() if key.startswith(trace) and key.split()[1] not in CONSUMER]
    return frozenset().union(*kept)


def sorted_by_place(files: frozenset[str], edge: frozenset[str]) -> dict[str, list[str]]:
    """Split an act's files into own, pure, edge, egress and library."""
    places: dict[str, list[str]] = {"own": [], "pure": [], "edge": [], "egress": [], "library": []}
    for file in sorted(files):
        if file.startswith("libs/") and not PURE.intersection(Path(file).parts):
            places["library"].append(file)
        elif file in edge:
            places["edge"].append(file)
        elif file.startswith(EGRESS):
            places["egress"].append(file)
        elif PURE.intersection(Path(file).parts):
            places["pure"].append(file)
        else:
            places["own"].append(file)
    return places


def main() -> int:
    """Start a stack, do each act three times, print what it crossed each time."""
    with tempfile.TemporaryDirectory(prefix="resapermis-crossings-") as name:
        home = Path(name)
        home.chmod(0o755)  # as root, PostgreSQL runs as another user and must reach its folder
        written = home / "crossings"
        written.mkdir()
        settings = {"PYTHONPATH": str(RECORDER), "CROSSINGS_DIR": str(written)}
        with BackgroundStack(Stack(home / "home", free_base(), settings=settings)) as background:
            runs = {
                act: frozenset.intersection(*(crossed(_run(background.stack, written, one)) for one in each))
                for act, each in _acts(Demo(Places.of(background.stack))).items()
            }
    edge = runs.pop(EDGE)
    counted = {act: sorted_by_place(files, edge) for act, files in runs.items()}
    shown = {
        act: {"limit": LIMITS[act]} | {place: len(files) for place, files in places.items()} | {"files": places}
        for act, places in counted.items()
    }
    json.dump(shown, sys.stdout, indent=1)
    print()
    above = [act for act, places in counted.items() if len(places["own"]) > LIMITS[act]]
    if above:
        print(f"crossings: more files than their limit: {', '.join(above)}", file=sys.stderr)
    page = PAGE.read_text(encoding="utf-8")
    missing = [shown_as(act, places) for act, places in counted.items() if not says(page, act, places)]
    if missing:
        print(f"crossings: {PAGE.relative_to(ROOT)} should say\n" + "\n".join(missing), file=sys.stderr)
    return 1 if above or missing else 0


def shown_as(act: str, places: Mapping[str, Sequence[str]]) -> str:
    """The act's row in the page's table: own files, their limit, then the other places, a dash for none."""
    others = " | ".join(str(len(places[place]) or "–") for place in OTHERS)
    return f"| {ROWS[act]} | **{len(places['own'])}** | {LIMITS[act]} | {others} |"


def says(page: str, act: str, places: Mapping[str, Sequence[str]]) -> bool:
    """Whether the page has the act's row, own files within one, the others within two."""
    row = next((line for line in page.splitlines() if line.startswith(f"| {ROWS[act]} | ")), "")
    cells = [
        0 if cell == "–" else int(cell.strip("*")) for cell in row.split(" | ")[1:] for cell in [cell.rstrip(" |")]
    ]
    now = [len(places["own"]), LIMITS[act], *(len(places[place]) for place in OTHERS)]
    apart = [abs(cell - number) for cell, number in zip(cells, now, strict=False)]
    return len(cells) == len(now) and apart[0] <= 1 and apart[1] == 0 and max(apart) <= 2


def _run(stack: Stack, folder: Path, act: Callable[[], object]) -> Run:
    pids = [pid for service in SERVICES if (pid := stack.process(service.name).pid) is not None]
    for pid in pids:
        os.kill(pid, signal.SIGUSR1)
    act()
    for pid in pids:
        os.kill(pid, signal.SIGUSR2)
    found: dict[str, frozenset[str]] = {}
    for pid in pids:
        file = folder / f"{pid}.json"
        until(file.exists, f"what process {pid} did")
        for key, names in json.loads(file.read_text(encoding="utf-8")).items():
            files = frozenset(str(Path(name).relative_to(ROOT)) for name in names)
            found[key] = found.get(key, frozenset()) | files
        file.unlink()
    return found


def _acts(demo: Demo) -> dict[str, Sequence[Callable[[], object]]]:
    """Each ready to be done three times; what they need is done before, such as the poll of RdvPermis for a search."""
    for _, step in list(demo.steps())[:5]:
        step()
    school, today = demo.school, date.today()  # noqa: DTZ011 - the school's own day
    window = {"from": str(today + timedelta(days=2)), "to": str(today + timedelta(days=9))}
    pairs = [[{"slotId": slot["id"]} for slot in demo.chosen[i : i + 2]] for i in range(0, 2 * TIMES, 2)]
    free = {"group": CATEGORY, "count": TIMES}
    persons = demo._control("GET", "/candidates/free", params=free)  # noqa: SLF001 - its own step's
    mandates = [{"candidateId": _written(demo, person), "category": CATEGORY} for person in persons]

    def search() -> object:
        return school.get("/api/v1/slots", department=DEPARTMENT, category=CATEGORY, **window)

    search()
    return {
        "hold": [partial(school.act, "POST", "/api/v1/basket/items", {"items": pair}) for pair in pairs],
        "search": [search] * TIMES,
        "create_mandate": [partial(school.act, "POST", "/api/v1/mandates", mandate) for mandate in mandates],
        "read_audit": [partial(school.get, "/api/v1/audit/records", limit=10)] * TIMES,
        EDGE: [partial(school.get, "/auth/session")] * TIMES,
    }


def _written(demo: Demo, person: Mapping[str, Any]) -> str:
    """The id of the file that the school opens for this person."""
    body = {"lastName": person["last_name"], "firstName": person["first_name"], "neph": person["neph"]}
    return str(demo.school.act("POST", "/api/v1/candidates", body | {"email": person["email"]})["id"])


if __name__ == "__main__":
    sys.exit(main())
