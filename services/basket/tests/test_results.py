"""How exams went: found by polling, once, kept on the line, published; penalties published when they change (R-22)."""

from datetime import UTC, datetime, timedelta

import pytest
from basket_lines import NOW
from basket_lines import line as a_line
from basket_peers import Basket, Record, candidate
from hypothesis import given
from hypothesis import strategies as st
from paused_acts import break_s1, broken
from test_line_change import booked

from resapermis.audit.v1.events_pb2 import Actor
from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.basket.v1.events_pb2 import PenaltiesFound, ResultFound
from resapermis.booking.v1 import booking_pb2
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_basket.booking.results import poll_results
from resapermis_basket.domain.line import ExamOutcome, Result, State
from resapermis_basket.domain.result import FoundPenalty, FoundResult, PollPauses, first_poll, next_poll, result_of_exam
from resapermis_basket.reconcile.expiry import finish_begun_exams
from resapermis_kit.errors import Code, Failure

AWAITED = pb.Result()


async def over(basket: Basket, *slots: tuple[str, int], hours: float = 3) -> list[pb.Line]:
    """Exams that began so many hours ago and are done."""
    lines = await booked(basket, *slots)
    await basket.rows(
        "UPDATE basket_line SET starts_at = now() - make_interval(mins => :m), "
        "ends_at = now() - make_interval(mins => :m - 32) WHERE state = 'booked' RETURNING 1",
        m=int(hours * 60),
    )
    await finish_begun_exams(basket.dependencies)
    return lines


async def poll_now(basket: Basket) -> None:
    await basket.rows("UPDATE basket_line SET next_poll_at = now() WHERE next_poll_at IS NOT NULL RETURNING 1")
    await poll_results(basket.dependencies)


def stands(basket: Basket, number: int, *results: rdv.RdvResult, school: str = "school-1") -> rdv.RdvStanding:
    one = rdv.RdvStanding(rdvpermis_candidate_id=f"rdv-{number:03d}", category="B", results=results)
    basket.rdvpermis.standings.setdefault(school, []).append(one)
    return one


def restrict(one: rdv.RdvStanding, reason: str, days: float) -> None:
    one.penalties.add(reason=reason).until.FromDatetime(datetime.now(UTC) + timedelta(days=days))


async def results(basket: Basket) -> dict[str, pb.Result]:
    request = booking_pb2.ListBookingsRequest(filter=booking_pb2.BOOKING_FILTER_PAST)
    page = await basket.book("ListBookings", request)
    return {line.slot.id: line.result for line in page.bookings}


@pytest.mark.req("R-22")
async def test_results_are_found_page_by_page_and_published_once(basket: Basket) -> None:
    one, two, _, absent = await over(basket, ("s1", 1), ("s2", 2), ("s3", 3), ("s4", 4))
    stands(basket, 1, rdv.RdvResult(exam_id=one.exam_id, passed=True, points=27))
    stands(basket, 2, rdv.RdvResult(exam_id=two.exam_id, passed=False, points=12))
    stands(basket, 3, rdv.RdvResult(exam_id="exam-of-last-year", passed=False))
    restrict(stands(basket, 4), "ABSENCE", 40)
    await poll_now(basket)
    shown = await results(basket)
    assert [(shown[s].outcome, shown[s].points) for s in ("s1", "s2", "s4")] == [
        (pb.Result.OUTCOME_PASSED, 27),
        (pb.Result.OUTCOME_FAILED, 12),
        (pb.Result.OUTCOME_ABSENT, 0),
    ]
    assert shown["s1"].HasField("points")
    assert not shown["s4"].HasField("points")
    assert shown["s3"] == AWAITED
    published = await basket.published(ResultFound)
    assert {(event.exam_id, event.candidate_id, event.result.outcome) for event in published} == {
        (one.exam_id, candidate(1), pb.Result.OUTCOME_PASSED),
        (two.exam_id, candidate(2), pb.Result.OUTCOME_FAILED),
        (absent.exam_id, candidate(4), pb.Result.OUTCOME_ABSENT),
    }
    record = (await basket.published(Record))[-1]
    assert (record.action, record.actor.kind) == ("booking.result", Actor.KIND_RDVPERMIS)
    await poll_now(basket)
    assert len(await basket.published(ResultFound)) == 3
    assert basket.rdvpermis.calls.count("ListStandings") == 8
    await basket.check()


