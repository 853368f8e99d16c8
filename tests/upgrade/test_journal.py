"""Records keep the action that was recorded, and proofs that a school saved hold.

The test was seen to fail in a copy of the tree where audit's migration rewrites an action, or a proof is answered over a
rewritten action: `booking.validate` instead of `booking.confirm`; Disproved.
"""

import asyncio

import pytest
from upgraded import Upgraded

from devstack.components import service_named
from devstack.stack import Stack
from resapermis.audit.v1 import audit_pb2, audit_pb2_grpc
from resapermis_audit import verify
from resapermis_audit.tree import verify_consistency
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.auth import Principal, Signer
from resapermis_kit.tls.certificates import Certificates

pytestmark = [pytest.mark.timeout(600), pytest.mark.long_only]  # a machine's first run installs the old release


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
    channel = peers.channel(address, Certificates(stack.settings.tls / "auth-gateway"), "audit")
    try:
        someone = Principal("a-person", "a-session", "ae-094-1", ("school_manager",))
        token = Signer(stack.settings.secrets / "principal.jwk.json").sign(someone, "audit")
        question = audit_pb2.GetConsistencyProofRequest(first_size=first, second_size=second)
        stub = audit_pb2_grpc.AuditServiceStub(channel)
        answer = await peers.ask(stub.GetConsistencyProof, question, timeout=5, principal=token)
        return list(answer.hashes)
    finally:
        await channel.close()
