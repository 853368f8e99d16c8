"""What a moving window lets through, and what it forgets."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resapermis_auth_gateway.web.security.rates import Rates, Window
from resapermis_kit.errors import Failure

pytestmark = pytest.mark.req("S-05")


@given(st.lists(st.integers(0, 300), max_size=60).map(sorted), st.integers(1, 5))
def test_no_span_of_a_minute_has_more_than_allowed_and_one_that_has_room_is_not_refused(
    moments: list[int], most: int
) -> None:
    window, passed = Window(most, 60), list[int]()
    for now in moments:
        lately = [moment for moment in passed if moment >= now - 60]
        free_at = window.hit("one", now)
        assert free_at == (lately[0] + 60 if len(lately) >= most else None)
        passed += [now] if free_at is None else []


def test_who_asks_too_often_stands_in_nobody_elses_way() -> None:
    window = Window(1, 60)
    assert [window.hit(who, 10.0) for who in ("one", "one", "other")] == [None, 70.0, None]


def test_who_asked_a_while_ago_is_forgotten() -> None:
    window = Window(2, 60)
    for number in range(100):
        window.hit(str(number), float(number))
    assert len(window) == 61


def test_a_refused_request_learns_when_the_next_is_free() -> None:
    rates = Rates(sign_in="1/minute", write="2/minute", calendar="1/hour", now=lambda: 1_000_000.0)
    rates.spend("calendar", "address")
    with pytest.raises(Failure) as refused:
        rates.spend("calendar", "address")
    at: Any = refused.value.retry_at
    assert at.timestamp() == 1_003_600
