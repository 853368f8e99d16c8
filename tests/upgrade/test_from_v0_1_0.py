"""What a school had on v0.1.0 when the power went is there on this version, each thing once, and goes on from there.

Each test was seen to fail in a copy of the tree where
- basket's migration empties the events that it had received and not acted on: the hold of an ended mandate stays;
- basket's migration deletes rows of the outbox that were never published: they are not kept;
- consumers take what the new stream brings and ask its source for nothing before it: what the old stream still held is
  lost, thresholds and notices lack it, and the unreadable event is set aside nowhere;
- streams of 0.1.0 are left beside the new ones: nothing new can be published, the same tests fail;
- positions or heads of the outbox stay under the old name of their stream: found by name alone, as handlers bear what
  comes twice and a source without a head goes on after its newest message;
- notification's migration empties its dead letters: only half of them are listed;
- audit's migration rewrites an action, or a proof is answered over a rewritten action: `booking.validate` instead of
  `booking.confirm`; Disproved;
- scheduling-rules' migration empties `bar`, or forgets the parameter of a department: no restriction is found, and only
  the default of the two values;
- the gateway's migration deletes tokens: validating an old hold is answered 401 RECONNECT_NEEDED;
- a migration takes or changes any row: mandate's `candidate_word` (nobody is found by name either) or `request` (a repeat is another
  command: 409 NEPH_KNOWN), notification's notices of other kinds, basket's `judgement`, `request` or cancelled lines,
  scheduling-rules' `feed`, `hours` or a value in `vehicle`: the rows are told, each table by name.
"""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from journey import DrivingSchool, TheState, until
from kept_rows import Row, Tables, kept_rows

import releases
from ctl.addresses import Addresses, of_home
from ctl.findings import Finding
from ctl.invariants import check
from devstack.background import BackgroundStack
from devstack.components import POSTGRES, SERVICES, offsets, service_named
from devstack.probes import free_port
from devstack.programs import migrate
from devstack.stack import Stack
from resapermis.audit.v1 import audit_pb2, audit_pb2_grpc
from resapermis_audit import verify
from resapermis_audit.tree import verify_consistency
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.auth import Principal, Signer

VERSION = "v0.1.0"
MAKER = Path(__file__).with_name("made_by_v0_1_0.py")
CTL = Path(releases.ROOT, "tools", "resapermisctl.py")
pytestmark = pytest.mark.timeout(600)  # a machine's first run installs the old release


RENAMED = {
    "basket": {"heard": "received_event"},
    "scheduling_rules": {
        "authorisation_said": "authorisation_published",
        "bar": "restriction",
        "centre_look": "centre_poll",
        "favourite_look": "favourite_poll",
        "look": "poll",
        "penalty_look": "penalty_poll",
        "threshold_said": "threshold_published",
    },
}
"""Database → table → its name of today."""
RENAMED_VALUES = {
    "inbox": {"facts": "events"},
    "outbox": {"facts": "events"},
    "outbox_head": {"facts": "events"},
    "parameter": {
        "late_cancel_bar_days": "late_cancel_restriction_days",
        "look_stale_seconds": "poll_stale_seconds",
    },
}
"""Table → a value of the old release → of today."""
EMPTY = {
    "no event or request of its own": (
        ("audit", "request"),
        ("auth_gateway", "inbox"),
        ("auth_gateway", "request"),
        ("mandate", "inbox"),
        ("notification", "request"),
    ),
    "each keeps dead letters in the same table, of which notification and scheduling-rules have one": (
        ("audit", "dead_letter"),
        ("auth_gateway", "dead_letter"),
        ("basket", "dead_letter"),
        ("mandate", "dead_letter"),
    ),
    "work of minutes, done again": (
        ("auth_gateway", "sign_in_attempt"),
        ("basket", "eligibility"),
        ("basket", "prepared_basket"),
        ("scheduling_rules", "slot_news"),
    ),
    "RdvPermis', asked for again": (("basket", "penalties_seen"), ("scheduling_rules", "penalty_poll")),
    "of the turn of a month or the end of an authorisation, which do not come while the old release makes its stack": (
        ("scheduling_rules", "authorisation_published"),
        ("scheduling_rules", "fte"),
        ("scheduling_rules", "threshold_published"),
    ),
}
"""Why → tables of which the old release leaves no row, so that nothing shows here whether one would be kept.

Every other table must have one.
"""


