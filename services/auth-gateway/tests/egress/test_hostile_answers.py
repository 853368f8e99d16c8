"""Whatever comes back: a refusal, a read that failed, or an unknown outcome; never a lie, never an accident."""

import asyncio

import pytest

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as pb
from resapermis_auth_gateway.egress.budget import Limits
from resapermis_auth_gateway.egress.refusals import TABLE
from resapermis_kit.errors import Code

from .responder import BASE, CUT, Raw

PLANNING = pb.SearchPlanningRequest(category="B", centre_id="c-1", date="2026-12-09")
VALIDATE = pb.ValidateBasketRequest(basket_id="b-1")
NONSENSE = [
    (200, b"<html>maintenance</html>"),
    (200, None),
    (200, {"data": "no"}),
    (200, [{"creneauDuPlanning": 7}]),
    (200, {"data": [{"creneauId": "s-1", "estReserve": "oui"}]}),
    (200, b"[" * 200_000),
    (200, b"\xff\xfe"),
    (302, None, {"location": "http://127.0.0.1:1/elsewhere"}),
    Raw(b"HTTP/1.1 200 x\r\ncontent-length: 1073741824\r\n\r\n"),
]


@pytest.mark.parametrize("reply", NONSENSE)
async def test_nonsense_is_unexpected_for_a_read_and_unknown_for_a_change(world, responder, reply):
    session = await world.sign_in()
    responder.on("POST", "/planning/recherche", reply)
    responder.on("POST", "/paniers/b-1/valider", reply)
    read = await world.refused("SearchPlanning", PLANNING, session)
    assert read.code == Code.CODE_RDVPERMIS_UNEXPECTED
    change = await world.refused("ValidateBasket", VALIDATE, session)
    assert change.code == Code.CODE_UNKNOWN_OUTCOME
    assert len(responder.calls(f"POST {BASE}/paniers")) == 1


async def test_a_body_without_end_is_cut_at_the_cap(world, responder):
    session = await world.sign_in()
    endless = b"HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n" + (b"10000\r\n" + b" " * 65536 + b"\r\n") * 100
    responder.on("POST", "/planning/recherche", Raw(endless))
    assert (await world.refused("SearchPlanning", PLANNING, session)).code == Code.CODE_RDVPERMIS_UNEXPECTED


@pytest.mark.parametrize("reply", [CUT, (500, {"erreur": "CRENEAU_INCONNU"}), (503, None)])
async def test_a_change_whose_answer_is_lost_is_unknown_and_asked_once(world, responder, reply):
    session = await world.sign_in()
    responder.on("DELETE", "/examens/e-1", reply)
    refused = await world.refused("CancelExam", pb.CancelExamRequest(exam_id="e-1"), session)
    assert refused.code == Code.CODE_UNKNOWN_OUTCOME
    assert len(responder.calls("DELETE")) == 1


async def test_a_slow_change_is_unknown_before_the_callers_deadline(make_world, responder):
    world = await make_world(responder.url, f"{responder.url}/realm", call_seconds=0.3)
    session = await world.sign_in()
    never = asyncio.Event()

    async def silence(_asked):
        await never.wait()
        return CUT

    responder.on("POST", "/paniers/b-1/valider", silence)
    assert (await world.refused("ValidateBasket", VALIDATE, session)).code == Code.CODE_UNKNOWN_OUTCOME
    never.set()


async def test_a_read_cut_before_any_byte_is_asked_once_more(world, responder):
    session = await world.sign_in()
    answers = [CUT, (200, [])]
    responder.on("POST", "/planning/recherche", lambda _: answers.pop(0))
    assert list((await world.ask("SearchPlanning", PLANNING, session)).slots) == []
    answers += [CUT, CUT, CUT]
    assert (await world.refused("SearchPlanning", PLANNING, session)).code == Code.CODE_RDVPERMIS_DOWN
    assert len(answers) == 1


async def test_nobody_there_is_down_and_surely_not_asked(make_world, responder):
    world = await make_world("http://127.0.0.1:1", f"{responder.url}/realm")
    session = await world.sign_in()
    assert (await world.refused("ValidateBasket", VALIDATE, session)).code == Code.CODE_RDVPERMIS_DOWN
    budget = await world.ask("GetBudget", pb.GetBudgetRequest(), session)
    assert budget.calls_left == 210


@pytest.mark.parametrize("spelling", ["erreur", "code"])
async def test_each_refusal_keeps_its_word_and_gets_our_code(world, responder, spelling):
    session = await world.sign_in()
    for word in (*sorted(TABLE), "JAMAIS_VU"):
        responder.on("DELETE", "/examens/e-1", (422, {spelling: word}))
        refused = await world.refused("CancelExam", pb.CancelExamRequest(exam_id="e-1"), session)
        assert refused.rdvpermis_code == word
        assert refused.code == TABLE.get(word, Code.CODE_RDVPERMIS_UNEXPECTED)


