"""The pure judgements of `resapermisctl invariants`: each breach is found, and nothing else is one."""

import base64
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctl import bus, events, journal, state
from ctl.addresses import DATABASES, Addresses, UnknownAddress, of_environment, of_home, variable
from ctl.booking import Line
from ctl.findings import Finding, Report
from ctl.invariants import with_broken
from devstack.components import service_named
from resapermis_audit import tree

pytestmark = pytest.mark.req("P-05")
BOOKED = Line("l1", "ae-1", "s1", "booked", "c1", "ex-1", "b1", owed=False)
HELD = Line("l2", "ae-1", "s2", "held", "", "", "b2", owed=False)
EXAM = state.Exam("ex-1", "ae-1", "s1", "c1")
IN_BASKET = state.InBasket("b2", "ae-1", "s2", "")


def broken(findings):
    return {finding.name: finding.breaches for finding in findings if not finding.holds}


def checkpoint(leaves, size):
    nodes = tree.append({}, 0, [tree.leaf_hash(leaf) for leaf in leaves[:size]])
    root = tree.root(nodes, size)
    return (size, root, f"log\n{size}\n{base64.b64encode(root).decode()}\n\n— log c2ln\n")


@given(st.integers(1, 70), st.data())
def test_the_tree_grown_here_has_the_roots_that_audit_signs(size, data):
    leaves = [sha256(bytes([n])).digest() for n in range(size)]
    sizes = sorted(data.draw(st.sets(st.integers(1, size))) | {size})
    assert journal.tree_breaches(list(enumerate(leaves)), [checkpoint(leaves, one) for one in sizes]) == []


@given(st.integers(2, 40), st.data())
def test_any_other_leaf_count_order_or_note_is_found(size, data):
    leaves = [sha256(bytes([n])).digest() for n in range(size)]
    signed = [checkpoint(leaves, size)]
    changed = data.draw(st.integers(0, size - 1))
    other = [*leaves[:changed], sha256(b"other").digest(), *leaves[changed + 1 :]]
    assert journal.tree_breaches(list(enumerate(other)), signed)
    assert journal.tree_breaches(list(enumerate(leaves[:-1])), signed)
    assert journal.tree_breaches(list(enumerate([*leaves, leaves[0]])), signed)
    assert journal.tree_breaches(list(enumerate(leaves))[1:], signed)
    assert journal.tree_breaches(list(enumerate(leaves)), [(size, signed[0][1], "log\n1\nAA==\n")])


def test_a_booking_without_record_and_a_record_that_never_arrived_are_found():
    kept = journal.Journal(frozenset({"r1"}), [], [], [], frozenset({"l1"}))
    assert broken(journal.judge(kept, [BOOKED], frozenset({"r1"}))) == {}
    missing = journal.judge(journal.Journal(frozenset(), ["r9"], [], [], frozenset()), [BOOKED], frozenset({"r1"}))
    assert broken(missing) == {
        "booking_has_its_record": 1,
        "every_record_is_in_the_journal": 1,
        "every_record_is_in_the_tree": 1,
    }


def test_rdvpermis_and_we_agree_both_ways():
    truth = state.Truth([EXAM], [IN_BASKET], 0)
    assert broken(state.judge(truth, [BOOKED, HELD])) == {}
    assert broken(state.judge(state.Truth([], [], 0), [BOOKED, HELD])) == {
        "rdvpermis_agrees_on_bookings": 1,
        "rdvpermis_agrees_on_holds": 1,
    }
    ended = [Line("l1", "ae-1", "s1", "expired", "c1", "", "b1", owed=False)]
    assert broken(state.judge(state.Truth([EXAM], [], 0), ended)) == {"rdvpermis_agrees_on_bookings": 1}
    assert broken(state.judge(state.Truth([], [], 2), [])) == {"rdvpermis_sold_nothing_twice": 2}


def test_another_candidate_or_exam_at_rdvpermis_is_no_agreement():
    for exam in (state.Exam("ex-1", "ae-1", "s1", "c2"), state.Exam("ex-2", "ae-1", "s1", "c1")):
        assert broken(state.judge(state.Truth([exam], [], 0), [BOOKED])) == {"rdvpermis_agrees_on_bookings": 1}