@dataclass(frozen=True)
class Upgraded:
    """The old release's stack on this version.

    `was`: what it had, as it said itself (made_by_v0_1_0.py); `migrated`: every row of every database when the migrations had run
    and no service had started.
    """

    was: dict[str, Any]
    migrated: dict[str, Tables]
    running: BackgroundStack
    school: DrivingSchool
    state: TheState

    @property
    def stack(self) -> Stack:
        return self.running.stack

    def ask(self, database: str, question: str, *values: object) -> list[Any]:
        async def asked() -> list[Any]:
            connection = await asyncpg.connect(self.stack.database_url(database), timeout=10)
            try:
                return list(await connection.fetch(question, *values))
            finally:
                await connection.close()

        return asyncio.run(asked())


@pytest.fixture(scope="module")
def upgraded(request: pytest.FixtureRequest) -> Iterator[Upgraded]:
    release = releases.ready(VERSION)
    folder = Path(tempfile.mkdtemp(prefix="resapermis-upgrade-"))
    folder.chmod(0o755)  # as root, PostgreSQL runs as another user and must reach its folder
    home, port = folder / "home", free_port(offsets(), start=29_000 + 40 * (os.getpid() % 50), step=40, attempts=80)
    paths = [*(str(release.root / below) for below in ("tools", "tests/journeys")), str(MAKER.parent)]
    made = subprocess.run(  # noqa: S603 - no input from outside
        [str(release.python), "-P", str(MAKER), str(home), str(port), str(folder / "was.json")],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert made.returncode == 0, f"logs in {home}/log\n{made.stdout[-2000:]}{made.stderr[-4000:]}"
    was = json.loads((folder / "was.json").read_text(encoding="utf-8"))
    migrated = asyncio.run(_migrated(home, port))
    settings = {"basket": {"RESAPERMIS_GRACE_SECONDS": "2"}}
    with BackgroundStack(Stack(home, port, component_settings=settings)) as running:
        state = TheState(running.stack.settings.sandbox_url)
        school = DrivingSchool(running.stack.url, state, was["school"]["department"], was["school"]["number"])
        # The browser's session is as old as the rest: nobody signs in again.
        school.web.cookies.update(was["cookies"])
        school.csrf = school.get("/auth/session")["csrfToken"]
        yield Upgraded(was, migrated, running, school, state)
        school.web.close()
        state.web.close()
    if request.session.testsfailed:
        sys.stderr.write(f"\nlogs of both releases: {home}/log\n")
    else:
        shutil.rmtree(folder)


async def _migrated(home: Path, port: int) -> dict[str, Tables]:
    """Migrate with nothing running but PostgreSQL, and read what is there."""
    async with Stack(home, port, components=[POSTGRES]) as stack:
        for service in SERVICES:
            await migrate(stack.settings, service)
        urls = {service.database: stack.database_url(service.database) for service in SERVICES}
        return {database: await asyncio.to_thread(kept_rows, url) for database, url in urls.items()}


def test_no_migration_takes_or_changes_a_row(upgraded: Upgraded) -> None:
    """Every row of every table of every database, value by value; nothing that was there is meant to go."""
    empty, lost = set(), {}
    for database, tables in upgraded.was["kept"].items():
        for old_name, rows in tables.items():
            name = RENAMED.get(database, {}).get(old_name, old_name)
            now = upgraded.migrated[database].get(name, [])
            if not rows:
                empty.add((database, name))
            missing = _rows(rows, name, len(rows[0]) if rows else 0) - _rows(now, name, len(rows[0]) if rows else 0)
            if missing:
                lost[f"{database}.{name}"] = f"{missing.total()} of {len(rows)}, e.g. {next(iter(missing))}"
    assert lost == {}
    may_be_empty = {table for tables in EMPTY.values() for table in tables}
    assert empty - may_be_empty == set(), "a table without a row shows nothing"


def _rows(rows: Sequence[Row], table: str, width: int) -> Counter[tuple[str | None, ...]]:
    """Rows under today's words, as wide as they were: what has come since stands behind."""
    today = RENAMED_VALUES.get(table, {})
    return Counter(tuple(today.get(value, value) if value else value for value in row[:width]) for row in rows)


def test_every_hold_booking_candidate_and_mandate_is_there_and_rdvpermis_agrees(upgraded: Upgraded) -> None:
    was, school = upgraded.was, upgraded.school
    ending_is_over(upgraded)
    lines = school.lines()
    assert {slot: [line["id"], line["state"]] for slot, line in lines.items()} == was["lines"]
    shown = {group["id"]: group for group in school.get("/api/v1/basket")["groups"]}
    assert {was["groups"]["several"], was["groups"]["alone"], was["groups"]["held"]} <= set(shown)
    assert lines[_slot_of(was, was["groups"]["held"], shown)]["candidate"]["id"] == was["people"]["held"]
    assert sorted(one["id"] for one in school.get("/api/v1/candidates")["items"]) == was["candidates"]
    mandates = {one["id"]: one["state"] for one in school.get("/api/v1/mandates")["items"]}
    assert mandates == was["mandates"]
    assert mandates[was["pending"]] == "pending"
    school.agrees()


def _slot_of(was: dict[str, Any], group_id: str, shown: dict[str, Any]) -> str:
    (line,) = shown[group_id]["lines"]
    assert line["slot"]["id"] in was["lines"]
    return str(line["slot"]["id"])


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


def test_what_basket_received_and_had_not_acted_on_is_acted_on(upgraded: Upgraded) -> None:
    ending = upgraded.was["ending"]
    ending_is_over(upgraded)
    (row,) = upgraded.ask("basket", "SELECT state, reason FROM basket_line WHERE id = $1::text::uuid", ending["line"])
    assert (row["state"], row["reason"]) == ("released", "NO_MANDATE")
    until(lambda: not upgraded.ask("basket", "SELECT 1 FROM received_event"), "the received event to be forgotten")


def ending_is_over(upgraded: Upgraded) -> None:
    """Wait until the hold whose candidate's mandate ended is given back, here and at RdvPermis."""
    slot = upgraded.was["ending"]["slot"]

    def over() -> bool:
        return slot not in upgraded.school.lines() and slot not in upgraded.state.held(upgraded.school.id)

    until(over, "the hold of an ended mandate to be given back")


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


async def _broken(addresses: Addresses) -> Sequence[Finding]:
    report = await check(addresses)
    return [one for one in report.findings if not one.holds and one.name != "no_dead_letter"]


def _all_notices(school: DrivingSchool) -> Sequence[dict[str, Any]]:
    return list(school.get("/api/v1/notifications", limit=100)["items"])


def test_what_the_rules_keep_is_there_under_its_new_names(upgraded: Upgraded) -> None:
    rules, school = upgraded.was["rules"], upgraded.school
    assert school.get("/api/v1/school/trainers")["items"] == rules["trainers"]
    assert len(rules["trainers"]) == 1
    absence = rules["absence"]
    assert school.get("/api/v1/unavailabilities", **absence["asked"])["items"] == absence["items"]
    assert len(absence["items"]) == 1
    (search,), (old_search,) = school.get("/api/v1/saved-searches")["items"], rules["searches"]
    question = {"consecutive" if name == "inARow" else name: value for name, value in old_search["search"].items()}
    assert search | {"matchedAt": None} == old_search | {"search": question, "matchedAt": None}  # slots go on matching
    assert [one["centreId"] for one in school.get("/api/v1/favourite-centres")["items"]] == rules["favourites"]
    assert len(rules["favourites"]) == 1

    (old,) = rules["bars"]["items"]
    standing = school.get(f"/api/v1/candidates/{rules['bars']['candidate']}/standing")["restrictions"]
    (restriction,) = [one for one in standing if one["id"] == old["id"]]
    renamed = {"lifted": "waived", "liftProposed": "waiverProposed", "liftProposedByMe": "waiverProposedByMe"}
    assert restriction == {renamed.get(name, name): value for name, value in old.items()}
    assert (restriction["waived"], restriction["waiverProposed"], restriction["waiverProposedByMe"]) == (
        False,
        True,
        True,
    )
    rows = "SELECT id::text, waiver_reason, proposed_by FROM restriction"
    kept = {row["id"]: [row["waiver_reason"], row["proposed_by"]] for row in upgraded.ask("scheduling_rules", rows)}
    for identity, *proposal in rules["rows"]:
        assert kept[identity] == proposal


def test_a_parameter_that_two_people_approved_counts_under_its_new_name(upgraded: Upgraded) -> None:
    rules, school = upgraded.was["rules"], upgraded.school
    shown = school.get("/api/v1/rules/parameters")["items"]
    assert [one for one in shown if one["name"] == "late_cancel_bar_days"] == []
    addresses = {(one["department"], one["value"], one["validFrom"]) for one in rules["parameters"]}
    assert len(addresses) == 2, "the default and the department's own"
    now_named = [one for one in shown if one["name"] == "late_cancel_restriction_days"]
    assert {(one["department"], one["value"], one["validFrom"]) for one in now_named} == addresses

    def days() -> bool:
        preview = school.get(f"/api/v1/bookings/{rules['late']}/cancellation")
        return bool(preview["restrictedDays"] == 25)

    # Each preview asks RdvPermis, who counts them: without a pause the other tests would find the call budget used up.
    until(days, "the department's own penalty to count", seconds=90, pause_seconds=2)


def test_what_was_set_aside_is_shown_and_what_cannot_be_read_is_set_aside(upgraded: Upgraded) -> None:
    poisoned = upgraded.was["poisoned"].values()
    expected = {(consumer, event) for consumer in ("notification", "scheduling_rules") for event in poisoned}

    def listed() -> Sequence[dict[str, Any]] | None:
        command = [sys.executable, str(CTL), "dlq", "--home", str(upgraded.stack.home)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - as above
        assert done.returncode == 1, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)["dead_letters"]
        return found if len(found) >= len(expected) else None

    letters = until(listed, "every dead letter")
    assert sorted((letter["consumer"], letter["id"]) for letter in letters) == sorted(expected)
    assert {letter["source"] for letter in letters} == {"basket"}


def test_old_records_keep_their_recorded_action_and_old_proofs_hold(upgraded: Upgraded) -> None:
    was, school = upgraded.was, upgraded.school
    question = "SELECT id::text, action, encode(leaf_data, 'hex') AS leaf FROM entry"
    kept = {row["id"]: (row["action"], row["leaf"]) for row in upgraded.ask("audit", question)}
    for record, action, leaf in was["records"]:
        assert kept[record] == (action, leaf)

    saved, key = was["proofs"], was["proofs"]["verifierKey"]
    old = verify.verify_note(saved["note"], key)
    newest = school.get("/api/v1/audit/checkpoint")
    assert newest["verifierKey"] == key
    new = verify.verify_note(newest["note"], key)
    assert new.size > old.size
    for record, proof in saved["proofs"].items():
        assert verify.check(proof, key).size >= 1
        again = school.get(f"/api/v1/audit/records/{record}/proof")
        assert verify.check(again, key).size >= new.size
        assert (again["leafIndex"], again["leafData"], again["content"]) == tuple(
            proof[name] for name in ("leafIndex", "leafData", "content")
        )
    hashes = asyncio.run(consistency(upgraded.stack, old.size, new.size))
    assert verify_consistency(old.size, new.size, old.root, new.root, hashes)
    assert not verify_consistency(old.size, new.size, new.root, old.root, hashes)


async def consistency(stack: Stack, first: int, second: int) -> list[bytes]:
    """Asked of audit as the gateway asks for a person of a school."""
    address = stack.settings.address(service_named("audit"))
    channel = peers.channel(address, stack.settings.tls / "auth-gateway", "audit")
    try:
        someone = Principal("a-person", "a-session", "ae-094-1", ("school_manager",))
        token = Signer(stack.settings.secrets / "principal.jwk.json").sign(someone)
        question = audit_pb2.GetConsistencyProofRequest(first_size=first, second_size=second)
        stub = audit_pb2_grpc.AuditServiceStub(channel)
        answer = await peers.ask(stub.GetConsistencyProof, question, timeout=5, principal=token)
        return list(answer.hashes)
    finally:
        await channel.close()


def test_a_candidate_is_found_by_name_and_by_neph(upgraded: Upgraded) -> None:
    for person in upgraded.was["found"]:
        for query in person["by"]:
            found = upgraded.school.act("POST", "/api/v1/candidates/search", {"query": query})["items"]
            assert [one["id"] for one in found] == [person["id"]]


def test_a_command_that_is_repeated_is_answered_as_then(upgraded: Upgraded) -> None:
    for done in upgraded.was["repeatable"]:
        again = upgraded.school.send("POST", done["path"], done["body"], done["key"])
        assert again.status_code == 201, again.text
        assert _ids(again.json()) == _ids(done["answer"]) != []
        other = upgraded.school.send("POST", done["path"], {**done["body"], **OTHERWISE[done["path"]]}, done["key"])
        assert (other.status_code, other.json()["code"]) == (422, "KEY_REUSED")


OTHERWISE: dict[str, dict[str, Any]] = {
    "/api/v1/candidates": {"firstName": "Autrement"},
    "/api/v1/school/vehicles": {"label": "Clio 3"},
    "/api/v1/basket/items": {"items": [{"slotId": "another"}]},
}


def _ids(answer: Any) -> list[str]:
    """Every id in an answer, in its order."""
    if isinstance(answer, list):
        return [found for each in answer for found in _ids(each)]
    if isinstance(answer, dict):
        return [found for name, each in answer.items() for found in ([each] if name == "id" and each else _ids(each))]
    return []


def test_what_a_school_wrote_down_of_itself_is_there(upgraded: Upgraded) -> None:
    records, school = upgraded.was["rules"]["records"], upgraded.school
    seen = {"seenAt": None}  # RdvPermis is asked again
    assert school.get("/api/v1/school") | seen == records["school"] | seen
    assert records["school"]["licensedUntil"] == "2030-01-31"
    assert school.get("/api/v1/school/hours")["items"] == records["hours"]["items"]
    assert [one["hours"] for one in records["hours"]["items"]] == [120.25]
    labels = sorted(one["label"] for one in school.get("/api/v1/school/vehicles")["items"])
    assert labels == ["Clio 1", "Clio 2"]
    calendar = school.web.get(records["feed"])
    assert calendar.status_code == 200, calendar.text
    assert calendar.text.startswith("BEGIN:VCALENDAR")


def test_a_hold_of_the_old_version_is_validated_and_the_school_goes_on_booking(upgraded: Upgraded) -> None:
    was, school = upgraded.was, upgraded.school
    answer = school.validate(was["groups"]["held"])
    assert answer.status_code == 200, answer.text
    (line,) = answer.json()["group"]["lines"]
    assert line["state"] == "booked"
    ending_is_over(upgraded)
    until(lambda: school.notices("booking.confirmed", line["id"]), "the notice of the old hold's booking")
    fresh = school.booking()
    assert fresh["state"] == "booked"
    school.agrees()
