"""Against the sandbox over a real socket: the happy paths, the 207s, the limits and the faults of the State's service."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID

import httpx2
import pytest

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as pb
from resapermis_kit.errors import Code

from .conftest import World

pytestmark = pytest.mark.req("S-03")
HELD, REFUSED, UNKNOWN = (pb.HoldResult.OUTCOME_HELD, pb.HoldResult.OUTCOME_REFUSED, pb.HoldResult.OUTCOME_UNKNOWN)
NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def schools(sandbox: Any) -> Iterator[Any]:
    """Each test takes the next one, and has its threshold to itself."""
    return iter(sandbox.schools.values())


@dataclass
class Desk:
    """A school at work: signed in at the sandbox, its tokens kept as the web face keeps them."""

    world: World
    http: httpx2.AsyncClient
    session: UUID
    school_id: str
    department: str

    async def control(self, method: str, path: str, content: Any = None) -> Any:
        answer = await self.http.request(method, f"/control/{path}", json=content)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def faults(self, *rules: dict[str, Any]) -> None:
        await self.control("POST", "faults", list(rules))

    async def calls(self) -> int:
        return sum((await self.control("GET", f"state?school={self.school_id}"))["calls"].values())

    async def ask(self, method: str, request: Any, **more: Any) -> Any:
        return await self.world.ask(method, request, self.session, school_id=self.school_id, **more)

    async def refused(self, method: str, request: Any, **more: Any) -> Any:
        return await self.world.refused(method, request, self.session, school_id=self.school_id, **more)

    async def slots(self, count: int) -> list[str]:
        """Publish fresh slots at the first centre of the school's department."""
        centres = await self.ask("SearchCentres", pb.SearchCentresRequest(department=self.department, category="B"))
        centre = next(centre for centre in centres.centres if not centre.closed)
        starts = [f"{8 + n // 2:02d}:{n % 2 * 30:02d}" for n in range(count)]
        day = (NOW + timedelta(days=20)).date().isoformat()
        order = {"centre": centre.id, "date": day, "starts": starts, "at": (NOW - timedelta(days=1)).isoformat()}
        made: list[str] = await self.control("POST", "slots/publish", order)
        return made

    async def candidates(self, count: int) -> list[dict[str, Any]]:
        """New candidates under an accepted mandate of the school."""
        found = []
        for _ in range(count):
            number = next(_NEPHS)
            body = {"neph": number, "first_name": "Ada", "last_name": "Sable", "email": f"{number}@x.example"}
            person = await self.control("POST", "candidates", body)
            order = {"candidate": person["id"], "school": self.school_id}
            found.append(
                {"id": person["id"], "neph": number} | {"mandate": await self.control("POST", "mandates", order)}
            )
        return found

    async def hold(
        self, slots: list[str], candidates: list[dict[str, Any]] | None = None, basket_id: str = ""
    ) -> pb.HoldSlotsResponse:
        named = [person["id"] for person in candidates or []] + [""] * len(slots)
        lines = [pb.HoldSlot(slot_id=s, rdvpermis_candidate_id=c) for s, c in zip(slots, named, strict=False)]
        answer: pb.HoldSlotsResponse = await self.ask(
            "HoldSlots", pb.HoldSlotsRequest(slots=lines, basket_id=basket_id)
        )
        return answer


_NEPHS = iter(f"0{n:011d}" for n in range(10**6, 10**7))


async def authorize(http: httpx2.AsyncClient, at: Any, username: str) -> dict[str, Any]:
    """Sign in as a browser would, and trade the code."""
    query = urlencode(
        {
            "client_id": "resapermis",
            "redirect_uri": at.redirect_uris[0],
            "response_type": "code",
            "scope": "openid rdvpermis",
            "state": "s",
        }
    )
    page = await http.get(f"{at.issuer}/protocol/openid-connect/auth?{query}")
    action = re.search(r'action="([^"]+)"', page.text).group(1).replace("&amp;", "&")
    back = await http.post(action, data={"username": username, "password": "sandbox"})
    code = parse_qs(urlsplit(back.headers["location"]).query)["code"][0]
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": at.redirect_uris[0],
        "client_id": "resapermis",
        "client_secret": at.client_secret,
    }
    return (await http.post(f"{at.issuer}/protocol/openid-connect/token", data=form)).json()