@pytest.mark.req("R19")
@pytest.mark.parametrize("field", ["basket_id", "slot_id"])
async def test_ids_that_could_change_a_path_never_leave(world, responder, field):
    session = await world.sign_in()
    for bad in ("../../admin", "a/b", "..", ".", "", "a?b", "a#b", "a%2Fb", "é", "a\n", "x" * 200):
        request = pb.ReleaseSlotRequest(**({"basket_id": "b-1", "slot_id": "s-1"} | {field: bad}))
        assert (await world.refused("ReleaseSlot", request, session)).code == Code.CODE_MALFORMED
    assert responder.asked == []


async def test_a_strange_id_from_rdvpermis_is_not_believed(world, responder):
    session = await world.sign_in()
    responder.on(
        "POST", "/paniers", (201, {"id": "../x", "elementsDuPanier": [], "dateHeureExpiration": "2026-12-01T10:00:00Z"})
    )
    held = await world.ask("HoldSlots", pb.HoldSlotsRequest(slots=[pb.HoldSlot(slot_id="s-1")]), session)
    assert [line.outcome for line in held.results] == [pb.HoldResult.OUTCOME_UNKNOWN]
    assert held.basket_id == ""
    assert len(responder.asked) == 1


BASKET = {"id": "b-2", "elementsDuPanier": [], "dateHeureExpiration": "2026-12-01T10:00:00Z"}
ONE = pb.HoldSlotsRequest(slots=[pb.HoldSlot(slot_id="s-1")], basket_id="b-1")


@pytest.mark.parametrize("reply", [(404, {"erreur": "PANIER_INCONNU"}), (403, {"erreur": "ACTION_INTERDITE"})])
async def test_a_basket_that_is_not_ours_any_more_is_replaced_once(world, responder, reply):
    session = await world.sign_in()
    responder.on("POST", "/paniers/b-1/creneaux-multiples", reply)
    responder.on("POST", "/paniers/b-2/creneaux-multiples", reply)
    responder.on("POST", "/paniers", (201, BASKET))
    held = await world.ask("HoldSlots", ONE, session)
    (line,) = held.results
    assert (line.outcome, line.rdvpermis_code) == (pb.HoldResult.OUTCOME_REFUSED, reply[1]["erreur"])
    assert held.basket_id == "b-2"
    assert len(responder.asked) == 3


@pytest.mark.parametrize("reply", [CUT, (500, None), (200, b"<html>"), (404, {"erreur": "ROUTE_ABSENTE"})])
async def test_only_a_gone_basket_is_replaced(world, responder, reply):
    session = await world.sign_in()
    responder.on("POST", "/paniers/b-1/creneaux-multiples", reply)
    held = await world.ask("HoldSlots", ONE, session)
    assert held.basket_id == "b-1"
    assert held.results[0].outcome in {pb.HoldResult.OUTCOME_UNKNOWN, pb.HoldResult.OUTCOME_REFUSED}
    assert responder.calls(f"POST {BASE}/paniers ") == []
    assert len(responder.asked) == 1


@pytest.mark.parametrize("reply", NONSENSE)
async def test_nonsense_about_a_school_is_unexpected(world, responder, reply):
    session = await world.sign_in()
    for path in ("/employes", "/centres-favoris", "/examens/permutables"):
        responder.on("GET", path, reply)
    responder.on("POST", "/candidats-mandats/recherche", reply)
    swappable = pb.ListSwappableRequest(exam_id="e-1", date="2026-12-09")
    for method, request in (
        ("ListEmployees", pb.ListEmployeesRequest()),
        ("ListFavourites", pb.ListFavouritesRequest()),
        ("ListSwappable", swappable),
        ("ListStandings", pb.ListStandingsRequest(category="B")),
    ):
        assert (await world.refused(method, request, session)).code == Code.CODE_RDVPERMIS_UNEXPECTED


@pytest.mark.parametrize("reply", [CUT, (500, None), (302, None)])
async def test_a_swap_and_a_declaration_whose_answer_is_lost_are_unknown_and_asked_once(world, responder, reply):
    session = await world.sign_in()
    responder.on("POST", "/examens/permutation", reply)
    responder.on("POST", "/nombre-de-formateurs", reply)
    for method, request, caller in (
        ("SwapExams", pb.SwapExamsRequest(exam_id="e-1", other_exam_id="e-2"), "basket"),
        ("DeclareTrainers", pb.DeclareTrainersRequest(fte=3), "scheduling-rules"),
    ):
        refused = await world.refused(method, request, session, caller=caller, role="school_admin")
        assert refused.code == Code.CODE_UNKNOWN_OUTCOME
    assert len(responder.asked) == 2