@pytest.mark.req("R-22")
async def test_a_result_that_cannot_be_written_keeps_no_other_from_being_found(basket: Basket) -> None:
    one, two = await over(basket, ("s1", 1), ("s2", 2))
    stands(basket, 1, rdv.RdvResult(exam_id=one.exam_id, passed=True))
    stands(basket, 2, rdv.RdvResult(exam_id=two.exam_id, passed=True))
    await basket.rows("UPDATE basket_line SET next_poll_at = now() RETURNING 1")
    await break_s1(basket)
    before = broken("done")
    await poll_results(basket.dependencies)
    shown = await results(basket)
    assert (shown["s1"], shown["s2"].outcome) == (AWAITED, pb.Result.OUTCOME_PASSED)
    assert broken("done") == before + 1


@pytest.mark.req("R-22")
async def test_results_are_counted_by_month_category_and_kind(basket: Basket) -> None:
    one, two, _ = await over(basket, ("s1", 1), ("s2", 2), ("s3", 3))
    stands(basket, 1, rdv.RdvResult(exam_id=one.exam_id, passed=True))
    restrict(stands(basket, 2), "Absence non excusée", 40)
    await poll_now(basket)
    request = booking_pb2.GetResultsRequest(from_month="2026-01", to_month="2026-12")
    (count,) = (await basket.book("GetResults", request)).counts
    assert (count.month, count.category, count.kind) == ("2026-12", "B", "CIRCULATION")
    assert (count.passed, count.failed, count.absent, count.awaited) == (1, 0, 1, 1)
    assert not (await basket.book("GetResults", request, school="school-2")).counts
    with pytest.raises(Failure) as refused:
        await basket.book("GetResults", booking_pb2.GetResultsRequest(from_month="2026-13"))
    assert refused.value.code == Code.CODE_MALFORMED
    assert two.exam_id


@pytest.mark.req("R-22")
async def test_a_result_is_polled_after_the_exam_then_seldomer_then_given_up(basket: Basket) -> None:
    await over(basket, ("s1", 1), hours=1)
    await poll_results(basket.dependencies)
    assert "ListStandings" not in basket.rdvpermis.calls
    await poll_now(basket)
    for age, hours in ((1, 3), (72, 24)):
        await basket.rows("UPDATE basket_line SET ends_at = now() - make_interval(hours => :h) RETURNING 1", h=age)
        await poll_now(basket)
        (row,) = await basket.rows(
            "SELECT round(extract(epoch FROM next_poll_at - now()) / 3600) AS hours FROM basket_line"
        )
        assert row.hours == hours
    await basket.rows("UPDATE basket_line SET ends_at = now() - interval '22 days' RETURNING 1")
    await poll_now(basket)
    assert (await basket.rows("SELECT next_poll_at FROM basket_line"))[0].next_poll_at is None
    assert (await results(basket))["s1"] == AWAITED