@pytest.fixture
async def desk(sandbox: Any, schools: Iterator[Any], make_world) -> AsyncIterator[Desk]:
    await sandbox.begin(NOW, frozen=True)
    world = await make_world(sandbox.url, sandbox.issuer, secret=sandbox.settings.client_secret)
    async with sandbox.http() as http:
        school = next(schools)
        given = await authorize(http, sandbox.settings, f"gerant.{school.id.removeprefix('ae-')}")
        claims = json.loads(base64.urlsafe_b64decode(given["id_token"].split(".")[1] + "=="))
        session = await world.sign_in(school.id, given["access_token"], given["refresh_token"], subject=claims["sub"])
        yield Desk(world, http, session, school.id, school.department.removeprefix("0"))


async def test_the_school_is_given_in_our_words(desk):
    school = await desk.ask("GetSchool", pb.GetSchoolRequest(), caller="auth-gateway")
    assert (school.school_id, school.department) == (desk.school_id, desk.department)
    assert school.name
    assert school.HasField("latitude_degrees")
    assert school.declared_fte > 0


async def test_a_day_of_a_centre_is_read_in_utc_with_its_age(desk):
    (slot,) = await desk.slots(1)
    centres = await desk.ask("SearchCentres", pb.SearchCentresRequest(department=desk.department, category="B"))
    day = (NOW + timedelta(days=20)).date().isoformat()
    found = []
    for centre in centres.centres:
        request = pb.SearchPlanningRequest(category="B", centre_id=centre.id, date=day, time_zone="Europe/Paris")
        answer = await desk.ask("SearchPlanning", request, caller="scheduling-rules")
        assert answer.HasField("seen_at")
        found += [one for one in answer.slots if one.id == slot]
        if found:
            break
    (one,) = found
    assert one.starts_at.ToDatetime(UTC).isoformat() == f"{day}T07:00:00+00:00"  # 8 o'clock in Paris in winter
    assert one.published_at.ToDatetime(UTC) == NOW - timedelta(days=1)
    assert (one.status, one.category, one.kind) == ("DISPONIBLE", "B", "CIRCULATION")


async def test_the_threshold_is_read(desk):
    answer = await desk.ask("GetThreshold", pb.GetThresholdRequest(category="B", month="2026-12"))
    assert answer.limit > 0
    assert (answer.HasField("taken"), answer.fte > 0, answer.rate_per_fte > 0) == (True, True, True)


async def test_a_mandate_is_asked_found_and_refused_with_its_word(desk):
    free = (await desk.control("GET", "candidates/free?count=1"))[0]
    request = pb.CreateMandateRequest(last_name=free["last_name"], neph=free["neph"], email=free["email"], category="B")
    made = (await desk.ask("CreateMandate", request, caller="mandate")).mandate
    assert made.rdvpermis_candidate_id == free["id"]
    again = await desk.refused("CreateMandate", request, caller="mandate")
    assert again.rdvpermis_code.startswith("CANDIDAT_")
    unknown = pb.CreateMandateRequest(last_name="Personne", neph="999999999999", category="B")
    refused = await desk.refused("CreateMandate", unknown, caller="mandate")
    assert refused.code == Code.CODE_RDVPERMIS_CANDIDATE_UNKNOWN
    search = pb.SearchMandatesRequest(category="B", neph=free["neph"])
    (found,) = (await desk.ask("SearchMandates", search, caller="mandate")).mandates
    assert (found.id, found.neph) == (made.id, free["neph"])


async def test_pages_of_mandates_say_whether_more_follow(desk):
    await desk.candidates(3)
    one = await desk.ask("SearchMandates", pb.SearchMandatesRequest(category="B", page_size=2), caller="mandate")
    two = await desk.ask(
        "SearchMandates", pb.SearchMandatesRequest(category="B", page=1, page_size=2), caller="mandate"
    )
    assert (len(one.mandates), one.has_more) == (2, True)
    assert not {m.id for m in one.mandates} & {m.id for m in two.mandates}


