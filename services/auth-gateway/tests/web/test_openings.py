"""Before an opening and around a booking: what is asked of basket, and what a person is shown of its answer."""

from datetime import UTC, datetime
from typing import Any

import pytest

from resapermis.basket.v1 import basket_pb2
from resapermis.booking.v1 import booking_pb2
from resapermis.mandate.v1 import mandate_pb2
from resapermis.scheduling.v1 import scheduling_pb2
from resapermis.verdict.v1.verdict_pb2 import Verdict
from resapermis_kit.errors import Code, Failure

NOON = datetime(2026, 12, 9, 12, 0, tzinfo=UTC)
KEY = {"Idempotency-Key": "act-1"}
NAMES = mandate_pb2.DescribeCandidatesResponse(
    names=[mandate_pb2.CandidateName(candidate_id="c-aaaa", last_name="Martin", first_name="Léa")]
)


def _line(line_id: str = "l-1", **more: Any) -> basket_pb2.Line:
    slot = scheduling_pb2.Slot(id="slot-1", centre=scheduling_pb2.Centre(id="c-1", name="Rungis"), category="B")
    slot.starts_at.FromDatetime(NOON)
    slot.ends_at.FromDatetime(NOON)
    state = more.pop("state", basket_pb2.LINE_STATE_BOOKED)
    return basket_pb2.Line(id=line_id, group_id="g-1", slot=slot, candidate_id="c-aaaa", state=state, **more)


def _explained() -> scheduling_pb2.ExplainResponse:
    need = scheduling_pb2.Need(rule="R-TERRITORY", source="charter 3.2", remedy="wait", facts={"department": "91"})
    need.opens_at.FromDatetime(datetime(2026, 12, 2, 14, tzinfo=UTC))
    line = scheduling_pb2.LineExplanation(slot_id="slot-1", allowed=False, needs=[need])
    line.opens_at.CopyFrom(need.opens_at)
    verdict = Verdict(rule="R-TERRITORY", allowed=False, source="charter 3.2", remedy="wait")
    judged = scheduling_pb2.LineVerdict(slot_id="slot-1", verdicts=[verdict])
    verdicts = scheduling_pb2.EvaluateResponse(lines=[judged], allowed=False)
    group = scheduling_pb2.Need(rule="R-GROUP", remedy="ask_fewer", facts={"asked": "5", "limit": "4"})
    return scheduling_pb2.ExplainResponse(lines=[line], action_needs=[group], verdicts=verdicts)


@pytest.mark.req("R-09", "R-14")
async def test_a_check_says_why_not_what_to_do_and_when_it_opens(over: Any) -> None:
    _, browser, services = await over(basket={"CheckHold": basket_pb2.CheckHoldResponse(explained=_explained())})
    items = [{"slotId": "slot-1", "candidateId": "c-1", "trainerId": "u-1", "vehicleId": "v-1"}]
    async with browser:
        answer = await browser.post("/api/v1/basket/check", json={"items": items})
    line = basket_pb2.HoldLine(slot_id="slot-1", candidate_id="c-1", trainer_id="u-1", vehicle_id="v-1")
    assert services["basket"].asked == [basket_pb2.CheckHoldRequest(lines=[line])]
    body = answer.json()
    assert (body["allowed"], body["lines"][0]["opensAt"]) == (False, "2026-12-02T14:00:00Z")
    (need,) = body["lines"][0]["needs"]
    assert (
        need["detail"]
        == "Réservé aux écoles du département du centre. Possible à partir du 02/12/2026 à 15 h (heure de Paris)."
    )
    assert (need["remedy"], need["action"]) == ("wait", "Attendez l'heure indiquée.")
    assert body["lines"][0]["verdicts"][0]["rule"] == "R-TERRITORY"
    assert body["actionNeeds"][0]["detail"] == "Au plus 4 créneaux par demande : vous en demandez 5."


