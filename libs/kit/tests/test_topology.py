"""Who publishes and who handles what, as `policies/bus.toml` says it."""

from pathlib import Path

import pytest

from resapermis_kit.process.topology import Durable, Topology
from resapermis_testing.nats import POLICIES


def test_no_subject_is_two_streams() -> None:
    taken = [subject for one in Topology.load(POLICIES).streams(1) for subject in one.subjects or []]
    assert len(taken) == len(set(taken))


def test_records_are_apart_from_events_of_audit() -> None:
    topology = Topology.load(POLICIES)
    assert topology.subjects("events", "audit") == ["resapermis.audit.v1.*"]
    assert topology.subjects("records", "audit") == ["resapermis.audit.v1.Record.audit"]


def test_streams_have_as_many_copies_as_asked() -> None:
    assert {one.num_replicas for one in Topology.load(POLICIES).streams(3)} == {3}


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "bus.toml").write_text('[a]\npublishes = ["x"]\n[b]\nhandles.events = ["a"]\nlistens = ["x"]\n[c]\n')
    read = Topology.load(tmp_path)
    assert (read.services, read.publishes, read.listens) == (("a", "b", "c"), {"a": ["x"]}, {"b": ["x"]})
    assert read.durables == [Durable("b", "events", "a")]
    assert (read.owner("x"), read.durables[0].name, read.durables[0].stream_name) == ("a", "b-events-a", "events-a")
    with pytest.raises(KeyError):
        read.owner("y")


def test_a_source_that_publishes_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bus.toml").write_text('[b]\nhandles.events = ["a"]\n')
    with pytest.raises(KeyError, match="a publishes nothing"):
        Topology.load(tmp_path)
