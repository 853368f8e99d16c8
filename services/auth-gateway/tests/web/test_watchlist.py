"""Searches with all their filters, favourite centres, saved searches, parameters, thresholds."""

from datetime import UTC, datetime
from typing import Any

import pytest

from resapermis.basket.v1 import basket_pb2
from resapermis.scheduling.v1 import scheduling_pb2

NOON = datetime(2026, 12, 9, 12, 0, tzinfo=UTC)
KEY = {"Idempotency-Key": "act-1"}


@pytest.mark.req("R-34")
async def test_every_filter_of_a_search_reaches_the_mirror(over: Any) -> None:
    slot = scheduling_pb2.Slot(id="s-1", distance_km=12.5, travel_minutes=21, time_zone="Europe/Paris")
    slot.starts_at.FromDatetime(NOON)
    slot.ends_at.FromDatetime(NOON)
    slot.centre.CopyFrom(scheduling_pb2.Centre(id="c-1", name="Rungis", distance_km=12.5))
    found = scheduling_pb2.SearchSlotsResponse(slots=[scheduling_pb2.JudgedSlot(slot=slot)])
    _, browser, services = await over(scheduling_rules={"SearchSlots": found})
    query = {
        "category": "B",
        "withinKm": "40",
        "dayFrom": "08:00",
        "dayTo": "12:30",
        "consecutive": "2",
        "openNow": "true",
        "opensBefore": "2026-12-02T15:00:00+01:00",
        "kind": "PLATEAU",
        "weekdays": ["2", "1", "2"],
    }
    async with browser:
        answer = (await browser.get("/api/v1/slots", params=query)).json()
    asked = services["scheduling-rules"].asked[0]
    assert (asked.department, asked.within_km, asked.day_from_minutes, asked.day_to_minutes) == ("", 40, 480, 750)
    assert (asked.consecutive, asked.open_now, asked.kind, list(asked.weekdays)) == (2, True, "PLATEAU", [1, 2])
    assert asked.opens_before.ToDatetime(UTC) == datetime(2026, 12, 2, 14, tzinfo=UTC)
    item = answer["items"][0]
    assert (item["distanceKm"], item["travelMinutes"]) == (12.5, 21)
    assert (item["centre"]["distanceKm"], item["centre"]["travelMinutes"]) == (12.5, None)


async def test_a_plain_search_sets_no_filter(over: Any) -> None:
    _, browser, services = await over(scheduling_rules={"SearchSlots": scheduling_pb2.SearchSlotsResponse()})
    async with browser:
        await browser.get("/api/v1/slots?department=94&category=B")
    asked = services["scheduling-rules"].asked[0]
    assert not any(asked.HasField(name) for name in ("within_km", "day_from_minutes", "day_to_minutes", "opens_before"))
    assert (asked.consecutive, asked.open_now, asked.kind, list(asked.weekdays)) == (0, False, "", [])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("category=B", "department"),
        ("category=B&department=94&dayFrom=12:00&dayTo=08:00", "dayTo"),
        ("category=B&department=94&dayFrom=24:00", "dayTo"),
        ("category=B&department=94&dayFrom=8h", "dayFrom"),
        ("category=B&department=94&consecutive=9", "consecutive"),
        ("category=B&withinKm=0", "withinKm"),
        ("category=B&department=94&weekdays=8", "weekdays[0]"),
        ("category=B&department=94&opensBefore=2026-12-02T15:00:00", "opensBefore"),
        ("category=B&department=94&opensBefore=0001-01-01T00:00:00%2B23:00", "opensBefore"),
        ("category=B&department=94&opensBefore=9999-12-31T23:59:59-23:00", "opensBefore"),
        ("category=B&department=94&kind=TOUT", "kind"),
    ],
)
async def test_a_filter_that_cannot_be_read_is_named(over: Any, query: str, field: str) -> None:
    _, browser, services = await over(scheduling_rules={})
    async with browser:
        answer = await browser.get(f"/api/v1/slots?{query}")
    assert (answer.status_code, [one["field"] for one in answer.json()["violations"]]) == (422, [field])
    assert services["scheduling-rules"].asked == []


