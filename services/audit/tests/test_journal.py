"""Records become provable: stored once, integrated once, shown to their school alone, tampering found."""

import asyncio
import base64
import json
import secrets
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1 import audit_pb2 as pb
from resapermis.audit.v1 import audit_pb2_grpc as rpc
from resapermis.audit.v1.events_pb2 import Record
from resapermis_audit import queries, verify
from resapermis_audit.checkpoint import verifier_key
from resapermis_audit.domain import SECURITY_ACTIONS
from resapermis_audit.process import SOURCES, Journal
from resapermis_audit.servicer import AuditServicer
from resapermis_audit.tables import checkpoints, entries
from resapermis_kit.clock import new_id, utc_now
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events import stream_handler
from resapermis_kit.events.event import BatchHandler, Event
from resapermis_kit.events.inbox import dead_letters
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.events.stream_handler import StreamHandler
from resapermis_kit.events.streams import RECORDS
from resapermis_kit.rpc import peers
from resapermis_testing.databases import as_owner
from resapermis_testing.grpc_server import RunningServer, Serve
from resapermis_testing.postgres import MakeEngine
from resapermis_vault.keyset import Keyset, new_document

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KNOWN = verifier_key("resapermis/journal", KEY.public_key())
PACKAGE = "resapermis_audit"
_DEAD = {"source": "basket", "type": Record.DESCRIPTOR.full_name}


@pytest.fixture
async def engine(make_engine: MakeEngine) -> AsyncEngine:
    """Audit's database."""
    return await make_engine(PACKAGE)


@pytest.fixture(scope="module")
def keyset() -> Keyset:
    """A keyset of this test."""
    return Keyset.parse(new_document())


@pytest.fixture
def journal(engine: AsyncEngine, keyset: Keyset) -> Journal:
    """The journal on that database."""
    return Journal(engine, keyset, KEY, "resapermis/journal", Outbox("audit"), utc_now, secrets.token_bytes)


@pytest.fixture
async def running(serve: Serve, engine: AsyncEngine, keyset: Keyset) -> RunningServer:
    """Audit's gRPC."""
    servicer = AuditServicer(engine, keyset, KNOWN)
    return await serve("audit", (rpc.add_AuditServiceServicer_to_server, servicer, "resapermis.audit.v1.AuditService"))


def _record(school: str = "school-1", **more: Any) -> Record:
    given = {"action": "basket.hold", "object_kind": "line", "source": "basket", **more}
    record = Record(id=str(new_id()), school_id=school, **given)
    record.occurred_at.FromDatetime(utc_now())
    return record


async def _store(engine: AsyncEngine, journal: Journal, *records: Record) -> None:
    async with transaction(engine) as tx:
        await journal.on_records(
            tx, [(record, Event(record.id, "basket", 1, "", utc_now(), b"", "")) for record in records]
        )


async def _call(running: RunningServer, method: str, request: Any, **person: Any) -> Any:
    stub = rpc.AuditServiceStub(running.shared_channel("audit"))
    return await peers.call(getattr(stub, method), request, principal=running.principal(**person))


def _as_file(proof: pb.GetInclusionProofResponse) -> dict[str, Any]:
    def text(data: bytes) -> str:
        return base64.b64encode(data).decode()

    return {
        "checkpoint": proof.checkpoint,
        "leafIndex": proof.leaf_index,
        "leafData": text(proof.leaf_data),
        "hashes": [text(step) for step in proof.hashes],
        "salt": text(proof.salt),
        "content": text(proof.content),
    }


@pytest.mark.req("T-02", "T-03", "T-05")
async def test_a_school_reads_its_records_and_proves_each(
    engine: Any, journal: Journal, running: RunningServer
) -> None:
    mine, others = [_record() for _ in range(5)], [_record("school-2") for _ in range(3)]
    await _store(engine, journal, *mine, *others)
    before = REGISTRY.get_sample_value("resapermis_journal_lag_seconds_count") or 0
    assert await journal.integrate() == 8
    assert REGISTRY.get_sample_value("resapermis_journal_lag_seconds_count") == before + 8
    assert REGISTRY.get_sample_value("resapermis_journal_records") == 8
    listed = (await _call(running, "ListRecords", pb.ListRecordsRequest())).records
    assert [entry.record.id for entry in listed] == [record.id for record in reversed(mine)]
    for entry in listed:
        proof = await _call(running, "GetInclusionProof", pb.GetInclusionProofRequest(record_id=entry.record.id))
        assert verify.check(_as_file(proof), KNOWN).size == 8
        assert Record.FromString(proof.content) == entry.record