async def test_eligibility_is_rdvpermis_word(desk):
    (slot,), (person,) = await desk.slots(1), await desk.candidates(1)
    known = await desk.ask("CheckEligibility", pb.CheckEligibilityRequest(slot_id=slot, neph=person["neph"]))
    assert (known.known, known.eligible) == (True, True)
    other = await desk.ask("CheckEligibility", pb.CheckEligibilityRequest(slot_id=slot, neph="999999999999"))
    assert not other.known


async def test_three_slots_are_held_named_validated_listed_replaced_and_cancelled(desk):
    slots, people = await desk.slots(3), await desk.candidates(4)
    before = await desk.calls()
    held = await desk.hold(slots, people[:3])
    assert [(line.slot_id, line.outcome, line.naming_code) for line in held.results] == [(s, HELD, "") for s in slots]
    assert held.expires_at.ToDatetime(UTC) > NOW
    assert await desk.calls() - before == 1 + 1 + 3

    basket = (await desk.ask("GetBasket", pb.GetBasketRequest(basket_id=held.basket_id))).basket
    assert {line.slot_id: line.rdvpermis_candidate_id for line in basket.lines} == {
        slot: person["id"] for slot, person in zip(slots, people[:3], strict=True)
    }
    baskets = await desk.ask("ListBaskets", pb.ListBasketsRequest())
    assert held.basket_id in [one.id for one in baskets.baskets]
    await desk.ask("ReleaseSlot", pb.ReleaseSlotRequest(basket_id=held.basket_id, slot_id=slots[2]))

    done = await desk.ask("ValidateBasket", pb.ValidateBasketRequest(basket_id=held.basket_id))
    assert {line.slot_id: line.booked for line in done.results} == {slots[0]: True, slots[1]: True}
    exams = (await desk.ask("ListExams", pb.ListExamsRequest(category="B"))).exams
    assert {exam.slot_id: exam.id for exam in exams if exam.slot_id in slots} == {
        line.slot_id: line.exam_id for line in done.results
    }
    assert all(exam.HasField("starts_at") and exam.rdvpermis_candidate_id for exam in exams)

    left = await desk.ask("GetReplacements", pb.GetReplacementsRequest(category="B", date="2026-12-21"))
    replace = pb.ReplaceCandidateRequest(exam_id=done.results[0].exam_id, rdvpermis_candidate_id=people[3]["id"])
    await desk.ask("ReplaceCandidate", replace)
    after = await desk.ask("GetReplacements", pb.GetReplacementsRequest(category="B", date="2026-12-21"))
    assert (left.left - after.left, left.per_month > 0) == (1, True)
    cancel = pb.CancelExamRequest(exam_id=done.results[1].exam_id)
    await desk.ask("CancelExam", cancel)
    assert (await desk.refused("CancelExam", cancel)).code == Code.CODE_RDVPERMIS_EXAM_FIXED
    missing = await desk.refused("CancelExam", pb.CancelExamRequest(exam_id="ex-none"))
    assert missing.code == Code.CODE_NOT_FOUND


async def test_two_bookings_change_places(desk):
    slots, people = await desk.slots(3), await desk.candidates(3)
    held = await desk.hold(slots, people)
    done = await desk.ask("ValidateBasket", pb.ValidateBasketRequest(basket_id=held.basket_id))
    exams = {line.slot_id: line.exam_id for line in done.results}
    one, two, three = (exams[slot] for slot in slots)
    day = (NOW + timedelta(days=20)).date().isoformat()
    found = (await desk.ask("ListSwappable", pb.ListSwappableRequest(exam_id=one, date=day))).exams
    assert {exam.id for exam in found} == {two, three}
    assert all(exam.slot.centre_id and exam.slot.HasField("starts_at") for exam in found)
    await desk.ask("SwapExams", pb.SwapExamsRequest(exam_id=one, other_exam_id=two))
    after = (await desk.ask("ListExams", pb.ListExamsRequest(category="B", date=day))).exams
    assert {exam.id: exam.rdvpermis_candidate_id for exam in after if exam.id in {one, two}} == {
        one: people[1]["id"],
        two: people[0]["id"],
    }
    await desk.control("POST", f"exams/{three}/lock")
    refused = await desk.refused("SwapExams", pb.SwapExamsRequest(exam_id=one, other_exam_id=three))
    assert (refused.code, refused.rdvpermis_code) == (Code.CODE_RDVPERMIS_CHANGE_IMPOSSIBLE, "PERMUTATION_IMPOSSIBLE")


