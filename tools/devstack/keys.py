"""What the stack's components must share or keep secret: the gateway's signing key, the client secret, the vault keysets."""

import json
import secrets
import subprocess
import sys
from pathlib import Path

from joserfc.jwk import KeyParameters, OKPKey

from devstack.certificates import write_secret
from devstack.components import KEYSETS


def ensure_keys(folder: Path) -> None:
    """Write what is missing in `folder`: principal.jwk.json, principal.jwks.json, oidc-client-secret."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    private, public = folder / "principal.jwk.json", folder / "principal.jwks.json"
    if not (private.exists() and public.exists()):
        parameters: KeyParameters = {"kid": secrets.token_hex(8), "alg": "Ed25519", "use": "sig"}
        key = OKPKey.generate_key("Ed25519", parameters, private=True)
        write_secret(public, json.dumps({"keys": [key.as_dict(private=False)]}).encode())
        write_secret(private, json.dumps(key.as_dict(private=True)).encode())
    client = folder / "oidc-client-secret"
    if not client.exists():
        write_secret(client, secrets.token_urlsafe(32).encode())


def ensure_keysets(folder: Path) -> None:
    """Have the vault write the keysets that are missing: each service that seals has its own."""
    missing = [folder / f"keyset-{name}.json" for name in KEYSETS if not (folder / f"keyset-{name}.json").exists()]
    making = [
        (
            file,
            subprocess.Popen(
                [sys.executable, "-P", "-m", "resapermis_vault", "new-keyset", str(file)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            ),
        )
        for file in missing
    ]
    for file, process in making:
        output, _ = process.communicate(timeout=60)
        if process.returncode != 0 or not file.exists():
            msg = f"the vault made no keyset {file.name}:\n{output[-1500:]}"
            raise RuntimeError(msg)
        file.chmod(0o600)