@pytest.mark.req("T-05")
async def test_anothers_record_is_absent(engine: Any, journal: Journal, running: RunningServer) -> None:
    record = _record("school-2")
    await _store(engine, journal, record)
    await journal.integrate()
    for wanted in (record.id, str(new_id())):
        with pytest.raises(Failure) as caught:
            await _call(running, "GetInclusionProof", pb.GetInclusionProofRequest(record_id=wanted))
        assert caught.value.code == Code.CODE_NOT_FOUND


async def test_pages_follow_each_other_without_loss(engine: Any, journal: Journal, running: RunningServer) -> None:
    records = [_record() for _ in range(7)]
    await _store(engine, journal, *records)
    seen: list[str] = []
    cursor = ""
    while True:
        page = await _call(running, "ListRecords", pb.ListRecordsRequest(limit=3, cursor=cursor))
        seen += [entry.record.id for entry in page.records]
        cursor = page.next_cursor
        if not cursor:
            break
    assert seen == [record.id for record in reversed(records)]


async def test_records_of_several_actions_are_listed_together(
    engine: Any, journal: Journal, running: RunningServer
) -> None:
    records = [_record(), _record(), _record()]
    records[0].action, records[2].action = "basket.look", "basket.poll"
    await _store(engine, journal, *records)
    page = await _call(running, "ListRecords", pb.ListRecordsRequest(actions=["basket.poll", "basket.look"]))
    assert [entry.record.id for entry in page.records] == [records[2].id, records[0].id]


@pytest.mark.parametrize("request_", [pb.ListRecordsRequest(cursor="x"), pb.ListRecordsRequest(limit=-1)])
async def test_a_page_that_cannot_be_read_is_refused(running: RunningServer, request_: Any) -> None:
    with pytest.raises(Failure) as caught:
        await _call(running, "ListRecords", request_)
    assert caught.value.code == Code.CODE_MALFORMED


@pytest.mark.req("T-03")
async def test_any_change_of_a_proof_is_found(
    engine: Any, journal: Journal, running: RunningServer, tmp_path: Path
) -> None:
    records = [_record() for _ in range(4)]
    await _store(engine, journal, *records)
    await journal.integrate()
    answer = await _call(running, "GetInclusionProof", pb.GetInclusionProofRequest(record_id=records[1].id))
    good = _as_file(answer)
    other = _record()
    for change in (
        {"content": base64.b64encode(other.SerializeToString()).decode()},
        {"leafData": base64.b64encode(bytes(32)).decode(), "content": "", "salt": ""},
        {"leafIndex": 2},
        {"hashes": good["hashes"][::-1]},
        {"checkpoint": good["checkpoint"].replace("\n4\n", "\n5\n")},
        {"hashes": None},
    ):
        with pytest.raises(verify.ProofInvalid):
            verify.check(good | change, KNOWN)
    file = tmp_path / "proof.json"
    file.write_text(json.dumps(good))
    assert verify.main([str(file), KNOWN]) == 0
    file.write_text(json.dumps(good | {"leafIndex": 2}))
    assert verify.main([str(file), KNOWN]) == 1
    assert verify.main([]) == 2


@pytest.mark.req("T-03")
async def test_erasing_content_leaves_the_tree_as_it_was(engine: Any, journal: Journal, running: RunningServer) -> None:
    records = [_record() for _ in range(3)]
    await _store(engine, journal, *records)
    await journal.integrate()
    async with as_owner(engine) as tx:
        wanted = entries.c.id == UUID(records[0].id)
        await tx.execute(sa.update(entries).where(wanted).values(salt=None, content=None))
    proof = await _call(running, "GetInclusionProof", pb.GetInclusionProofRequest(record_id=records[0].id))
    assert not proof.content
    assert verify.check(_as_file(proof), KNOWN).size == 3


@pytest.mark.req("T-03")
@pytest.mark.parametrize("read", ["not_integrated", "newest_checkpoint"])
async def test_what_another_integrator_takes_meanwhile_is_in_the_tree_once(
    engine: Any, journal: Journal, monkeypatch: pytest.MonkeyPatch, read: str
) -> None:
    await _store(engine, journal, *(_record() for _ in range(10)))
    plain, met = getattr(queries, read), []

    async def and_another_comes(tx: Tx, *given: Any) -> Any:
        found = await plain(tx, *given)
        if not met:
            met.append(read)
            assert await journal.integrate() == 10
            await _store(engine, journal, _record())
        return found

    monkeypatch.setattr(queries, read, and_another_comes)
    with pytest.raises(sa.exc.IntegrityError):
        await journal.integrate()
    assert await journal.integrate() == 1
    async with transaction(engine) as tx:
        assert set((await tx.execute(sa.select(checkpoints.c.size))).scalars()) == {10, 11}
        assert sorted((await tx.execute(sa.select(entries.c.leaf_index))).scalars()) == list(range(11))


