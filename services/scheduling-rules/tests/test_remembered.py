"""What is remembered for seconds: it may expire between any two looks at the clock, and the clock may be set back."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from scheduling_peers import NOW

from resapermis_scheduling_rules.peers import TtlCache

SECONDS = 5


class Readings:
    """A clock that shows these seconds after NOW, one a reading, and then the last for ever."""

    def __init__(self) -> None:
        self.coming: list[float] = [0]

    def __call__(self) -> datetime:
        seconds = self.coming.pop(0) if len(self.coming) > 1 else self.coming[0]
        return NOW + timedelta(seconds=seconds)


@given(st.lists(st.sampled_from([-1.0, 0.0, 4.999, 5.0, 60.0]), min_size=1, max_size=6))
async def test_whenever_it_expires_one_gets_what_was_remembered_or_what_is_read_now(readings: list[float]) -> None:
    clock = Readings()
    cache: TtlCache[str] = TtlCache(clock, SECONDS)
    cache.keep("school", "remembered", NOW)
    clock.coming = list(readings)

    async def read() -> str:
        return "read"

    found = await cache.get("school", read)
    assert found == ("remembered" if 0 <= readings[0] < SECONDS else "read")


async def test_what_a_slow_read_found_counts_from_before_it() -> None:
    clock = Readings()
    cache: TtlCache[str] = TtlCache(clock, SECONDS)

    async def slowly() -> str:
        clock.coming = [4]
        return "read"

    assert await cache.get("school", slowly) == "read"
    assert cache.has("school")
    clock.coming = [5]
    assert not cache.has("school")


async def test_of_many_the_one_used_longest_ago_goes() -> None:
    clock = Readings()
    cache: TtlCache[int] = TtlCache(clock, SECONDS)
    for n in range(20_001):
        cache.keep(n, n, NOW)
        if n % 1000 == 0:
            assert cache.has(0)
    assert not cache.has(1)
