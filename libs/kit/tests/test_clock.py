"""Ids tell the order of making: lists of the journal, and their pages, are in that order."""

from datetime import UTC, datetime

from resapermis.audit.v1.events_pb2 import Record
from resapermis_kit.clock import new_id
from resapermis_kit.events.outbox import Outbox


def test_of_ids_made_in_one_millisecond_the_later_one_is_greater() -> None:
    made = [new_id() for _ in range(5_000)]  # a millisecond holds thousands
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_records_of_one_moment_are_in_the_order_in_which_they_were_written() -> None:
    ended, started = Record(action="session.end"), Record(action="session.start")
    ids = Outbox("auth-gateway").values(datetime(2026, 11, 30, tzinfo=UTC), [ended, started])["outbox_ids"]
    assert [str(one) for one in ids] == [ended.id, started.id]  # type: ignore[attr-defined]
    assert ended.id < started.id
