"""The independent check of a proof: no service, no database, nothing but the file and the log's public key.

The file is what `GET /api/v1/audit/records/{id}/proof` answers (JSON, bytes in base64).
"""

import base64
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resapermis_audit.checkpoint import Checkpoint, InvalidNote
from resapermis_audit.checkpoint import verify as verify_note
from resapermis_audit.domain import commitment
from resapermis_audit.tree import leaf_hash, verify_inclusion


class ProofInvalid(Exception):
    """A step of the proof does not hold; the message names the step."""


def check(proof: dict[str, Any], verifier_key: str) -> Checkpoint:
    """Check content → commitment → leaf → root → signature; return the checkpoint it stands under.

    `proof` has checkpoint, leafIndex, leafData, hashes[] and, unless erased, salt and content (base64).
    """
    try:
        signed = verify_note(str(proof["checkpoint"]), verifier_key)
        data = base64.b64decode(proof["leafData"], validate=True)
        hashes = [base64.b64decode(step, validate=True) for step in proof["hashes"]]
        index = int(proof["leafIndex"])
        salt, content = (base64.b64decode(proof.get(name) or "", validate=True) for name in ("salt", "content"))
    except InvalidNote as error:
        msg = f"the checkpoint: {error}"
        raise ProofInvalid(msg) from error
    except (KeyError, TypeError, ValueError) as error:
        msg = "the file is not a proof"
        raise ProofInvalid(msg) from error
    if content and commitment(salt, content) != data:
        msg = "the shown record is not the one that was committed to"
        raise ProofInvalid(msg)
    if not verify_inclusion(leaf_hash(data), index, signed.size, hashes, signed.root):
        msg = "the record is not in the signed tree"
        raise ProofInvalid(msg)
    return signed


def main(arguments: Sequence[str]) -> int:
    """`verify PROOF.json VERIFIER-KEY`: exit status 0 when it holds, 1 when not, 2 for a wrong call."""
    if len(arguments) != 2:
        print("usage: python -m resapermis_audit verify PROOF.json VERIFIER-KEY", file=sys.stderr)  # noqa: T201
        return 2
    try:
        proof = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
        signed = check(proof, arguments[1])
    except ProofInvalid as finding:
        print(f"DISPROVED: {finding}")  # noqa: T201
        return 1
    except (OSError, ValueError):
        print("the file cannot be read as JSON", file=sys.stderr)  # noqa: T201
        return 2
    print(f"proved: record {proof['leafIndex']} of the {signed.size} of {signed.origin}")  # noqa: T201
    return 0