@pytest.mark.req("R-27")
@pytest.mark.parametrize("header", [{"retry-after": "30"}, {"retry-after": "-1"}, {"retry-after": "1e9"}, {}])
async def test_a_429_is_obeyed_by_people_and_services(world, responder, header):
    session = await world.sign_in()
    responder.on("POST", "/planning/recherche", (429, None, header))
    refused = await world.refused("SearchPlanning", PLANNING, session)
    assert refused.code == Code.CODE_RDVPERMIS_BUDGET
    assert refused.retry_at is not None
    if header == {"retry-after": "30"}:
        again = await world.refused("SearchPlanning", PLANNING, session)
        assert again.code == Code.CODE_RDVPERMIS_BUDGET
        assert len(responder.asked) == 1
        budget = await world.ask("GetBudget", pb.GetBudgetRequest(), session)
        assert (budget.calls_left, budget.HasField("wait_until")) == (0, True)


@pytest.mark.req("R-27")
async def test_people_come_first(make_world, responder):
    world = await make_world(responder.url, f"{responder.url}/realm", limits=Limits(6, 100, 0.5))
    session = await world.sign_in()
    responder.on("POST", "/planning/recherche", (200, []))
    behalf = pb.SearchPlanningRequest(
        on_behalf=pb.OnBehalf(school_id="school-1"), category="B", centre_id="c-1", date="2026-12-09"
    )
    for _ in range(2):
        await world.ask("SearchPlanning", behalf, caller="scheduling-rules")
    refused = await world.refused("SearchPlanning", behalf, caller="scheduling-rules")
    assert refused.code == Code.CODE_RDVPERMIS_BUDGET
    for _ in range(3):
        await world.ask("SearchPlanning", PLANNING, session)
    refused = await world.refused("SearchPlanning", PLANNING, session)
    assert refused.code == Code.CODE_RDVPERMIS_BUDGET
    assert refused.retry_at is not None
    assert len(responder.asked) == 6  # whose token works unasked is asked about first


async def test_the_circuit_opens_tells_when_and_recovers(make_world, responder):
    from resapermis_auth_gateway.egress.breaker import Breaker

    breaker = Breaker(threshold=2, first_pause=60)
    world = await make_world(responder.url, f"{responder.url}/realm", breaker=breaker)
    session = await world.sign_in()
    responder.on("POST", "/planning/recherche", (500, None))
    for _ in range(2):
        await world.refused("SearchPlanning", PLANNING, session)
    refused = await world.refused("ValidateBasket", VALIDATE, session)
    assert refused.code == Code.CODE_RDVPERMIS_DOWN
    assert refused.retry_at is not None
    assert len(responder.asked) == 2
    assert not (await world.ask("GetBudget", pb.GetBudgetRequest(), session)).reachable
    responder.on("POST", "/planning/recherche", (200, []))
    breaker.opened_until = world.rdvpermis.clock()  # the pause is over
    await world.ask("SearchPlanning", PLANNING, session)
    assert (await world.ask("GetBudget", pb.GetBudgetRequest(), session)).reachable


@pytest.mark.req("S-03")
async def test_cookies_of_rdvpermis_never_travel_from_one_employee_to_another(world, responder):
    first, second = await world.sign_in(access="access-1"), await world.sign_in(access="access-2")
    responder.on("POST", "/planning/recherche", (200, [], {"set-cookie": "JSESSIONID=first; Path=/"}))
    for session in (first, second, first):
        await world.ask("SearchPlanning", PLANNING, session)
    assert [asked.headers["authorization"] for asked in responder.asked] == [
        "Bearer access-1",
        "Bearer access-2",
        "Bearer access-1",
    ]
    assert not any("cookie" in asked.headers for asked in responder.asked)


@pytest.mark.req("S-02")
async def test_logs_hold_no_person_no_token_no_url(world, responder, capsys):
    session = await world.sign_in(access="very-secret-access")
    responder.on("POST", "/mandats", (400, {"erreur": "CANDIDAT_INCONNU"}))
    request = pb.CreateMandateRequest(last_name="Lamartine", neph="123456789012", category="B")
    refused = await world.refused("CreateMandate", request, session, caller="mandate")
    assert refused.code == Code.CODE_RDVPERMIS_CANDIDATE_UNKNOWN
    written = "".join(capsys.readouterr())
    assert "rdvpermis.call" in written
    for secret in ("Lamartine", "123456789012", "very-secret-access", "http://", str(session)):
        assert secret not in written
        assert secret not in refused.detail