@pytest.mark.req("R-31")
async def test_what_was_booked_by_hand_is_listed_with_its_slot(desk):
    (slot,), (person,) = await desk.slots(1), await desk.candidates(1)
    order = {"slot": slot, "school": desk.school_id, "candidate": person["id"]}
    exam_id = (await desk.control("POST", "exams", order))["id"]
    exams = (await desk.ask("ListExams", pb.ListExamsRequest(category="B"))).exams
    (exam,) = [exam for exam in exams if exam.id == exam_id]
    assert (exam.slot.id, exam.status, exam.rdvpermis_candidate_id) == (slot, "PROGRAMME", person["id"])
    (other,) = await desk.candidates(1)
    await desk.control("POST", f"exams/{exam_id}/replace", {"candidate": other["id"]})
    exams = (await desk.ask("ListExams", pb.ListExamsRequest(category="B"))).exams
    assert [e.rdvpermis_candidate_id for e in exams if e.id == exam_id] == [other["id"]]
    await desk.control("DELETE", f"exams/{exam_id}")
    exams = (await desk.ask("ListExams", pb.ListExamsRequest(category="B"))).exams
    assert exam_id not in [exam.id for exam in exams]


@pytest.mark.req("R-22")
async def test_a_result_and_its_penalty_stand_in_the_standings(desk):
    (slot,), (person,) = await desk.slots(1), await desk.candidates(1)
    held = await desk.hold([slot], [person])
    done = await desk.ask("ValidateBasket", pb.ValidateBasketRequest(basket_id=held.basket_id))
    exam_id = done.results[0].exam_id
    await desk.control("POST", "results", {"exam": exam_id, "points": 12})
    standings, page, more = {}, 0, True
    while more:
        answer = await desk.ask("ListStandings", pb.ListStandingsRequest(category="B", page=page))
        standings |= {one.rdvpermis_candidate_id: one for one in answer.standings}
        page, more = page + 1, answer.has_more
    (result,) = standings[person["id"]].results
    assert (result.exam_id, result.passed, result.points, result.HasField("at")) == (exam_id, False, 12, True)
    (penalty,) = standings[person["id"]].penalties
    assert (penalty.reason, penalty.until.ToDatetime(UTC) > NOW) == ("ECHEC", True)


async def test_everybodys_eligibility_comes_in_one_call(desk):
    (slot,), people = await desk.slots(1), await desk.candidates(2)
    before = await desk.calls()
    answer = await desk.ask("CheckEligibility", pb.CheckEligibilityRequest(slot_id=slot))
    assert await desk.calls() - before == 1
    words = {one.rdvpermis_candidate_id: (one.eligible, one.rdvpermis_code) for one in answer.candidates}
    assert [words[person["id"]] for person in people] == [(True, ""), (True, "")]


async def test_employees_favourites_and_trainers(desk):
    employees = (await desk.ask("ListEmployees", pb.ListEmployeesRequest())).employees
    assert len(employees) > 1
    assert all(one.id and one.first_name and one.last_name for one in employees)
    centres = await desk.ask("SearchCentres", pb.SearchCentresRequest(department=desk.department, category="B"))
    chosen = [pb.RdvFavourite(centre_id=centres.centres[0].id, priority=1)]
    await desk.ask("SetFavourites", pb.SetFavouritesRequest(category="B", favourites=chosen), caller="scheduling-rules")
    kept = (await desk.ask("ListFavourites", pb.ListFavouritesRequest())).favourites
    assert [(one.category, one.centre_id, one.priority) for one in kept] == [("B", centres.centres[0].id, 1)]
    unknown = [pb.RdvFavourite(centre_id="ce-none", priority=1)]
    refused = await desk.refused(
        "SetFavourites", pb.SetFavouritesRequest(category="B", favourites=unknown), caller="scheduling-rules"
    )
    assert refused.rdvpermis_code == "CENTRE_INCONNU"
    await desk.ask(
        "DeclareTrainers", pb.DeclareTrainersRequest(fte=7.5), caller="scheduling-rules", role="school_admin"
    )
    assert (await desk.ask("GetSchool", pb.GetSchoolRequest())).declared_fte == 7.5