async def test_a_remedy_that_a_newer_service_says_is_shown_as_a_word(over: Any) -> None:
    explained = _explained()
    explained.lines[0].needs[0].remedy = "consult_the_oracle"
    explained.lines[0].needs[0].rule = "R-ORACLE"
    _, browser, _ = await over(basket={"CheckHold": basket_pb2.CheckHoldResponse(explained=explained)})
    async with browser:
        answer = await browser.post("/api/v1/basket/check", json={"items": [{"slotId": "slot-1"}]})
    (need,) = answer.json()["lines"][0]["needs"]
    assert (need["remedy"], need["action"], need["detail"]) == ("consult_the_oracle", None, None)


async def test_a_preparation_shows_what_stands_ready(over: Any) -> None:
    prepared = basket_pb2.PrepareOpeningResponse(
        candidates=[basket_pb2.PreparedCandidate(candidate_id="c-aaaa", ready=True, rdvpermis_asked=True)],
        calls_left=42,
        rdvpermis_reachable=True,
        token_fresh=True,
    )
    prepared.basket_expires_at.FromDatetime(NOON)
    _, browser, services = await over(basket={"PrepareOpening": prepared}, mandate={"DescribeCandidates": NAMES})
    body = {"category": "B", "department": "94", "candidateIds": ["c-aaaa"]}
    async with browser:
        answer = (await browser.post("/api/v1/basket/preparation", json=body)).json()
    assert services["basket"].asked == [
        basket_pb2.PrepareOpeningRequest(category="B", department="94", candidate_ids=["c-aaaa"])
    ]
    assert answer["basketExpiresAt"] == "2026-12-09T12:00:00Z"
    assert answer["candidates"] == [
        {
            "candidate": {"id": "c-aaaa", "displayName": "Léa Martin"},
            "ready": True,
            "needs": [],
            "rdvpermisAsked": True,
        }
    ]
    assert (answer["callsLeft"], answer["tokenFresh"], answer["basketProblem"]) == (42, True, None)


async def test_a_basket_that_could_not_be_opened_says_why(over: Any) -> None:
    refusal = Failure(Code.CODE_RDVPERMIS_BUDGET, "used up", retry_at=NOON).to_proto()
    prepared = basket_pb2.PrepareOpeningResponse(basket_refusal=refusal)
    _, browser, _ = await over(basket={"PrepareOpening": prepared})
    async with browser:
        answer = await browser.post("/api/v1/basket/preparation", json={"category": "B", "department": "94"})
    problem = answer.json()["basketProblem"]
    assert (problem["code"], problem["remedy"]) == ("RDVPERMIS_BUDGET", "wait")
    assert problem["retryAt"] == "2026-12-09T12:00:00Z"


async def test_more_than_twelve_candidates_are_not_prepared(over: Any) -> None:
    _, browser, services = await over(basket={})
    body = {"category": "B", "department": "94", "candidateIds": [f"c-{n}" for n in range(13)]}
    async with browser:
        answer = await browser.post("/api/v1/basket/preparation", json=body)
    assert (answer.status_code, services["basket"].asked) == (422, [])


@pytest.mark.req("R-17")
async def test_a_line_says_who_accompanies_and_in_what(over: Any) -> None:
    line = _line(state=basket_pb2.LINE_STATE_HELD, trainer_id="u-1")
    _, browser, services = await over(basket={"SetLineResources": basket_pb2.SetLineResourcesResponse(line=line)})
    body = {"trainerId": "u-1", "vehicleId": None}
    async with browser:
        answer = await browser.put("/api/v1/basket/items/l-1/accompaniment", json=body, headers=KEY)
    assert services["basket"].asked == [
        basket_pb2.SetLineResourcesRequest(request_id="act-1", line_id="l-1", trainer_id="u-1")
    ]
    assert (answer.json()["trainerId"], answer.json()["vehicleId"]) == ("u-1", None)


