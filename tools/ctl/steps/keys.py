"""The secrets of a deployment in one folder, made once: the key that signs principals, the keysets, what others gave us.

The folder is the operator's; what each process is handed of it stands in `files_of`. Whatever is there is kept.
"""

import json
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from joserfc.jwk import KeyParameters, OKPKey

from devstack import keys
from devstack.certificates import write_secret
from devstack.components import KEYSETS, Service
from resapermis_vault.__main__ import main as vault

PRINCIPAL = "principal"
PRIVATE, PUBLIC, NEXT = "principal.jwk.json", "principal.jwks.json", "principal.next.jwk.json"
CLIENT_SECRET, MAIL_PASSWORD = "oidc-client-secret", "smtp-password"
"""Given to us: by the OpenID provider, by the mail server."""
SETS = (PRINCIPAL, *KEYSETS)
STEPS = ("add", "promote", "retire")
RENEWED = ("egress",)
"""Keysets of which all that they seal is sealed anew within two days by itself: tokens are refreshed, grants daily."""


class Refused(Exception):
    """A step that cannot be done now; the message says why. Nothing has changed."""


def init(folder: Path, given: Mapping[str, str]) -> list[str]:
    """Make what is missing in `folder` and keep the rest; return the names of what was made.

    `given`: what others gave us, by the file's name, written where no such file is.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = _names(folder)
    keys.ensure_principal(folder)
    keys.ensure_keysets(folder)
    for name, value in given.items():
        if not (folder / name).exists():
            write_secret(folder / name, value.encode())
    return sorted(_names(folder) - before)


def once(file: Path, make: Callable[[], str]) -> str:
    """What is in `file`; made and written at the first call."""
    if not file.exists():
        write_secret(file, make().encode())
    return file.read_text(encoding="utf-8")


def hand_on(folder: Path) -> list[str]:
    """For the upgrade from 0.2.0: egress' keyset as a copy of auth-gateway's, which sealed its tokens; the names of what was made.

    While both releases of egress run, what one seals the other reads. Afterwards rotate it (`rotate egress`).
    """
    return keys.hand_on(folder)


def files_of(service: Service, folder: Path) -> dict[str, bytes]:
    """What a process is handed, by the name that it has there; what nobody gave us is not among it."""
    wanted: dict[str, str] = {}
    if service.keyset:
        wanted["keyset.json"] = f"keyset-{service.keyset}.json"
    if service.face == "web":
        # In one piece with what verifies them: a half-made pair would sign for nobody.
        wanted |= {PRIVATE: PRIVATE, PUBLIC: PUBLIC}
    if service.face == "egress":
        wanted[CLIENT_SECRET] = CLIENT_SECRET
    if service.name == "notification":
        wanted[MAIL_PASSWORD] = MAIL_PASSWORD
    return {name: (folder / file).read_bytes() for name, file in wanted.items() if (folder / file).exists()}


def rotate(folder: Path, which: str, step: str) -> str:
    """One step of three; return in words what it means. Refused where it is not its turn.

    *add*: a new key is there, and reads or verifies; nothing is signed or sealed with it. *promote*: it signs and seals, the
    old one still reads. *retire*: the old one is gone. Between two steps every process gets the folder's files and starts again.
    """
    if which != PRINCIPAL:
        if step == "retire" and which not in RENEWED:
            raise Refused(
                f"keyset-{which}.json keeps its old key: nothing seals anew what lies in the database under it, so that it would "
                "be lost for good. What is written from now on is under the new key"
            )
        words = {"add": ["rotate", "--stage"], "promote": ["promote"], "retire": ["retire"]}[step]
        file = folder / f"keyset-{which}.json"
        if vault([words[0], str(file), *words[1:]]) != 0:
            raise Refused(f"{file.name} is as it was")
        return _MEANING[step]
    {"add": _add, "promote": _promote, "retire": _retire}[step](folder)
    return _MEANING[step]


_MEANING = {
    "add": "hand it to every process that reads it, then promote",
    "promote": "hand it to the processes that sign or seal; retire once nothing of the old key is in use",
    "retire": "hand it to every process that reads it: the old key opens and verifies nothing any more",
}


def _add(folder: Path) -> None:
    current = _key(folder / PRIVATE)
    if not (folder / NEXT).exists():
        parameters: KeyParameters = {"kid": secrets.token_hex(8), "alg": "Ed25519", "use": "sig"}
        made = OKPKey.generate_key("Ed25519", parameters, private=True)
        write_secret(folder / NEXT, json.dumps(made.as_dict(private=True)).encode())
    _publish(folder, current, _key(folder / NEXT))


def _promote(folder: Path) -> None:
    if not (folder / NEXT).exists():
        raise Refused(f"there is no {NEXT}: add a key first")
    old, fresh = _key(folder / PRIVATE), _key(folder / NEXT)
    if old.kid != fresh.kid:  # else it was cut off behind this
        _publish(folder, old, fresh)
        write_secret(folder / PRIVATE, (folder / NEXT).read_bytes())
    (folder / NEXT).unlink()


def _retire(folder: Path) -> None:
    if (folder / NEXT).exists():
        raise Refused(f"{NEXT} waits: promote it first")
    _publish(folder, _key(folder / PRIVATE))


def _publish(folder: Path, *those: OKPKey) -> None:
    write_secret(folder / PUBLIC, json.dumps({"keys": [key.as_dict(private=False) for key in those]}).encode())


def _key(file: Path) -> OKPKey:
    if not file.exists():
        raise Refused(f"{file} is not there: keys init makes it")
    return OKPKey.import_key(json.loads(file.read_text(encoding="utf-8")))


def _names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}