async def test_a_basket_opened_before_makes_the_hold_one_call(desk):
    slots = await desk.slots(2)
    opened = (await desk.ask("OpenBasket", pb.OpenBasketRequest())).basket
    before = await desk.calls()
    held = await desk.hold(slots, basket_id=opened.id)
    assert await desk.calls() - before == 1
    assert [line.outcome for line in held.results] == [HELD, HELD]
    assert (held.basket_id, held.expires_at) == (opened.id, opened.expires_at)


async def test_a_basket_opened_before_that_ended_is_opened_anew(desk):
    slots = await desk.slots(1)
    opened = (await desk.ask("OpenBasket", pb.OpenBasketRequest())).basket
    await desk.ask("DropBasket", pb.DropBasketRequest(basket_id=opened.id))
    held = await desk.hold(slots, basket_id=opened.id)
    assert ([line.outcome for line in held.results], held.basket_id != opened.id) == ([HELD], True)
    assert held.HasField("expires_at")
    gone = await desk.refused("DropBasket", pb.DropBasketRequest(basket_id=opened.id))
    assert gone.code == Code.CODE_RDVPERMIS_BASKET_GONE


async def test_slots_lost_on_the_way_into_a_basket_opened_before_are_unknown_and_no_other_is_opened(desk):
    slots = await desk.slots(2)
    opened = (await desk.ask("OpenBasket", pb.OpenBasketRequest())).basket
    await desk.faults({"kind": "cut_after", "path": "creneaux-multiples", "count": 1})
    held = await desk.hold(slots, basket_id=opened.id)
    assert [line.outcome for line in held.results] == [UNKNOWN, UNKNOWN]
    assert (held.basket_id, held.HasField("expires_at")) == (opened.id, False)
    assert [one.id for one in (await desk.ask("ListBaskets", pb.ListBasketsRequest())).baskets] == [opened.id]


async def test_what_a_rival_took_is_refused_with_its_word_and_the_rest_is_held(desk):
    slots, people = await desk.slots(3), await desk.candidates(3)
    await desk.control("POST", "rivals/take", {"slot": slots[1]})
    held = await desk.hold(slots, people)
    assert [line.outcome for line in held.results] == [HELD, REFUSED, HELD]
    assert held.results[1].rdvpermis_code == "CRENEAU_DEJA_RESERVE"
    assert held.results[1].code == Code.CODE_RDVPERMIS_SLOT_GONE


async def test_a_refused_name_leaves_the_line_held_and_says_why(desk):
    slots, (person,) = await desk.slots(2), await desk.candidates(1)
    held = await desk.hold(slots, [person, {"id": "cx-nobody"}])
    assert [line.outcome for line in held.results] == [HELD, HELD]
    assert held.results[0].naming_code == ""
    assert held.results[1].naming_code.startswith("CANDIDAT_")
    assert held.results[1].naming_refusal != Code.CODE_UNSPECIFIED
    name = pb.NameCandidateRequest(basket_id=held.basket_id, slot_id=slots[1], rdvpermis_candidate_id=person["id"])
    again = await desk.refused("NameCandidate", name)
    assert again.code == Code.CODE_RDVPERMIS_CANDIDATE_ALREADY


async def test_a_validation_may_fail_line_by_line(desk):
    slots, people = await desk.slots(2), await desk.candidates(2)
    held = await desk.hold(slots, people)
    await desk.control("POST", "slots/withdraw", {"slot": slots[0]})
    done = await desk.ask("ValidateBasket", pb.ValidateBasketRequest(basket_id=held.basket_id))
    lines = {line.slot_id: line for line in done.results}
    assert [lines[slot].booked for slot in slots] == [False, True]
    assert lines[slots[0]].code != Code.CODE_UNSPECIFIED
    assert lines[slots[0]].rdvpermis_code


async def test_a_basket_that_ended_is_absent_when_read_and_gone_when_validated(desk):
    gone = await desk.ask("GetBasket", pb.GetBasketRequest(basket_id="pa-none"))
    assert not gone.HasField("basket")
    refused = await desk.refused("ValidateBasket", pb.ValidateBasketRequest(basket_id="pa-none"))
    assert refused.code == Code.CODE_RDVPERMIS_BASKET_GONE


