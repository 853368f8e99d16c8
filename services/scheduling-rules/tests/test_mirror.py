"""How polls and events of ours change what is known of a slot, in whatever order they arrive."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resapermis_scheduling_rules.domain.slots import STATUS_OF_WORD, Status
from resapermis_scheduling_rules.mirror.merge import (
    BY_OTHERS,
    MirroredSlot,
    PolledSlot,
    is_doubtful,
    lost,
    merged,
    newly_free,
    to_publish,
)

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
STARTS = AT + timedelta(days=10)
HELD = MirroredSlot(Status.TAKEN, STARTS, AT, AT, "school-1", AT + timedelta(minutes=15))


def found(word: str = "DISPONIBLE") -> PolledSlot:
    return PolledSlot("s1", STARTS, STARTS + timedelta(minutes=32), AT, word, "CIRCULATION")


words = st.sampled_from([*STATUS_OF_WORD, "UN_MOT_NOUVEAU"])


@given(words, st.timedeltas(timedelta(seconds=1), timedelta(days=1)))
def test_what_was_learnt_after_the_poll_stays(word: str, late: timedelta) -> None:
    known = replace(HELD, seen_at=AT + late)
    assert merged(known, found(word), "school-2", AT) == known


def test_a_live_hold_of_ours_outlives_a_poll_that_finds_it_free() -> None:
    later = AT + timedelta(minutes=1)
    assert merged(HELD, found(), "school-2", later).holder == "school-1"
    after_its_end = merged(HELD, found(), "school-2", AT + timedelta(minutes=16))
    assert (after_its_end.status, after_its_end.holder) == (Status.FREE, None)


def test_only_the_holder_can_see_that_it_lost_a_slot_to_others() -> None:
    later = AT + timedelta(minutes=1)
    assert merged(HELD, found(BY_OTHERS), "school-2", later).holder == "school-1"
    assert merged(HELD, found("RÉSERVÉ"), "school-1", later).holder == "school-1"
    assert merged(HELD, found(BY_OTHERS), "school-1", later).holder is None
    assert lost({"s1": HELD}, [found(BY_OTHERS)], "school-1", later) == ["s1"]
    assert lost({"s1": HELD}, [found(BY_OTHERS)], "school-2", later) == []


def test_what_one_school_sees_of_itself_is_not_shared() -> None:
    ours = merged(None, found("RÉSERVÉ_PAR_MON_AUTO_ÉCOLE"), "school-1", AT)
    assert (ours.status, ours.holder) == (Status.TAKEN, "school-1")
    assert merged(None, found("SEUIL_ATTEINT"), "school-1", AT).status is Status.FREE


@pytest.mark.parametrize("word", ["ANNULÉ", None])
def test_gone_is_gone_once_and_only_before_it_begins(word: str | None) -> None:
    seen = [found(word)] if word else []
    later = AT + timedelta(minutes=1)
    assert lost({"s1": HELD}, seen, "school-2", later) == ["s1"]
    assert lost({"s1": replace(HELD, withdrawn_at=AT)}, seen, "school-2", later) == []
    assert lost({"s1": HELD}, seen, "school-2", STARTS) == []
    assert lost({"s1": HELD}, seen, "school-2", AT - timedelta(seconds=1)) == []


def test_publication_is_when_rdvpermis_says_else_when_first_seen() -> None:
    unsaid = replace(found(), published_at=None)
    first = merged(None, unsaid, "school-1", AT)
    assert first.published_at == AT
    assert merged(first, unsaid, "school-1", AT + timedelta(hours=1)).published_at == AT


FREE = MirroredSlot(Status.FREE, STARTS, AT - timedelta(days=3), AT)


@pytest.mark.req("R-09")
def test_a_slot_that_comes_back_is_free_again_with_its_first_publication() -> None:
    gone = replace(FREE, status=Status.WITHDRAWN, withdrawn_at=AT, loss_published_at=AT)
    later = AT + timedelta(minutes=5)
    back = merged(gone, replace(found(), published_at=None), "school-1", later)
    assert (back.status, back.withdrawn_at, back.published_at) == (Status.FREE, None, FREE.published_at)
    assert (back.reappeared_at, back.loss_published_at) == (later, AT)
    assert merged(back, found(), "school-1", later + timedelta(hours=1)).reappeared_at == later


def test_the_loss_of_a_slot_that_comes_and_goes_is_published_once_unless_a_school_has_it() -> None:
    again = replace(FREE, loss_published_at=AT)
    soon, late = AT + timedelta(minutes=59), AT + timedelta(minutes=61)
    assert to_publish({"s1": FREE}, ["s1"], soon) == ["s1"]
    assert to_publish({"s1": again}, ["s1"], soon) == []
    assert to_publish({"s1": again}, ["s1"], late) == ["s1"]
    assert to_publish({"s1": replace(HELD, loss_published_at=AT)}, ["s1"], soon) == ["s1"]


@pytest.mark.req("R-20")
def test_what_comes_is_what_was_not_known_free() -> None:
    later = AT + timedelta(minutes=1)
    taken = replace(FREE, status=Status.TAKEN)
    gone = replace(FREE, status=Status.WITHDRAWN, withdrawn_at=AT)
    assert newly_free({}, [found()], later) == ["s1"]
    assert newly_free({"s1": taken}, [found()], later) == ["s1"]
    assert newly_free({"s1": gone}, [found()], later) == ["s1"]
    assert newly_free({"s1": FREE}, [found()], later) == []
    assert newly_free({"s1": replace(taken, seen_at=later)}, [found()], AT) == []  # something newer is known
    assert newly_free({}, [found("RÉSERVÉ")], later) == []
    assert newly_free({}, [found()], STARTS) == []


def test_half_an_answer_takes_nothing_away() -> None:
    later = AT + timedelta(minutes=1)
    assert lost({"s1": FREE}, [], "school-1", later, whole=False) == []
    assert lost({"s1": FREE}, [found("ANNULÉ")], "school-1", later, whole=False) == ["s1"]


def test_a_whole_day_gone_at_once_is_doubted() -> None:
    later = AT + timedelta(minutes=1)
    day = {f"s{n}": FREE for n in range(3)}
    assert is_doubtful(day, [], later)
    assert not is_doubtful(day, [found()], later)
    assert not is_doubtful({"s1": FREE, "s2": FREE}, [], later)
    assert not is_doubtful(day, [], STARTS)
