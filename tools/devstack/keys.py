"""What the stack's components must share or keep secret: the gateway's signing key, the client secret, the vault keysets."""

import json
import secrets
import subprocess
import sys
from pathlib import Path

from joserfc.jwk import KeyParameters, OKPKey

from devstack.certificates import write_secret
from devstack.components import KEYSETS

PART_OF = {"egress": "auth-gateway"}
"""Keyset → the one that sealed for its process until release 0.2.0."""


def ensure_keys(folder: Path) -> None:
    """Write what is missing in `folder`: the pair of principals, and the secret that the sandbox shares with us."""
    ensure_principal(folder)
    client = folder / "oidc-client-secret"
    if not client.exists():
        write_secret(client, secrets.token_urlsafe(32).encode())


def ensure_principal(folder: Path) -> None:
    """Write principal.jwk.json and principal.jwks.json into `folder` unless both are there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    private, public = folder / "principal.jwk.json", folder / "principal.jwks.json"
    if not (private.exists() and public.exists()):
        parameters: KeyParameters = {"kid": secrets.token_hex(8), "alg": "Ed25519", "use": "sig"}
        key = OKPKey.generate_key("Ed25519", parameters, private=True)
        write_secret(public, json.dumps({"keys": [key.as_dict(private=False)]}).encode())
        write_secret(private, json.dumps(key.as_dict(private=True)).encode())


def ensure_keysets(folder: Path) -> None:
    """Have the vault write the keysets that are missing: each service that seals has its own.

    One that was part of another's until a release keeps reading what that one sealed, and seals under a key of its own.
    """
    missing = [name for name in KEYSETS if not _keyset(folder, name).exists()]
    making = []
    for name in missing:
        fresh = folder / f"keyset-{name}.new"
        parent = _keyset(folder, PART_OF[name]) if name in PART_OF else None
        fresh.unlink(missing_ok=True)
        if parent is not None and parent.exists():
            write_secret(fresh, parent.read_bytes())
            command = "rotate"
        else:
            command = "new-keyset"
        making.append((name, fresh, _vault(command, fresh)))
    for name, fresh, process in making:
        output, _ = process.communicate(timeout=60)
        if process.returncode != 0 or not fresh.exists():
            msg = f"the vault made no keyset {name}:\n{output[-1500:]}"
            raise RuntimeError(msg)
        fresh.chmod(0o600)
        fresh.replace(_keyset(folder, name))


def hand_on(folder: Path) -> list[str]:
    """Copy a keyset that was part of another's, unchanged, where it is missing; return the names of what was made.

    For an upgrade in which both releases run side by side: what one seals the other must read. It is rotated afterwards.
    """
    made = []
    for name, parent in PART_OF.items():
        if _keyset(folder, parent).exists() and not _keyset(folder, name).exists():
            write_secret(_keyset(folder, name), _keyset(folder, parent).read_bytes())
            made.append(_keyset(folder, name).name)
    return made


def _keyset(folder: Path, name: str) -> Path:
    return folder / f"keyset-{name}.json"


def _vault(command: str, file: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "resapermis_vault", command, str(file)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
