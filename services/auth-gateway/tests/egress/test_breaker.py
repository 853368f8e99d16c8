"""The circuit, without a network."""

import pytest

from resapermis_auth_gateway.egress.breaker import Breaker, State

pytestmark = pytest.mark.req("R-27")


def fail(breaker: Breaker, times: int, now: float) -> None:
    for _ in range(times):
        assert breaker.admit(now) is None
        breaker.failed(now)


def test_it_opens_after_failures_in_a_row_and_says_until_when():
    breaker = Breaker(threshold=3, first_pause=2)
    fail(breaker, 2, 0)
    breaker.answered()
    fail(breaker, 3, 10)
    assert breaker.state(10) is State.OPEN
    assert breaker.admit(11) == 12


def test_half_open_lets_one_probe_through_and_its_answer_closes_it():
    breaker = Breaker(threshold=1, first_pause=2)
    fail(breaker, 1, 0)
    assert breaker.state(2) is State.HALF_OPEN
    assert breaker.admit(2) is None
    assert breaker.admit(2) is not None
    breaker.answered()
    assert breaker.state(2) is State.CLOSED
    assert breaker.admit(2) is None


def test_a_failed_probe_opens_it_for_twice_as_long_up_to_a_bound():
    breaker, now, pauses = Breaker(threshold=1, first_pause=2, longest_pause=9), 0.0, []
    for _ in range(4):
        fail(breaker, 1, now)
        assert breaker.opened_until is not None
        pauses.append(breaker.opened_until - now)
        now = breaker.opened_until
    assert pauses == [2, 4, 8, 9]


def test_a_probe_that_never_left_frees_the_way_for_another():
    breaker = Breaker(threshold=1, first_pause=2)
    fail(breaker, 1, 0)
    assert breaker.admit(3) is None
    breaker.not_asked()
    assert breaker.admit(3) is None


def test_calls_under_way_when_it_opens_do_not_lengthen_the_pause():
    breaker = Breaker(threshold=2, first_pause=2)
    for _ in range(6):
        assert breaker.admit(0) is None
    for _ in range(6):
        breaker.failed(1)
    assert breaker.opened_until == 3