@pytest.mark.req("T-03")
async def test_two_integrators_never_sign_two_roots_of_one_size(engine: Any, journal: Journal) -> None:
    await _store(engine, journal, *(_record() for _ in range(10)))
    results = await asyncio.gather(journal.integrate(), journal.integrate(), return_exceptions=True)
    assert 10 in results
    async with transaction(engine) as tx:
        notes = (await tx.execute(sa.select(checkpoints.c.size))).scalars().all()
        indexes = (await tx.execute(sa.select(entries.c.leaf_index))).scalars().all()
    assert notes == [10]
    assert sorted(indexes) == list(range(10))


@pytest.mark.req("T-03")
async def test_each_tree_is_consistent_with_the_one_before(
    engine: Any, journal: Journal, running: RunningServer
) -> None:
    from resapermis_audit.checkpoint import parse
    from resapermis_audit.tree import verify_consistency

    points = []
    for count in (3, 4, 1):
        await _store(engine, journal, *(_record() for _ in range(count)))
        await journal.integrate()
        note = (await _call(running, "GetCheckpoint", pb.GetCheckpointRequest())).note
        points.append(parse(note.rpartition("\n\n")[0] + "\n"))
    for old, new in ((points[0], points[1]), (points[0], points[2]), (points[1], points[2])):
        request = pb.GetConsistencyProofRequest(first_size=old.size, second_size=new.size)
        proof = await _call(running, "GetConsistencyProof", request)
        assert verify_consistency(old.size, new.size, old.root, new.root, list(proof.hashes))


async def test_a_record_received_twice_is_stored_once(engine: Any, journal: Journal) -> None:
    record = _record()
    await _store(engine, journal, record)
    await _store(engine, journal, record)
    assert await journal.integrate() == 1


