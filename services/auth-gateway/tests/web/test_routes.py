"""What browsers ask becomes what services are asked, and their answers become what browsers are shown."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from resapermis.audit.v1 import audit_pb2
from resapermis.audit.v1 import events_pb2 as audit_events
from resapermis.basket.v1 import basket_pb2
from resapermis.booking.v1 import booking_pb2
from resapermis.mandate.v1 import mandate_pb2
from resapermis.notification.v1 import notification_pb2
from resapermis.scheduling.v1 import scheduling_pb2
from resapermis.verdict.v1.verdict_pb2 import Verdict
from resapermis_kit.errors import Code, Failure

NOON = datetime(2026, 12, 9, 12, 0, tzinfo=UTC)
KEY = {"Idempotency-Key": "act-1"}


def _slot(slot_id: str = "slot-1", hour: int = 7, zone: str = "Europe/Paris") -> scheduling_pb2.Slot:
    slot = scheduling_pb2.Slot(
        id=slot_id,
        centre=scheduling_pb2.Centre(id="c-1", name="Rungis", department="94"),
        time_zone=zone,
        category="B",
        kind="CIRCULATION",
        status=scheduling_pb2.SLOT_STATUS_FREE,
    )
    slot.starts_at.FromDatetime(NOON.replace(hour=hour, minute=32))
    slot.ends_at.FromDatetime(NOON.replace(hour=hour + 1, minute=4))
    slot.seen_at.FromDatetime(NOON)
    return slot


def _line(
    state: basket_pb2.LineState.ValueType, *, line_id: str = "l-1", candidate: str = "", **more: Any
) -> basket_pb2.Line:
    line = basket_pb2.Line(id=line_id, group_id="g-1", slot=_slot(), candidate_id=candidate, state=state, **more)
    line.since.FromDatetime(NOON)
    return line


NAMES = mandate_pb2.DescribeCandidatesResponse(
    names=[mandate_pb2.CandidateName(candidate_id="c-aaaa", last_name="Martin", first_name="Léa")]
)


async def test_slots_come_with_each_rules_verdict_and_the_centres_own_hours(over: Any) -> None:
    verdict = Verdict(rule="R-TERRITORY", allowed=False, facts={"slot_department": "974"}, source="charter 3.2")
    verdict.opens_at.FromDatetime(NOON)
    judged = scheduling_pb2.JudgedSlot(slot=_slot(zone="Indian/Reunion"), allowed=False, verdicts=[verdict])
    found = scheduling_pb2.SearchSlotsResponse(
        slots=[judged], next_cursor="n", incomplete=True, incomplete_reason="budget"
    )
    world, browser, services = await over(scheduling_rules={"SearchSlots": found})
    async with browser:
        query = {"department": "974", "category": "B", "from": "2026-12-09", "to": "2026-12-10", "centre": ["1", "2"]}
        answer = (await browser.get("/api/v1/slots", params=query)).json()
    asked = services["scheduling-rules"].asked[0]
    assert getattr(asked, "from").ToDatetime() == datetime(2026, 12, 8, 20, 0)  # noqa: DTZ001 - midnight there, in UTC
    assert asked.to.ToDatetime() == datetime(2026, 12, 10, 20, 0)  # noqa: DTZ001 - the last day is included
    assert list(asked.centre_ids) == ["1", "2"]
    slot = answer["items"][0]
    assert (slot["startsAt"], slot["endsAt"]) == ("2026-12-09T11:32", "2026-12-09T12:04")
    assert (slot["timeZone"], slot["status"], slot["allowed"]) == ("Indian/Reunion", "free", False)
    assert slot["verdicts"][0]["opensAt"] == "2026-12-09T12:00:00Z"
    assert (answer["nextCursor"], answer["incompleteReason"]) == ("n", "budget")
    assert answer["serverTime"] == world.clock().isoformat().replace("+00:00", "Z")


@pytest.mark.req("R-09", "R-10", "R-27")
async def test_a_search_says_by_day_how_old_it_is_and_by_month_what_is_left(over: Any) -> None:
    seen, never = (
        scheduling_pb2.PolledDay(date="2026-12-31", polls=3),
        scheduling_pb2.PolledDay(date="2027-01-01", polls=3, unseen=True),
    )
    seen.oldest_seen_at.FromDatetime(NOON)
    months = [scheduling_pb2.Threshold(month=month, limit=9) for month in ("2026-12", "2027-01")]
    found = scheduling_pb2.SearchSlotsResponse(
        days=[seen, never], thresholds=months, threshold=months[0], polls_left=117
    )
    _, browser, _ = await over(scheduling_rules={"SearchSlots": found})
    async with browser:
        query = {"department": "94", "category": "B", "from": "2026-12-31", "to": "2027-01-01"}
        answer = (await browser.get("/api/v1/slots", params=query)).json()
    assert answer["days"] == [
        {"date": "2026-12-31", "polls": 3, "seenAt": "2026-12-09T12:00:00Z", "unseen": False},
        {"date": "2027-01-01", "polls": 3, "seenAt": None, "unseen": True},
    ]
    assert ([one["month"] for one in answer["thresholds"]], answer["pollsLeft"]) == (["2026-12", "2027-01"], 117)


async def test_bookings_of_a_candidate_come_with_the_replacements_of_their_months(over: Any) -> None:
    left = booking_pb2.Replacements(category="B", month="2026-12", left=3, per_month=5)
    _, browser, services = await over(basket={"ListBookings": booking_pb2.ListBookingsResponse(replacements=[left])})
    async with browser:
        answer = (await browser.get("/api/v1/bookings?candidate=c-1")).json()
    assert services["basket"].asked[0].candidate_id == "c-1"
    assert answer["replacementsByMonth"] == [{"category": "B", "month": "2026-12", "left": 3, "perMonth": 5}]


async def test_services_hear_who_asks_and_from_which_network(over: Any) -> None:
    _, browser, services = await over(scheduling_rules={"ListCentres": scheduling_pb2.ListCentresResponse()})
    async with browser:
        await browser.get("/api/v1/centres?department=94&category=B", headers={"x-resapermis-principal": "forged"})
    who = services["scheduling-rules"].callers[0]
    assert who.service == "auth-gateway"
    assert who.person.school_id == "school-1"
    assert who.person.roles == ("school_manager",)
    assert who.person.place == "127.0.0.0/24"


@pytest.mark.req("D-13")
async def test_a_hold_that_is_granted_is_a_201_for_which_no_name_is_read(over: Any) -> None:
    group = basket_pb2.Group(id="g-1", lines=[_line(basket_pb2.LINE_STATE_HELD, candidate="c-aaaa")])
    _, browser, services = await over(
        basket={"HoldSlots": basket_pb2.HoldSlotsResponse(group=group)}, mandate={"DescribeCandidates": NAMES}
    )
    async with browser:
        body = {"items": [{"slotId": "slot-1", "candidateId": "c-aaaa"}], "allOrNothing": True}
        answer = await browser.post("/api/v1/basket/items", json=body, headers=KEY)
    assert answer.status_code == 201
    assert services["basket"].asked[0] == basket_pb2.HoldSlotsRequest(
        request_id="act-1", lines=[basket_pb2.HoldLine(slot_id="slot-1", candidate_id="c-aaaa")], all_or_nothing=True
    )
    assert answer.json()["group"]["lines"][0]["candidate"] == {"id": "c-aaaa", "displayName": "…aaaa"}
    assert services["mandate"].asked == []
    assert answer.json()["results"] == [{"lineId": "l-1", "slotId": "slot-1", "state": "held", "problem": None}]


async def test_a_hold_that_is_partly_refused_is_a_207_that_says_each(over: Any) -> None:
    refusal = Failure(Code.CODE_RDVPERMIS_SLOT_GONE, "gone", rdvpermis_code="CRENEAU_DEJA_RESERVE").to_proto()
    unknown = basket_pb2.Line(
        id="l-3",
        group_id="g-1",
        slot=scheduling_pb2.Slot(id="slot-9"),
        state=basket_pb2.LINE_STATE_REFUSED,
        refusal=refusal,
    )
    lines = [
        _line(basket_pb2.LINE_STATE_HELD),
        _line(basket_pb2.LINE_STATE_REFUSED, line_id="l-2", refusal=refusal),
        unknown,
    ]
    _, browser, _ = await over(basket={"HoldSlots": basket_pb2.HoldSlotsResponse(group=basket_pb2.Group(lines=lines))})
    async with browser:
        answer = await browser.post("/api/v1/basket/items", json={"items": [{"slotId": "slot-1"}]}, headers=KEY)
    assert answer.status_code == 207
    assert [one["state"] for one in answer.json()["results"]] == ["held", "refused", "refused"]
    problem = answer.json()["results"][1]["problem"]
    assert (problem["code"], problem["rdvpermisCode"]) == ("RDVPERMIS_SLOT_GONE", "CRENEAU_DEJA_RESERVE")
    assert problem["detail"].startswith("Ce créneau vient d'être pris")
    assert [line["id"] for line in answer.json()["group"]["lines"]] == ["l-1", "l-2"]


@pytest.mark.parametrize(("state", "status"), [("BOOKED", 200), ("CONFIRMING", 207), ("REJECTED", 207)])
async def test_a_validation_is_a_200_only_where_all_is_booked(over: Any, state: str, status: int) -> None:
    line = _line(basket_pb2.LineState.Value(f"LINE_STATE_{state}"), candidate="c-aaaa")
    _, browser, _ = await over(
        basket={"ValidateGroup": basket_pb2.ValidateGroupResponse(group=basket_pb2.Group(id="g-1", lines=[line]))},
        mandate={"DescribeCandidates": NAMES},
    )
    async with browser:
        answer = await browser.post("/api/v1/basket/validation", json={"groupId": "g-1"}, headers=KEY)
    assert (answer.status_code, answer.json()["results"][0]["state"]) == (status, state.lower())
    assert answer.json()["group"]["lines"][0]["candidate"]["displayName"] == "Léa Martin"


async def test_the_basket_is_shown_even_while_names_cannot_be_read(over: Any) -> None:
    group = basket_pb2.Group(id="g-1", lines=[_line(basket_pb2.LINE_STATE_HELD, candidate="c-aaaa")])
    group.expires_at.FromDatetime(NOON)
    limits = scheduling_pb2.Limits(group=4, basket=12, hold_ttl_seconds=900)
    _, browser, _ = await over(
        basket={"GetBasket": basket_pb2.GetBasketResponse(groups=[group], limits=limits)},
        mandate={"DescribeCandidates": Failure(Code.CODE_FORBIDDEN, "a trainer")},
    )
    async with browser:
        answer = (await browser.get("/api/v1/basket")).json()
    assert answer["limits"] == {"group": 4, "basket": 12, "holdTtlSeconds": 900}
    assert answer["groups"][0]["expiresAt"] == "2026-12-09T12:00:00Z"
    line = answer["groups"][0]["lines"][0]
    assert line["candidate"] == {"id": "c-aaaa", "displayName": "…aaaa"}
    assert line["slot"]["startsAt"] == "2026-12-09T08:32"


async def test_many_lines_cost_one_question_about_names(over: Any) -> None:
    lines = [_line(basket_pb2.LINE_STATE_BOOKED, line_id=f"l-{n}", candidate=f"c-{n % 3}") for n in range(50)]
    _, browser, services = await over(
        basket={
            "ListBookings": booking_pb2.ListBookingsResponse(
                bookings=lines, replacements_left=3, replacements_per_month=5
            )
        },
        mandate={"DescribeCandidates": NAMES},
    )
    async with browser:
        answer = (await browser.get("/api/v1/bookings?filter=to_confirm")).json()
    assert services["basket"].asked[0].filter == booking_pb2.BOOKING_FILTER_TO_CONFIRM
    assert [list(one.candidate_ids) for one in services["mandate"].asked] == [["c-0", "c-1", "c-2"]]
    assert answer["replacements"] == {"left": 3, "perMonth": 5}


async def test_lines_are_named_given_back_cancelled_and_replaced(over: Any) -> None:
    held, released = _line(basket_pb2.LINE_STATE_HELD), _line(basket_pb2.LINE_STATE_RELEASED)
    changing, booked = (
        _line(basket_pb2.LINE_STATE_BOOKED, changing=True),
        _line(basket_pb2.LINE_STATE_BOOKED, exam_id="e-1"),
    )
    _, browser, services = await over(
        basket={
            "NameCandidate": basket_pb2.NameCandidateResponse(line=held),
            "ReleaseLine": basket_pb2.ReleaseLineResponse(line=released),
            "CancelBooking": booking_pb2.CancelBookingResponse(booking=changing),
            "ReplaceCandidate": booking_pb2.ReplaceCandidateResponse(booking=booked),
        }
    )
    async with browser:
        await browser.put("/api/v1/basket/items/l-1/candidate", json={"candidateId": None}, headers=KEY)
        gone = await browser.delete("/api/v1/basket/items/l-1", headers=KEY)
        cancelled = await browser.post("/api/v1/bookings/l-1/cancellation", json={"reason": "not_ready"}, headers=KEY)
        replaced = await browser.post("/api/v1/bookings/l-1/replacement", json={"candidateId": "c-2"}, headers=KEY)
    assert services["basket"].asked == [
        basket_pb2.NameCandidateRequest(request_id="act-1", line_id="l-1"),
        basket_pb2.ReleaseLineRequest(request_id="act-1", line_id="l-1"),
        booking_pb2.CancelBookingRequest(request_id="act-1", booking_id="l-1", reason="not_ready"),
        booking_pb2.ReplaceCandidateRequest(request_id="act-1", booking_id="l-1", candidate_id="c-2"),
    ]
    assert gone.json()["state"] == "released"
    assert cancelled.json()["changing"] is True
    assert replaced.json()["examId"] == "e-1"


async def test_candidates_and_mandates_go_to_mandate_in_bodies_only(over: Any) -> None:
    candidate = mandate_pb2.Candidate(id="c-1", last_name="O'Brien-Œuvre", first_name="Zoé", neph="001234567890")
    mandate = mandate_pb2.Mandate(id="m-1", candidate_id="c-1", category="B", state=mandate_pb2.MANDATE_STATE_PENDING)
    _, browser, services = await over(
        mandate={
            "CreateCandidate": mandate_pb2.CreateCandidateResponse(candidate=candidate),
            "SearchCandidates": mandate_pb2.SearchCandidatesResponse(candidates=[candidate]),
            "GetCandidate": mandate_pb2.GetCandidateResponse(candidate=candidate),
            "ListCandidates": mandate_pb2.ListCandidatesResponse(candidates=[candidate], next_cursor="n"),
            "RequestMandate": mandate_pb2.RequestMandateResponse(mandate=mandate),
            "ListMandates": mandate_pb2.ListMandatesResponse(mandates=[mandate]),
            "RefreshMandate": mandate_pb2.RefreshMandateResponse(mandate=mandate),
            "RevokeMandate": mandate_pb2.RevokeMandateResponse(mandate=mandate),
        }
    )
    body = {"lastName": "O'Brien-Œuvre", "firstName": "Zoé\u200d👩", "neph": "0012 3456 7890"}
    async with browser:
        made = await browser.post("/api/v1/candidates", json=body, headers=KEY)
        found = await browser.post("/api/v1/candidates/search", json={"query": "œuvre"})
        shown = await browser.get("/api/v1/candidates/c-1")
        listed = await browser.get("/api/v1/candidates?limit=5&cursor=x")
        asked = await browser.post("/api/v1/mandates", json={"candidateId": "c-1", "category": "B"}, headers=KEY)
        mandates = await browser.get("/api/v1/mandates?state=pending")
        await browser.post("/api/v1/mandates/m-1/refresh")
        await browser.post("/api/v1/mandates/m-1/revocation", headers=KEY)
    assert (made.status_code, asked.status_code) == (201, 201)
    requests = services["mandate"].asked
    assert (requests[0].last_name, requests[0].first_name, requests[0].neph) == tuple(body.values())
    assert [getattr(one, "request_id", "") for one in requests] == ["act-1", "", "", "", "act-1", "", "", "act-1"]
    assert requests[5].state == mandate_pb2.MANDATE_STATE_PENDING
    assert made.json() == shown.json() == found.json()["items"][0] == listed.json()["items"][0]
    assert made.json()["neph"] == "001234567890"
    assert mandates.json()["items"][0]["state"] == "pending"


async def test_thresholds_are_judged_on_what_basket_counts(over: Any) -> None:
    usage = scheduling_pb2.Usage(department="94", month="2026-12", category="B", taken=7)
    threshold = scheduling_pb2.Threshold(
        department="94", month="2026-12", category="B", limit=11, paced_limit=9, taken=7, fte=2.5, rate_per_fte=4.5
    )
    _, browser, services = await over(
        basket={"GetUsage": basket_pb2.GetUsageResponse(usage=[usage])},
        scheduling_rules={"ListThresholds": scheduling_pb2.ListThresholdsResponse(thresholds=[threshold])},
    )
    async with browser:
        answer = (await browser.get("/api/v1/thresholds")).json()
    assert list(services["scheduling-rules"].asked[0].usage) == [usage]
    assert (answer["items"][0]["limit"], answer["items"][0]["rdvpermisLimit"]) == (11, None)


@pytest.mark.req("T-03", "T-05", "E-03")
async def test_records_and_proofs_come_with_all_that_verifies_them(over: Any) -> None:
    record = audit_events.Record(
        id="r-1",
        source="basket",
        action="basket.hold",
        outcome=audit_events.OUTCOME_DONE,
        object_kind="line",
        object_id="l-1",
    )
    record.actor.kind = audit_events.Actor.KIND_PERSON
    proof = audit_pb2.GetInclusionProofResponse(
        leaf_index=4,
        tree_size=9,
        leaf_hash=b"\x01" * 32,
        hashes=[b"\x02" * 32],
        leaf_data=b"\x03" * 64,
        salt=b"s",
        content=b"c",
    )
    world, browser, _ = await over(
        audit={
            "ListRecords": audit_pb2.ListRecordsResponse(records=[audit_pb2.LoggedRecord(record=record, leaf_index=0)]),
            "GetInclusionProof": proof,
            "GetSecurityInclusionProof": audit_pb2.GetSecurityInclusionProofResponse(proof=proof),
            "GetCheckpoint": audit_pb2.GetCheckpointResponse(note="resapermis/journal\n9\n", verifier_key="k"),
        }
    )
    async with browser:
        shown = (await browser.get("/api/v1/audit/records?action=basket.hold")).json()["items"][0]
        proved = (await browser.get("/api/v1/audit/records/r-1/proof")).json()
        assert (await browser.get("/api/v1/audit/security-records/r-1/proof")).status_code == 403
        as_json = await browser.get("/api/v1/audit/checkpoint", headers={"Accept": "application/json"})
        as_note = await browser.get("/api/v1/audit/checkpoint", headers={"Accept": "text/plain"})
    async with world.browser(await world.session(role="security_officer")) as officer:
        assert (await officer.get("/api/v1/audit/security-records/r-1/proof")).json() == proved
    assert (shown["leafIndex"], shown["outcome"], shown["actor"]["kind"]) == (0, "done", "person")
    assert base64.b64decode(proved["hashes"][0]) == b"\x02" * 32
    assert as_json.json() == {"note": "resapermis/journal\n9\n", "verifierKey": "k"}
    assert (as_note.headers["content-type"], as_note.text) == ("text/plain; charset=utf-8", "resapermis/journal\n9\n")


@pytest.mark.parametrize(
    ("recorded", "shown"),
    [
        ({"action": "basket.accompany"}, {"action": "basket.set_line_resources"}),
        ({"action": "basket.look"}, {"action": "basket.poll"}),
        (
            {"action": "penalty.approve", "object_kind": "bar", "object_id": "b-1"},
            {"action": "penalty.approve", "object": {"kind": "restriction", "id": "b-1"}},
        ),
        (
            {"object_kind": "parameter", "facts": {"name": "late_cancel_bar_days", "value": "30"}},
            {"facts": {"name": "late_cancel_restriction_days", "value": "30"}},
        ),
        (
            {"object_kind": "trainer", "facts": {"name": "look_stale_seconds"}},
            {"facts": {"name": "look_stale_seconds"}},
        ),
    ],
)
async def test_what_release_0_1_0_recorded_is_shown_under_todays_names(
    over: Any, recorded: dict[str, Any], shown: dict[str, Any]
) -> None:
    logged = audit_pb2.LoggedRecord(record=audit_events.Record(id="r-1", source="basket", **recorded))
    _, browser, _ = await over(audit={"ListRecords": audit_pb2.ListRecordsResponse(records=[logged])})
    async with browser:
        (item,) = (await browser.get("/api/v1/audit/records")).json()["items"]
    assert shown.items() <= item.items()


@pytest.mark.parametrize(
    ("query", "actions"),
    [
        ("", []),
        ("?action=basket.hold", ["basket.hold"]),
        ("?action=basket.poll", ["basket.poll", "basket.look"]),
        ("?action=basket.set_line_resources", ["basket.set_line_resources", "basket.accompany"]),
    ],
)
async def test_a_renamed_action_is_found_under_both_names(over: Any, query: str, actions: list[str]) -> None:
    _, browser, services = await over(audit={"ListRecords": audit_pb2.ListRecordsResponse()})
    async with browser:
        assert (await browser.get(f"/api/v1/audit/records{query}")).status_code == 200
    assert list(services["audit"].asked[0].actions) == actions


async def test_the_inbox_names_candidates_and_marks_are_passed_on(over: Any) -> None:
    notice = notification_pb2.Notice(
        id="n-1",
        kind="booking.confirmed",
        candidate_id="c-aaaa",
        level="success",
        text_fr="Réservé.",
        text_en="Booked.",
    )
    _, browser, services = await over(
        notification={
            "ListNotices": notification_pb2.ListNoticesResponse(notices=[notice], unread=1),
            "MarkRead": notification_pb2.MarkReadResponse(notice=notice),
        },
        mandate={"DescribeCandidates": NAMES},
    )
    async with browser:
        page = (await browser.get("/api/v1/notifications?unreadOnly=true")).json()
        await browser.post("/api/v1/notifications/n-1/read")
    assert page["unread"] == 1
    assert page["items"][0]["text"] == {"fr": "Réservé.", "en": "Booked."}
    assert page["items"][0]["candidate"]["displayName"] == "Léa Martin"
    assert services["notification"].asked == [
        notification_pb2.ListNoticesRequest(limit=50, unread_only=True),
        notification_pb2.MarkReadRequest(notice_id="n-1"),
    ]


async def test_a_service_s_refusal_reaches_the_browser_whole(over: Any) -> None:
    refusal = Failure(
        Code.CODE_RULE_REFUSED,
        "five slots",
        verdicts=[Verdict(rule="R-GROUP", allowed=False, facts={"asked": "5", "limit": "4"}, source="charter 3.2")],
    )
    _, browser, _ = await over(basket={"HoldSlots": refusal})
    async with browser:
        items = [{"slotId": str(n)} for n in range(5)]
        answer = await browser.post("/api/v1/basket/items", json={"items": items}, headers=KEY)
    assert (answer.status_code, answer.json()["code"]) == (409, "RULE_REFUSED")
    assert answer.json()["verdicts"][0]["facts"] == {"asked": "5", "limit": "4"}


async def test_what_policy_does_not_allow_is_refused_by_the_service(over: Any) -> None:
    world, browser, services = await over(mandate={"ListCandidates": mandate_pb2.ListCandidatesResponse()})
    await browser.aclose()
    async with world.browser(await world.session(role="trainer")) as trainer:
        answer = await trainer.get("/api/v1/candidates")
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
    assert services["mandate"].asked == []


async def test_an_unknown_word_of_a_newer_service_is_shown_not_a_500(over: Any) -> None:
    mandate = mandate_pb2.Mandate.FromString(b"\x28\x63")  # state = 99
    _, browser, _ = await over(mandate={"ListMandates": mandate_pb2.ListMandatesResponse(mandates=[mandate])})
    async with browser:
        answer = await browser.get("/api/v1/mandates")
    assert answer.json()["items"][0]["state"] == "unspecified"
