"""Passkeys (WebAuthn level 3): what an authenticator is asked, and whether its answer is to be believed.

A challenge is 256 random bits, stored as a hash, good for five minutes, in the browser that asked for it, once: the first
answer uses it up, whatever that is worth. The person must have been verified by the authenticator (PIN, finger, face).
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

import sqlalchemy as sa
import webauthn
from sqlalchemy.ext.asyncio import AsyncEngine
from webauthn.helpers import base64url_to_bytes, options_to_json_dict, parse_client_data_json
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from resapermis_auth_gateway.tables import passkey_challenges
from resapermis_auth_gateway.web.settings import WebSettings
from resapermis_auth_gateway.web.sign_in.cookies import digest
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure

Purpose = Literal["sign_in", "invitation", "first_administrator"]
LIVES = timedelta(minutes=5)
CHALLENGE_BYTES = 32
NAME = "ResaPermis"
Options = dict[str, Any]
"""What `navigator.credentials` is given, in the JSON of WebAuthn level 3 (5.1.8, 5.1.9)."""
Answer = Mapping[str, Any]
"""What it answers, in the same JSON (`PublicKeyCredential.toJSON`)."""


class NotBelieved(Exception):
    """An answer that counts for nothing; its text is a word for the journal."""


@dataclass(frozen=True)
class About:
    """What a passkey is made for: the word that allows it, by its hash, and the account that is to have it."""

    purpose: Purpose
    secret_hash: bytes
    account_id: UUID


@dataclass(frozen=True)
class NewCredential:
    """An authenticator's new credential."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    account_id: UUID


@dataclass(frozen=True)
class Passkeys:
    """The challenges under way of this database."""

    settings: WebSettings
    engine: AsyncEngine
    now: Clock

    @property
    def relying_party(self) -> str:
        """The host for which credentials are made: that of `public_url`."""
        return urlsplit(self.settings.public_url).hostname or ""

    async def ask_new(self, browser: str, about: About, display_name: str) -> Options:
        """Ask for a new passkey: one that its device keeps with the account, so that nobody types a name to sign in."""
        options = webauthn.generate_registration_options(
            rp_id=self.relying_party,
            rp_name=NAME,
            user_name=display_name,
            user_display_name=display_name,
            user_id=about.account_id.bytes,
            challenge=await self._begin(browser, about.purpose, about),
            timeout=_milliseconds(),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
        )
        return options_to_json_dict(options)

    async def ask_known(self, browser: str) -> Options:
        """Ask for any passkey that the person has here: who it is, the authenticator says."""
        options = webauthn.generate_authentication_options(
            rp_id=self.relying_party,
            challenge=await self._begin(browser, "sign_in", None),
            timeout=_milliseconds(),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return options_to_json_dict(options)

    async def made(self, browser: str, purpose: Purpose, secret_hash: bytes, answer: Answer) -> NewCredential:
        """The new credential of an answer to `ask_new`, asked by this browser with this word; NotBelieved otherwise."""
        challenge, account_id = await self._use(browser, purpose, secret_hash, answer)
        if account_id is None:
            raise NotBelieved("challenge")
        try:
            found = webauthn.verify_registration_response(
                credential=dict(answer),
                expected_challenge=challenge,
                expected_rp_id=self.relying_party,
                expected_origin=self.settings.public_origin,
                require_user_verification=True,
            )
        except Exception as error:
            raise NotBelieved("passkey") from error
        return NewCredential(found.credential_id, found.credential_public_key, found.sign_count, account_id)

    async def challenge_of(self, browser: str, answer: Answer) -> bytes:
        """Use up the challenge that an answer to `ask_known` signs; NotBelieved where this browser was asked none such."""
        return (await self._use(browser, "sign_in", None, answer))[0]

    def signed(self, challenge: bytes, public_key: bytes, account_id: UUID, answer: Answer) -> int:
        """How often the authenticator says that it signed, where it signed `challenge` for us, verified the person and names the account."""
        if _handle_of(answer) != account_id.bytes:
            raise NotBelieved("passkey")
        try:
            found = webauthn.verify_authentication_response(
                credential=dict(answer),
                expected_challenge=challenge,
                expected_rp_id=self.relying_party,
                expected_origin=self.settings.public_origin,
                credential_public_key=public_key,
                credential_current_sign_count=0,  # a count that went back is judged where it can be told
                require_user_verification=True,
            )
        except Exception as error:
            raise NotBelieved("passkey") from error
        return int(found.new_sign_count)

    async def forget_old(self) -> None:
        """Delete challenges whose five minutes are over. Run every minute by one replica."""
        async with transaction(self.engine) as tx:
            late = passkey_challenges.c.started_at < self.now() - LIVES
            await tx.execute(sa.delete(passkey_challenges).where(late))

    async def _begin(self, browser: str, purpose: Purpose, about: About | None) -> bytes:
        challenge = secrets.token_bytes(CHALLENGE_BYTES)
        row = {
            "challenge_hash": _hash(challenge),
            "browser_hash": digest(browser),
            "purpose": purpose,
            "secret_hash": about.secret_hash if about else None,
            "account_id": about.account_id if about else None,
            "started_at": self.now(),
        }
        async with transaction(self.engine) as tx:
            await tx.execute(sa.insert(passkey_challenges).values(row))
        return challenge

    async def _use(
        self, browser: str, purpose: Purpose, secret_hash: bytes | None, answer: Answer
    ) -> tuple[bytes, UUID | None]:
        """The challenge that an answer names, used up: in a transaction of its own, so that no failure gives it back."""
        challenge = _challenge_of(answer)
        rows = passkey_challenges.c
        about = rows.secret_hash.is_(None) if secret_hash is None else rows.secret_hash == secret_hash
        statement = (
            sa.delete(passkey_challenges)
            .where(
                rows.challenge_hash == _hash(challenge),
                rows.browser_hash == digest(browser),
                rows.purpose == purpose,
                about,
                rows.started_at > self.now() - LIVES,
            )
            .returning(rows.account_id)
        )
        async with transaction(self.engine) as tx:
            found = (await tx.execute(statement)).one_or_none()
        if found is None or not browser:
            raise NotBelieved("challenge")
        return challenge, found.account_id


def refused(detail: str) -> Failure:
    """The one answer to whoever is not let in, whatever the reason; the journal has it."""
    return Failure(Code.CODE_SIGN_IN_FAILED, detail)


def _handle_of(answer: Answer) -> bytes:
    """The account that an authenticator names; NotBelieved where it names none."""
    try:
        return bytes(base64url_to_bytes(answer["response"]["userHandle"]))
    except Exception as error:
        raise NotBelieved("passkey") from error


def credential_id_of(answer: Answer) -> bytes:
    """The id of the credential that an answer names; NotBelieved where it names none."""
    try:
        return bytes(base64url_to_bytes(answer["rawId"]))
    except Exception as error:
        raise NotBelieved("passkey") from error


def _challenge_of(answer: Answer) -> bytes:
    try:
        stated = base64url_to_bytes(answer["response"]["clientDataJSON"])
        return bytes(parse_client_data_json(stated).challenge)
    except Exception as error:
        raise NotBelieved("passkey") from error


def _hash(challenge: bytes) -> bytes:
    return digest(challenge.hex())


def _milliseconds() -> int:
    return int(LIVES.total_seconds() * 1000)