async def test_favourite_centres_are_shown_and_chosen(over: Any) -> None:
    kept = scheduling_pb2.FavouriteCentre(category="B", centre_id="c-1", priority=1, centre_name="Rungis")
    listed = scheduling_pb2.ListFavouriteCentresResponse(favourites=[kept])
    listed.seen_at.FromDatetime(NOON)
    chosen = scheduling_pb2.SetFavouriteCentresResponse(favourites=[kept])
    _, browser, services = await over(scheduling_rules={"ListFavouriteCentres": listed, "SetFavouriteCentres": chosen})
    body = {"category": "B", "favourites": [{"centreId": "c-1", "priority": 1}]}
    async with browser:
        shown = (await browser.get("/api/v1/favourite-centres?pollNow=true")).json()
        put = await browser.put("/api/v1/favourite-centres", json=body)
        twice = await browser.put("/api/v1/favourite-centres", json=body | {"favourites": body["favourites"] * 2})
    assert (shown["items"][0]["centreName"], shown["seenAt"]) == ("Rungis", "2026-12-09T12:00:00Z")
    assert services["scheduling-rules"].asked[0].poll_now
    assert services["scheduling-rules"].asked[1].favourites[0].centre_id == "c-1"
    assert (put.json()["items"], twice.status_code) == (shown["items"], 422)


@pytest.mark.req("R-20")
async def test_a_search_is_saved_shown_and_forgotten(over: Any) -> None:
    search = scheduling_pb2.SearchSlotsRequest(
        department="94", category="B", day_from_minutes=480, consecutive=2, weekdays=[1]
    )
    saved = scheduling_pb2.SavedSearch(id="f-1", label="Matin", search=search, alert=True)
    _, browser, services = await over(
        scheduling_rules={
            "SaveSearch": scheduling_pb2.SaveSearchResponse(search=saved),
            "ListSavedSearches": scheduling_pb2.ListSavedSearchesResponse(searches=[saved]),
            "DeleteSavedSearch": scheduling_pb2.DeleteSavedSearchResponse(),
        }
    )
    wanted = {"department": "94", "category": "B", "dayFrom": "08:00", "consecutive": 2, "weekdays": [1]}
    async with browser:
        made = await browser.post("/api/v1/saved-searches", json={"label": "Matin", "search": wanted}, headers=KEY)
        listed = (await browser.get("/api/v1/saved-searches")).json()["items"]
        gone = await browser.delete("/api/v1/saved-searches/f-1")
    requests = services["scheduling-rules"].asked
    assert requests[0] == scheduling_pb2.SaveSearchRequest(request_id="act-1", label="Matin", search=search, alert=True)
    assert requests[2] == scheduling_pb2.DeleteSavedSearchRequest(id="f-1")
    assert (made.status_code, gone.status_code, listed) == (201, 204, [made.json()])
    assert made.json()["search"] == wanted | {
        "centres": [],
        "withinKm": None,
        "dayTo": None,
        "openNow": False,
        "opensBefore": None,
        "kind": None,
    }


@pytest.mark.req("R-24")
async def test_parameters_say_whether_they_are_in_force_to_come_or_awaited(over: Any) -> None:
    now = datetime.now(UTC)
    rows = [
        scheduling_pb2.Parameter(name="group", value="4", approved_by="a-2"),
        scheduling_pb2.Parameter(name="rate", value="4.5", department="94", category="B", approved_by="a-2"),
        scheduling_pb2.Parameter(name="group", value="3", proposed_by="a-1"),
    ]
    rows[0].valid_from.FromDatetime(now.replace(year=now.year - 1, day=1))
    rows[1].valid_from.FromDatetime(now.replace(year=now.year + 1, day=1))
    answer = scheduling_pb2.ListParametersResponse(parameters=rows)
    _, browser, _ = await over(scheduling_rules={"ListParameters": answer})
    async with browser:
        shown = await browser.get("/api/v1/rules/parameters")
    assert [one["state"] for one in shown.json()["items"]] == ["in_force", "to_come", "awaiting_approval"]
    assert "a-1" not in shown.text


@pytest.mark.req("R-10")
async def test_a_threshold_says_all_its_figures(over: Any) -> None:
    threshold = scheduling_pb2.Threshold(
        department="94",
        month="2026-12",
        category="B",
        limit=11,
        paced_limit=9,
        taken=7,
        held=2,
        elsewhere=1,
        left=4,
        left_today=2,
        own_limit=12,
        rdvpermis_limit=11,
        difference=-1,
        replacements_left=3,
        replacements_per_month=5,
        warn_percent=80,
        fte_source="hours",
    )
    threshold.fte_as_of.FromDatetime(NOON)
    _, browser, _ = await over(
        basket={"GetUsage": basket_pb2.GetUsageResponse()},
        scheduling_rules={"ListThresholds": scheduling_pb2.ListThresholdsResponse(thresholds=[threshold])},
    )
    async with browser:
        (shown,) = (await browser.get("/api/v1/thresholds")).json()["items"]
    assert (
        shown
        | {
            "held": 2,
            "elsewhere": 1,
            "left": 4,
            "leftToday": 2,
            "ownLimit": 12,
            "difference": -1,
            "replacementsLeft": 3,
            "replacementsPerMonth": 5,
            "warnPercent": 80,
            "fteSource": "hours",
            "fteAsOf": "2026-12-09T12:00:00Z",
        }
        == shown
    )