@pytest.mark.req("T-02")
async def test_a_record_that_names_another_source_is_set_aside_and_the_others_kept(
    engine: Any, journal: Journal, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """A service that was taken over writes into its own stream only, and there only in its own name (ADR 33)."""
    monkeypatch.setattr(stream_handler, "FIRST_PAUSE_SECONDS", 0)
    before = REGISTRY.get_sample_value("resapermis_dead_letters_total", _DEAD) or 0

    async def repeat(source: str, question: Any) -> Any:
        raise AssertionError("nothing is missing")

    handler = StreamHandler(engine, "basket", {Record: BatchHandler(journal.on_records)}, repeat, utc_now, RECORDS)
    records = [_record(), _record(source="auth-gateway", action="session.start"), _record(source=""), _record()]
    kind = Record.DESCRIPTOR.full_name
    await handler.handle(
        [
            Event(record.id, "basket", number, kind, utc_now(), record.SerializeToString(), "")
            for number, record in enumerate(records, 1)
        ]
    )
    async with transaction(engine) as tx:
        kept = set((await tx.execute(sa.select(entries.c.id))).scalars())
        aside = (await tx.execute(sa.select(dead_letters).order_by(dead_letters.c.id))).all()
    assert kept == {UUID(records[0].id), UUID(records[3].id)}
    assert [(letter.id, letter.error) for letter in aside] == [
        (UUID(record.id), "ForeignSource") for record in records[1:3]
    ]
    assert Record.FromString(aside[0].payload) == records[1], "kept whole, for who looks into it"
    assert REGISTRY.get_sample_value("resapermis_dead_letters_total", _DEAD) == before + 2
    assert "consumer.dead_letter" in capsys.readouterr().out


@pytest.mark.parametrize("source", SOURCES)
async def test_what_a_source_records_in_its_own_name_is_kept(engine: Any, journal: Journal, source: str) -> None:
    record = _record(source=source)
    async with transaction(engine) as tx:
        await journal.on_records(tx, [(record, Event(record.id, source, 1, "", utc_now(), b"", ""))])
    assert await journal.integrate() == 1


SECURITY = pb.ListSecurityRecordsRequest


def _security_records() -> list[Record]:
    return [
        _record("", action="access.denied", source="mandate"),
        _record("", action="rdvpermis.call", source="auth-gateway"),
        _record("school-1", action="access.denied", source="auth-gateway"),
        _record("school-1", action="session.start", source="auth-gateway"),
        _record("school-1", action="basket.hold"),
        _record("school-2", action="access.denied"),
        _record("", action="parameter.propose", source="scheduling-rules"),
    ]


async def _store_each(engine: AsyncEngine, journal: Journal, records: list[Record]) -> None:
    async with transaction(engine) as tx:
        for record in records:
            await journal.on_records(tx, [(record, Event(record.id, record.source, 1, "", utc_now(), b"", ""))])


@pytest.mark.req("S-14")
@pytest.mark.parametrize("role", ["security_officer", "auditor"])
async def test_who_watches_over_security_reads_it_of_nobody_and_of_any_school_and_no_other_act(
    engine: Any, journal: Journal, running: RunningServer, role: str
) -> None:
    records = _security_records()
    await _store_each(engine, journal, records)

    async def read(**asked: Any) -> list[str]:
        page = await _call(running, "ListSecurityRecords", SECURITY(**asked), roles=(role,), school_id="school-9")
        return [entry.record.id for entry in page.records]

    ids = [record.id for record in records]
    assert await read() == [ids[1], ids[0]]
    assert await read(actions=["access.denied"]) == [ids[0]]
    assert await read(school_id="school-1") == [ids[3], ids[2]]
    assert await read(school_id="school-1", actions=["basket.hold"]) == []
    assert await read(actions=["parameter.propose"]) == []
    first = await _call(running, "ListSecurityRecords", SECURITY(limit=1), roles=(role,))
    second = await _call(running, "ListSecurityRecords", SECURITY(limit=1, cursor=first.next_cursor), roles=(role,))
    assert [page.records[0].record.id for page in (first, second)] == [ids[1], ids[0]]
    assert second.next_cursor == ""


@pytest.mark.req("S-14")
@pytest.mark.parametrize("role", ["school_admin", "school_manager", "trainer", "candidate"])
async def test_a_school_reads_no_security_but_the_refusals_of_its_own_people(
    engine: Any, journal: Journal, running: RunningServer, role: str
) -> None:
    records = _security_records()
    await _store_each(engine, journal, records)
    with pytest.raises(Failure) as caught:
        await _call(running, "ListSecurityRecords", SECURITY(), roles=(role,))
    assert caught.value.code == Code.CODE_FORBIDDEN
    assert [denial.reason for denial in running.denied] == ["no_right"]
    if role in {"school_admin", "school_manager"}:
        page = await _call(running, "ListRecords", pb.ListRecordsRequest(actions=["access.denied"]), roles=(role,))
        assert [entry.record.id for entry in page.records] == [records[2].id]


@pytest.mark.req("S-14")
@pytest.mark.parametrize("role", ["security_officer", "auditor"])
async def test_who_watches_over_security_proves_each_record_of_it_and_no_other(
    engine: Any, journal: Journal, running: RunningServer, role: str
) -> None:
    records = _security_records()
    await _store_each(engine, journal, records)
    assert await journal.integrate() == len(records)

    async def proof(record: Record, method: str, request: type[Any]) -> Any:
        return await _call(running, method, request(record_id=record.id), roles=(role,), school_id="school-1")

    about, others = [one for one in records if one.action in SECURITY_ACTIONS], records[4::2]
    assert len(about) == 5
    for record in about:
        found = (await proof(record, "GetSecurityInclusionProof", pb.GetSecurityInclusionProofRequest)).proof
        assert verify.check(_as_file(found), KNOWN).size == len(records)
        assert Record.FromString(found.content) == record
        with pytest.raises(Failure) as caught:
            await proof(record, "GetInclusionProof", pb.GetInclusionProofRequest)
        assert caught.value.code == Code.CODE_FORBIDDEN
    for record in (*others, _record()):
        with pytest.raises(Failure) as caught:
            await proof(record, "GetSecurityInclusionProof", pb.GetSecurityInclusionProofRequest)
        assert caught.value.code == Code.CODE_NOT_FOUND
    with pytest.raises(Failure) as caught:
        request = pb.GetSecurityInclusionProofRequest(record_id=records[2].id)
        await _call(running, "GetSecurityInclusionProof", request, roles=("school_admin",), school_id="school-1")
    assert caught.value.code == Code.CODE_FORBIDDEN


@pytest.mark.req("S-14")
async def test_only_the_gateway_carries_who_watches_over_security(running: RunningServer) -> None:
    stub = rpc.AuditServiceStub(running.shared_channel("audit", "basket"))
    with pytest.raises(Failure) as caught:
        await peers.call(stub.ListSecurityRecords, SECURITY(), principal=running.principal(roles=("auditor",)))
    assert caught.value.code == Code.CODE_FORBIDDEN
