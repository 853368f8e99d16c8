"""Every event of the old release is kept, published and handled once, whatever it waited for when the power went.

Each test was seen to fail in a copy of the tree where
- basket's migration empties the events that it had received and not acted on: the hold of an ended mandate stays;
- basket's migration deletes rows of the outbox that were never published: they are not kept;
- consumers take what the new stream brings and ask its source for nothing before it: what the old stream still held is
  lost, thresholds and notices lack it, and the unreadable event is set aside nowhere;
- positions or heads of the outbox stay under the old name of their stream: found by name alone, as handlers bear what
  comes twice and a source without a head goes on after its newest message;
- notification's migration empties its dead letters: only half of them are listed.

Streams of 0.1.0 stay in the account that it had on the bus (ADR 33): whatever they held comes from their sources.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from journey import DrivingSchool, until
from upgraded import Upgraded, ending_is_over

import releases
from ctl.addresses import Addresses, of_home
from ctl.findings import Finding
from ctl.invariants import check
from devstack.components import SERVICES

pytestmark = [pytest.mark.timeout(600), pytest.mark.long_only]  # a machine's first run installs the old release
CTL = Path(releases.ROOT, "tools", "resapermisctl.py")


def test_every_event_is_kept_under_its_number_published_and_handled_once(upgraded: Upgraded) -> None:
    was, school = upgraded.was, upgraded.school
    addresses = of_home(upgraded.stack.home).reading(upgraded.stack.settings.sandbox_url)
    broken: list[Finding] = []

    def all_hold() -> bool:
        broken[:] = asyncio.run(_broken(addresses))
        return not broken

    with contextlib.suppress(AssertionError):  # what is broken says more than that it was waited for
        until(all_hold, "all but dead letters to hold")
    assert broken == []

    for database, events in was["events"].items():
        question = "SELECT id::text, type, number, encode(payload, 'base64') AS payload, published_at FROM outbox"
        kept = {row["id"]: row for row in upgraded.ask(database, question)}
        assert [event for event, *_ in events if event not in kept] == []
        for event, kind, number, payload in events:
            row = kept[event]
            assert (row["type"], row["payload"]) == (kind, payload)
            assert row["published_at"] is not None
            assert row["number"] == number if number is not None else row["number"]

    for booking in was["bookings"].values():
        until(lambda line=booking: school.notices("booking.confirmed", line), "the notice of the booking")
        assert len(school.notices("booking.confirmed", booking)) == 1
    notices = Counter((one["kind"], one["objectId"], one["occurredAt"]) for one in _all_notices(school))
    assert [key for key, times in notices.items() if times > 1] == []
    # The rules count by events what basket counts by lines.
    ending_is_over(upgraded)

    def counted() -> bool:
        return sum(one["taken"] for one in school.get("/api/v1/thresholds")["items"]) == len(was["lines"])

    until(counted, f"{len(was['lines'])} lines to be counted")


async def _broken(addresses: Addresses) -> Sequence[Finding]:
    report = await check(addresses)
    return [one for one in report.findings if not one.holds and one.name != "no_dead_letter"]


def _all_notices(school: DrivingSchool) -> Sequence[dict[str, Any]]:
    return list(school.get("/api/v1/notifications", limit=100)["items"])


def test_what_basket_received_and_had_not_acted_on_is_acted_on(upgraded: Upgraded) -> None:
    ending = upgraded.was["ending"]
    ending_is_over(upgraded)
    (row,) = upgraded.ask("basket", "SELECT state, reason FROM basket_line WHERE id = $1::text::uuid", ending["line"])
    assert (row["state"], row["reason"]) == ("released", "NO_MANDATE")
    until(lambda: not upgraded.ask("basket", "SELECT 1 FROM received_event"), "the received event to be forgotten")


def test_numbers_and_positions_go_on_under_the_new_names_of_the_streams(upgraded: Upgraded) -> None:
    was = upgraded.was
    for database in was["events"]:
        found = upgraded.ask(
            database,
            "SELECT 'outbox' AS name, stream FROM outbox UNION SELECT 'outbox_head', stream FROM outbox_head "
            "UNION SELECT 'inbox', stream FROM inbox",
        )
        old = {(row["name"], row["stream"]) for row in found if row["stream"] not in {"events", "records"}}
        assert not old, database
    position = "SELECT position FROM inbox WHERE source = $1 AND stream = 'events'"
    for source, handled in was["positions"]:
        (row,) = upgraded.ask("notification", position, source)
        assert row["position"] >= handled, source
    for service in SERVICES:
        log = (upgraded.stack.home / "log" / f"{service.name}.log").read_text(encoding="utf-8")
        assert "outbox.behind_its_stream" not in log, "an upgrade was taken for a restored backup"


def test_what_was_set_aside_is_shown_and_what_cannot_be_read_is_set_aside(upgraded: Upgraded) -> None:
    poisoned = upgraded.was["poisoned"].values()
    expected = {(consumer, event) for consumer in ("notification", "scheduling_rules") for event in poisoned}

    def listed() -> Sequence[dict[str, Any]] | None:
        command = [sys.executable, str(CTL), "dlq", "--home", str(upgraded.stack.home)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no input from outside
        assert done.returncode == 1, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)["dead_letters"]
        return found if len(found) >= len(expected) else None

    letters = until(listed, "every dead letter")
    assert sorted((letter["consumer"], letter["id"]) for letter in letters) == sorted(expected)
    assert {letter["source"] for letter in letters} == {"basket"}
