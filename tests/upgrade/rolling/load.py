"""Schools at work over HTTP, and callers over gRPC, from before an upgrade to its end; each answer is counted where it falls."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from random import Random
from typing import Any

import httpx2
from journey import DrivingSchool, TheState, exam_day, until
from rolling.door import Door, ThroughTheDoor
from run.office import Office
from under_load import short_holds

from demo import Broken
from devstack.components import SERVICES
from devstack.settings import Settings
from resapermis.events.v1 import events_pb2, events_pb2_grpc
from resapermis_kit.errors import Failure
from resapermis_kit.rpc import peers
from resapermis_kit.tls.certificates import Certificates

DEPARTMENTS = ("094", "075")
SCHOOLS, SLOTS, PEOPLE = 2, 10, 4
"""Schools of a department, slots that they meet on, candidates of a school."""
ASKER = "audit"
"""Whose certificate the callers over gRPC have: it may have every source repeat its events."""
LED_HOME = "sign-in ended at / "
"""What the browser of these tests says there: no pages are built in the tree of a release of before."""
BETWEEN_QUESTIONS_SECONDS, BETWEEN_VISITS_SECONDS = 0.25, 0.5


class Load:
    """Four schools, two that come and go, and a caller of every source. `door` is where browsers go."""

    def __init__(self, settings: Settings, door: Door, seed: int) -> None:
        """Nobody has come yet."""
        self.state = TheState(settings.sandbox_url)
        self.offices: list[Office] = []
        self.rpcs: Counter[str] = Counter()
        self.said: list[str] = []
        """What stood against a sign-in."""
        self.broken: list[str] = []
        """Of this load itself."""
        self._settings, self._door, self._seed = settings, door, seed
        self._end = threading.Event()
        self._threads: list[threading.Thread] = []

    def prepare(self, rules_url: str) -> None:
        """Schools sign in and write candidates down; slots are published and found by the search."""
        self.state.limit(employee=100_000, online=100_000)
        asyncio.run(short_holds(rules_url))
        names = [(department, number) for number in range(1, SCHOOLS + 1) for department in DEPARTMENTS]
        with ThreadPoolExecutor(3) as pool:
            schools = list(pool.map(self._school, names))
        slots = {department: self._slots(department, schools) for department in DEPARTMENTS}
        with ThreadPoolExecutor(3) as pool:
            people = list(pool.map(lambda school: [school.candidate() for _ in range(PEOPLE)], schools))
        for school, known in zip(schools, people, strict=True):
            rng = Random(f"{self._seed} {school.id}")  # noqa: S311 - repeatable on purpose
            self.offices.append(Office(school, slots[school.wire_department], known, rng, self._end))

    def _school(self, name: tuple[str, int]) -> DrivingSchool:
        school = self._browser(name)
        school.come_in()
        return school

    def _browser(self, name: tuple[str, int]) -> DrivingSchool:
        """Of somebody who has not signed in yet."""
        school = DrivingSchool(self._settings.public_url, self.state, *name)
        school.web.close()
        school.web = httpx2.Client(base_url=self._settings.public_url, timeout=25, transport=ThroughTheDoor(self._door))
        return school

    def _slots(self, department: str, schools: Sequence[DrivingSchool]) -> list[str]:
        school = next(one for one in schools if one.wire_department == department)
        centre = f"ce-{department}-1"
        slots = self.state.publish(centre, exam_day(), SLOTS)

        def seen() -> bool:
            found = {one["id"] for one in school.search(centre=centre, poll_now=True)["items"]}
            return found >= set(slots)

        until(seen, f"fresh slots of {department} in the search", 60)
        return slots

    def begin(self) -> None:
        """From now on, until `stop`."""
        work: list[Callable[[], None]] = [office.work for office in self.offices]
        work += [partial(self._search, office.school) for office in self.offices[:2]]
        work += [partial(self._come_and_go, (department, SCHOOLS + 1)) for department in DEPARTMENTS]
        work.append(lambda: asyncio.run(self._ask_all()))
        self._threads = [threading.Thread(target=self._do, args=(one,)) for one in work]
        for thread in self._threads:
            thread.start()

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - shown in the report: a load that ended early shows nothing
            self.broken.append(f"{type(error).__name__}: {error}")

    def stop(self) -> None:
        """Have all come to an end, and wait for it."""
        self._end.set()
        for thread in self._threads:
            thread.join()

    def counted(self) -> Counter[str]:
        """All answers until now, by what was asked and what came: "hold SLOT_TAKEN", "read 200", "rpc basket OK"."""
        return sum((office.tally for office in self.offices), Counter()) + Counter(dict(self.rpcs))

    def _search(self, school: DrivingSchool) -> None:
        """Somebody else of the school looks for slots."""
        day = str(exam_day())
        asked: Mapping[str, Any] = {"department": school.department, "category": "B", "from": day, "to": day}
        with httpx2.Client(
            base_url=self._settings.public_url,
            timeout=25,
            cookies=dict(school.web.cookies),
            transport=ThroughTheDoor(self._door),
        ) as web:
            while not self._end.wait(BETWEEN_QUESTIONS_SECONDS):
                try:
                    status = str(web.get("/api/v1/slots", params=asked).status_code)
                except httpx2.HTTPError:
                    status = "NO_ANSWER"
                self.rpcs[f"search {status}"] += 1

    def _come_and_go(self, name: tuple[str, int]) -> None:
        """Somebody signs in, looks at the basket and signs out, again and again; whichever faces they meet on the way."""
        while not self._end.wait(BETWEEN_VISITS_SECONDS):
            try:
                school = self._browser(name)
                try:
                    self._sign_in(school)
                    school.get("/api/v1/basket")
                    school.act("POST", "/auth/logout")
                finally:
                    school.web.close()
            except (Broken, AssertionError, KeyError, httpx2.HTTPError) as failed:
                self.rpcs["sign-in FAILED"] += 1
                self.said.append(f"{name}: {type(failed).__name__}: {str(failed)[:300]}")
            else:
                self.rpcs["sign-in 200"] += 1

    def _sign_in(self, school: DrivingSchool) -> None:
        """Who leaves by a face of one release and comes back by one of another may be led home instead of to their page."""
        try:
            school.come_in()
        except Broken as elsewhere:
            if LED_HOME not in str(elsewhere):
                raise
            school.csrf = school.get("/auth/session")["csrfToken"]
            self.rpcs["sign-in led home"] += 1

    async def _ask_all(self) -> None:
        sources = [service for service in SERVICES if service.face != "egress"]
        certificates = Certificates(self._settings.tls / ASKER)
        channels = {
            service.name: peers.channel(self._settings.address(service), certificates, service.name)
            for service in sources
        }
        try:
            await asyncio.gather(*(self._ask(name, channel) for name, channel in channels.items()))
        finally:
            for channel in channels.values():
                await channel.close()

    async def _ask(self, name: str, channel: Any) -> None:
        """As a consumer asks: tried again for a second while nobody answers."""
        stub = events_pb2_grpc.EventsServiceStub(channel)
        question = events_pb2.ReplayRequest(stream="events", first_number=1, last_number=1)
        while not self._end.is_set():
            try:
                await peers.ask(stub.Replay, question, timeout=5, principal="")
            except Failure as failure:
                self.rpcs[f"rpc {name} {failure.name}"] += 1
            else:
                self.rpcs[f"rpc {name} OK"] += 1
            await asyncio.sleep(BETWEEN_QUESTIONS_SECONDS)