@pytest.mark.req("R-26")
async def test_bookings_change_places(over: Any) -> None:
    lines = [_line("l-3"), _line("l-4", changing=True)]
    _, browser, services = await over(
        basket={
            "ListSwappable": booking_pb2.ListSwappableResponse(bookings=[_line("l-2")]),
            "SwapBookings": booking_pb2.SwapBookingsResponse(bookings=lines),
        },
        mandate={"DescribeCandidates": NAMES},
    )
    async with browser:
        own_day = await browser.get("/api/v1/bookings/l-1/swappable")
        await browser.get("/api/v1/bookings/l-1/swappable?date=2026-12-10")
        swapped = await browser.post("/api/v1/bookings/l-1/swap", json={"otherBookingId": "l-2"}, headers=KEY)
    assert services["basket"].asked == [
        booking_pb2.ListSwappableRequest(booking_id="l-1"),
        booking_pb2.ListSwappableRequest(booking_id="l-1", date="2026-12-10"),
        booking_pb2.SwapBookingsRequest(request_id="act-1", booking_id="l-1", other_booking_id="l-2"),
    ]
    assert own_day.json()["items"][0]["candidate"]["displayName"] == "Léa Martin"
    assert [(line["id"], line["changing"]) for line in swapped.json()["items"]] == [("l-3", False), ("l-4", True)]


@pytest.mark.req("R-13")
async def test_a_cancellation_is_previewed_with_its_price(over: Any) -> None:
    preview = booking_pb2.PreviewCancellationResponse(possible=True, late=True, restricted_days=30)
    preview.restricted_until.FromDatetime(NOON)
    _, browser, _ = await over(basket={"PreviewCancellation": preview})
    async with browser:
        answer = (await browser.get("/api/v1/bookings/l-1/cancellation")).json()
    assert (answer["possible"], answer["late"], answer["restrictedDays"]) == (True, True, 30)
    assert (answer["restrictedUntil"], answer["freeUntil"]) == ("2026-12-09T12:00:00Z", None)


@pytest.mark.req("R-22")
async def test_results_are_counted_and_shown_on_the_line(over: Any) -> None:
    count = booking_pb2.ResultCount(month="2026-11", category="B", kind="CIRCULATION", passed=3, failed=1, awaited=2)
    result = basket_pb2.Result(outcome=basket_pb2.Result.OUTCOME_FAILED, points=14)
    result.found_at.FromDatetime(NOON)
    done = _line(state=basket_pb2.LINE_STATE_DONE, found_elsewhere=True, result=result)
    absent = _line("l-2", result=basket_pb2.Result(outcome=basket_pb2.Result.OUTCOME_ABSENT))
    _, browser, services = await over(
        basket={
            "GetResults": booking_pb2.GetResultsResponse(counts=[count]),
            "ListBookings": booking_pb2.ListBookingsResponse(bookings=[done, absent]),
        }
    )
    async with browser:
        counted = (await browser.get("/api/v1/bookings/results?from=2026-01&to=2026-12")).json()["items"]
        lines = (await browser.get("/api/v1/bookings?filter=past")).json()["items"]
    assert services["basket"].asked[0] == booking_pb2.GetResultsRequest(from_month="2026-01", to_month="2026-12")
    assert counted[0] == {
        "month": "2026-11",
        "category": "B",
        "kind": "CIRCULATION",
        "passed": 3,
        "failed": 1,
        "absent": 0,
        "awaited": 2,
    }
    assert lines[0]["result"] == {"outcome": "failed", "points": 14, "foundAt": "2026-12-09T12:00:00Z"}
    assert lines[0]["foundElsewhere"]
    assert lines[1]["result"] == {"outcome": "absent", "points": None, "foundAt": None}


@pytest.mark.parametrize("month", ["2026-13", "1926-01", "2026", "2026-1"])
async def test_a_month_that_is_none_is_refused(over: Any, month: str) -> None:
    _, browser, services = await over(basket={})
    async with browser:
        answer = await browser.get(f"/api/v1/bookings/results?from={month}")
    assert (answer.status_code, services["basket"].asked) == (422, [])