def test_what_a_school_of_ours_books_there_without_us_is_found_here_and_what_others_book_is_counted():
    strange = state.Truth([EXAM, state.Exam("ex-9", "ae-9", "s9", "c9")], [], 0)
    assert broken(state.judge(strange, [BOOKED])) == {}
    assert state.made_elsewhere(strange, [BOOKED]) == 1
    unseen = state.Truth([EXAM, state.Exam("ex-9", "ae-1", "s9", "c9")], [], 0)
    assert broken(state.judge(unseen, [BOOKED])) == {"rdvpermis_agrees_on_bookings": 1}


def test_what_is_owed_is_said_until_it_is_given_back():
    owed = Line("l3", "ae-1", "s2", "expired", "", "", "b2", owed=True)
    assert broken(state.judge(state.Truth([], [IN_BASKET], 0), [owed])) == {"nothing_is_owed_to_rdvpermis": 1}


def traffic(**streams):
    """Every service silent but basket, whose events are as given; notification and scheduling-rules handled two."""
    found = {service_named(name).database: events.Traffic(name, {}, {}, [], frozenset()) for name in events.SOURCES}
    found["basket"] = events.Traffic("basket", {"events": events.Stream(**streams)}, {}, [], frozenset())
    for name in ("notification", "scheduling-rules"):
        at = {("basket", "events"): 2}
        found[service_named(name).database] = events.Traffic(name, {}, at, [], frozenset())
    return found


def test_a_gap_a_waiting_fact_and_a_late_consumer_are_found():
    whole = {"numbered": 2, "first": 1, "last": 2, "waiting": 0, "head": 2}
    assert broken(events.judge(traffic(**whole))) == {}
    assert broken(events.judge(traffic(**whole | {"numbered": 1}))) == {"outbox_numbers_have_no_gap": 1}
    assert broken(events.judge(traffic(**whole | {"waiting": 1}))) == {"everything_is_published": 1}
    late = events.judge(traffic(**whole | {"numbered": 3, "last": 3, "head": 3}))
    assert broken(late) == {"every_consumer_is_at_the_head": 2}
    pruned = {"numbered": 1, "first": 2, "last": 2, "waiting": 0, "head": 2}
    assert broken(events.judge(traffic(**pruned))) == {}
    assert broken(events.judge(traffic(numbered=0, first=0, last=0, waiting=0, head=2))) == {}


def test_dead_letters_are_found():
    silent = traffic(numbered=2, first=1, last=2, waiting=0, head=2)
    silent["audit"] = events.Traffic("audit", {}, {}, ["basket Record 1 ValueError"], frozenset())
    assert broken(events.judge(silent)) == {"no_dead_letter": 1}


def test_what_was_broken_once_and_never_may_be_stays_broken():
    mended = Report((Finding("a", 0, at_once=True), Finding("b", 0)))
    assert mended.holds
    assert not with_broken(mended, {"a": Finding("a", 1, ("x",), at_once=True)}).holds


def test_databases_are_told_by_the_environment_or_a_folder(tmp_path):
    whole = {variable(name): f"postgresql://{name}@/x" for name in DATABASES}
    assert of_environment(whole) == Addresses({name: f"postgresql://{name}@/x" for name in DATABASES})
    del whole["RESAPERMIS_BASKET_DATABASE_URL"]
    with pytest.raises(UnknownAddress, match="RESAPERMIS_BASKET_DATABASE_URL"):
        of_environment(whole)
    with pytest.raises(UnknownAddress, match="no local stack"):
        of_home(tmp_path)


def test_a_bus_that_acknowledges_before_it_writes_is_found():
    assert broken(bus.judge({"http://a": True, "http://b": False})) == {"bus_writes_before_it_acknowledges": 1}
    assert broken(bus.judge({"http://a": True})) == {}
    assert list(bus.judge({})) == []


def test_a_database_may_be_named_in_a_file_so_that_no_password_stands_in_the_environment(tmp_path):
    files = {name: tmp_path / name for name in DATABASES}
    for name, file in files.items():
        file.write_text(f"postgresql://{name}:secret@/x\n", encoding="utf-8")
    given = {f"{variable(name)}_FILE": str(file) for name, file in files.items()}
    assert of_environment(given) == Addresses({name: f"postgresql://{name}:secret@/x" for name in DATABASES})
    files["basket"].unlink()
    with pytest.raises(OSError, match="basket"):
        of_environment(given)