@pytest.mark.req("R-22")
@pytest.mark.parametrize("who", ["egress", "nobody", "mandate"])
async def test_while_it_cannot_be_read_a_result_waits(basket: Basket, who: str) -> None:
    (line,) = await over(basket, ("s1", 1), hours=21 * 24 + 1)
    stands(basket, 1, rdv.RdvResult(exam_id=line.exam_id, passed=True))
    stands(basket, 7)  # of whom only mandate knows who they are
    failure = {"egress": Code.CODE_RDVPERMIS_BUDGET, "nobody": Code.CODE_RECONNECT_NEEDED}.get(who)
    if failure is not None:
        basket.rdvpermis.before["ListStandings"] = Failure(failure, "none")
    else:
        await basket.peer_servers["mandate"].server.stop(0)
    before = broken("done")
    await poll_now(basket)
    (row,) = await basket.rows("SELECT outcome, next_poll_at - now() AS wait FROM basket_line")
    # However long it waits it is not given up, and nothing alerts.
    assert (row.outcome, timedelta() < row.wait <= timedelta(minutes=15)) == ("", True)
    assert broken("done") == before
    assert not await basket.published(ResultFound)


@pytest.mark.req("R-22", "S-24")
async def test_a_school_that_nobody_connected_keeps_no_other_from_its_results(basket: Basket) -> None:
    one, two = await over(basket, ("s1", 1), ("s2", 2))
    await basket.rows("UPDATE basket_line SET school_id = 'school-2' WHERE slot_id = 's2' RETURNING 1")
    basket.rdvpermis.unconnected.add("school-1")
    stands(basket, 1, rdv.RdvResult(exam_id=one.exam_id, passed=True))
    stands(basket, 2, rdv.RdvResult(exam_id=two.exam_id, passed=True), school="school-2")
    await poll_now(basket)
    assert [event.line_id for event in await basket.published(ResultFound)] == [two.id]
    basket.rdvpermis.unconnected.clear()
    await poll_now(basket)
    assert {event.line_id for event in await basket.published(ResultFound)} == {one.id, two.id}


@pytest.mark.req("R-21", "R-22")
async def test_penalties_are_published_when_they_change(basket: Basket) -> None:
    await over(basket, ("s1", 1))
    mine, other = stands(basket, 1), stands(basket, 2)
    restrict(other, "ANNULATION_TARDIVE", 30)
    await poll_now(basket)
    (published,) = await basket.published(PenaltiesFound)
    assert (published.candidate_id, [one.reason for one in published.penalties]) == (
        candidate(2),
        ["ANNULATION_TARDIVE"],
    )
    await poll_now(basket)
    assert len(await basket.published(PenaltiesFound)) == 1
    del other.penalties[:]
    restrict(mine, "ECHEC", 21)
    await poll_now(basket)
    changed = {event.candidate_id: len(event.penalties) for event in (await basket.published(PenaltiesFound))[1:]}
    assert changed == {candidate(1): 1, candidate(2): 0}


# Pure

PATIENCE = PollPauses(timedelta(hours=3), timedelta(days=1), timedelta(days=21))


@pytest.mark.req("R-22")
def test_only_the_exams_own_result_and_its_own_absence_count() -> None:
    line = a_line(State.DONE, exam_id="e1")
    assert result_of_exam(line, [FoundResult("e2", True, 30, NOW)], [], NOW) is None
    assert result_of_exam(line, [FoundResult("", True, 30, NOW + timedelta(hours=2))], [], NOW) == Result(
        ExamOutcome.PASSED, 30, NOW
    )
    for days, absent in ((10, False), (40, True), (42, True), (90, False)):
        penalties = [FoundPenalty("ABSENCE", NOW + timedelta(days=days))]
        assert (result_of_exam(line, [], penalties, NOW) is not None) == absent
    assert result_of_exam(line, [], [FoundPenalty("ECHEC", NOW + timedelta(days=40))], NOW) is None


@pytest.mark.req("R-22")
@given(st.timedeltas(timedelta(), timedelta(days=60)))
def test_polling_comes_to_an_end(age: timedelta) -> None:
    line = a_line(State.DONE)
    now = line.slot.ends_at + age
    again = next_poll(line, PATIENCE, now)
    assert (again is None) == (age >= PATIENCE.give_up)
    assert again is None or timedelta() < again - now <= PATIENCE.seldom
    assert first_poll(a_line(State.BOOKED, rdvpermis_candidate_id=""), PATIENCE) is None
