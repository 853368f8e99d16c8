"""The harness of the openings tells the truth about what it is shown: who won, what was refused, what must never be."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from data.seed import School
from rush.callers import Done, Seen
from rush.opening import figures, hot, opening, sound
from rush.web import WebPlatform

SCHOOLS = [School(number) for number in range(1, 41)]


class OneOfEach:
    """A platform that gives each slot once; `oversells` gives everything to everybody."""

    def __init__(self, *, oversells: bool = False) -> None:
        self.taken: set[str] = set()
        self.asked: list[tuple[str, str, int]] = []
        self.at_once = self.most_at_once = 0
        self._oversells = oversells

    async def hold(
        self, school: School, request_id: str, slots: Sequence[str], candidates: Sequence[UUID], seen: Seen
    ) -> list[str]:
        self.asked.append((school.id, request_id, len(slots)))
        assert len(set(slots)) == len(slots) == len(candidates)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        held = [slot for slot in slots if self._oversells or slot not in self.taken]
        self.taken |= set(held)
        seen.refused.update(["REFUSED SLOT_TAKEN"] * (len(slots) - len(held)))
        now = time.monotonic()
        seen.done.append(Done(now, 0.01, len(slots), len(held)))
        return held


async def test_each_school_asks_for_more_until_it_is_refused() -> None:
    platform, slots = OneOfEach(), [f"s{n}" for n in range(100)]
    report = await opening(platform, SCHOOLS, slots, 8, "t")
    assert platform.most_at_once == 8
    assert len({(school, name) for school, name, _ in platform.asked}) == len(platform.asked)
    assert {1, 2, 3} <= {size for _, _, size in platform.asked} <= {1, 2, 3, 4}
    assert report["slots_held"] == len(platform.taken) <= 100
    assert (report["oversold"], report["failures"]) == (0, {})
    assert report["won"]["actions"] + report["refused"]["actions"] == report["all"]["actions"] == len(platform.asked)
    by_school: dict[str, list[int]] = {}
    for school, _, size in platform.asked:
        by_school.setdefault(school, []).append(size)
    assert all(sizes == list(range(1, len(sizes) + 1)) for sizes in by_school.values())
    assert sound(report)


async def test_of_a_crowd_on_one_slot_one_winner_is_told_and_more_are_unsound() -> None:
    assert sound([await hot(OneOfEach(), SCHOOLS, "s1", "t")])
    report = await hot(OneOfEach(oversells=True), SCHOOLS, "s1", "t")
    assert (report["winners"], report["oversold"]) == (40, 39)
    assert not sound({"hot": [report]})
    nobody = await hot(OneOfEach(), [], "s1", "t")
    assert not sound(nobody)


def test_what_must_never_be_is_seen_at_any_depth() -> None:
    assert sound({"a": [{"oversold": 0, "winners": 1}], "invariants": {"counters_wrong": 0, "live_lines": 7}})
    assert not sound({"a": [{"b": {"above_limit": 1}}]})
    assert not sound({"refused_without_a_reason": 3})
    assert not sound({"opening": {"failures": {"INTERNAL": 1}}})
    assert sound({"opening": {"failures": {"OVERLOADED": 1}}})


def test_figures_of_nothing_are_no_error() -> None:
    assert figures(Seen(), [], 1.0)["all"] == {"actions": 0}


async def _gateway(answers: list[tuple[int, str]], received: list[bytes]) -> asyncio.Server:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for status, body in answers:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            received.append(head + await reader.readexactly(length))
            half = len(body) // 2
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n{body[:half]}".encode())
            await writer.drain()
            writer.write(body[half:].encode())
        writer.close()

    return await asyncio.start_server(talk, "127.0.0.1", 0)


async def test_a_browser_of_the_bench_carries_what_the_gate_wants_and_reads_every_line() -> None:
    lines = (
        '{"group":{"lines":[{"state":"held","slot":{"id":"a"}},'
        '{"state":"refused","slot":{"id":"b"},"reason":{"code":"SLOT_TAKEN"}}]}}'
    )
    received: list[bytes] = []
    server = await _gateway([(201, lines), (409, '{"code":"BASKET_FULL"}')], received)
    port: int = server.sockets[0].getsockname()[1]
    platform, seen, school = WebPlatform("http://localhost:8080", port), Seen(), School(7)
    held: list[Any] = [
        await platform.hold(school, "k", ["a", "b"], school.candidates[:2], seen),
        await platform.hold(school, "l", ["c"], school.candidates[2:3], seen),
        await platform.hold(school, "m", ["d"], school.candidates[3:4], seen),
    ]
    assert held == [["a"], [], []]
    assert seen.refused == {"refused SLOT_TAKEN": 1}
    assert (seen.failures["409 BASKET_FULL"], sum(seen.failures.values())) == (1, 2)  # the third was not answered
    words = received[0].decode()
    assert f"Idempotency-Key: k-{school.digits}" in words
    assert "Origin: http://localhost:8080" in words
    assert "X-CSRF-Token: " in words
    assert f"={school.cookie}\r\n" in words
    server.close()