async def test_a_basket_lost_at_its_opening_leaves_every_line_unknown(desk):
    slots = await desk.slots(2)
    await desk.faults({"kind": "cut_after", "path": "/paniers$", "method": "POST", "count": 1})
    held = await desk.hold(slots)
    assert (held.basket_id, [line.outcome for line in held.results]) == ("", [UNKNOWN, UNKNOWN])


@pytest.mark.parametrize("kind", ["cut_before", "cut_after", "5xx", "html"])
async def test_slots_lost_on_the_way_are_unknown_and_the_basket_tells_later(desk, kind):
    slots = await desk.slots(2)
    await desk.faults({"kind": kind, "path": "creneaux-multiples", "count": 1})
    held = await desk.hold(slots)
    assert [line.outcome for line in held.results] == [UNKNOWN, UNKNOWN]
    basket = (await desk.ask("GetBasket", pb.GetBasketRequest(basket_id=held.basket_id))).basket
    assert {line.slot_id for line in basket.lines} == (set(slots) if kind == "cut_after" else set())


async def test_a_name_lost_on_the_way_is_reported(desk):
    slots, people = await desk.slots(1), await desk.candidates(1)
    await desk.faults({"kind": "cut_after", "path": "/candidat$", "count": 1})
    held = await desk.hold(slots, people)
    assert (held.results[0].outcome, held.results[0].naming_unknown) == (HELD, True)


@pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
async def test_a_validation_cut_is_unknown_and_asked_once(desk, kind):
    slots, people = await desk.slots(1), await desk.candidates(1)
    held = await desk.hold(slots, people)
    await desk.faults({"kind": kind, "path": "/valider$"})
    refused = await desk.refused("ValidateBasket", pb.ValidateBasketRequest(basket_id=held.basket_id))
    assert refused.code == Code.CODE_UNKNOWN_OUTCOME
    (rule,) = await desk.control("GET", "faults")
    assert rule["struck"] == 1
    exams = (await desk.ask("ListExams", pb.ListExamsRequest(category="B"))).exams
    assert {exam.slot_id for exam in exams} >= (set(slots) if kind == "cut_after" else set())


async def test_a_slow_rdvpermis_is_waited_for(desk):
    await desk.faults({"kind": "latency", "latency_ms": 300, "count": 1})
    assert (await desk.ask("GetSchool", pb.GetSchoolRequest())).school_id == desk.school_id


@pytest.mark.req("R-27")
@pytest.mark.parametrize("retry_after", ["seconds", "date", "absent"])
async def test_the_sandboxs_own_429_is_obeyed(desk, retry_after):
    await desk.control("POST", "limits", {"employee": 2, "online": 2, "retry_after": retry_after})
    outcomes = []
    for _ in range(4):
        try:
            await desk.ask("GetSchool", pb.GetSchoolRequest())
        except Exception as error:  # noqa: BLE001 - judged below
            outcomes.append(getattr(error, "code", None))
    assert set(outcomes) == {Code.CODE_RDVPERMIS_BUDGET}
    assert len(outcomes) == 2


@pytest.mark.req("S-02")
async def test_a_token_that_ends_is_renewed_at_the_provider_unnoticed(desk):
    await desk.control(
        "POST", "clock", {"advance_seconds": 400}
    )  # the sandbox's access tokens are over, ours think not
    desk.world.provider._now = lambda: NOW + timedelta(seconds=400)  # an ID token of that moment comes along
    assert (await desk.ask("GetSchool", pb.GetSchoolRequest())).school_id == desk.school_id
    await desk.control("POST", "clock", {"advance_seconds": 4000})  # and now the refresh token too
    assert (await desk.refused("GetSchool", pb.GetSchoolRequest())).code == Code.CODE_RECONNECT_NEEDED


async def test_sixteen_employees_calls_at_once_share_connections(desk):
    answers = await asyncio.gather(*(desk.ask("GetSchool", pb.GetSchoolRequest()) for _ in range(64)))
    assert {answer.school_id for answer in answers} == {desk.school_id}


def test_the_sandboxs_words_are_all_in_our_table():
    from rdvpermis_sandbox.domain.refusals import STATUS
    from resapermis_auth_gateway.egress.refusals import TABLE

    assert set(STATUS) <= set(TABLE)
