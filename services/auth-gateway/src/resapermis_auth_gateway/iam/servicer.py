"""Answers notification: who of a school gets mail, and the word that opens an invitation."""

import secrets
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.iam.v1 import iam_pb2, iam_pb2_grpc
from resapermis_auth_gateway import accounts, people
from resapermis_auth_gateway.profile import Profiles
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.rpc.fields import parse_id
from resapermis_vault.errors import Unreadable

WORD_BYTES = 32
log = structlog.get_logger()


class IamServicer(iam_pb2_grpc.IamServiceServicer):
    """Reads accounts; opens what is sealed for the one service that writes to people."""

    def __init__(self, engine: AsyncEngine, profiles: Profiles, now: Clock) -> None:
        """Serve the accounts of `engine`."""
        self._engine, self._profiles, self._now = engine, profiles, now

    async def ListRecipients(
        self,
        request: iam_pb2.ListRecipientsRequest,
        context: Any,
    ) -> iam_pb2.ListRecipientsResponse:
        """Accounts of a school that have an address; one whose key was destroyed is nobody any more."""
        if not request.school_id:
            raise malformed("school_id", "not empty")
        async with transaction(self._engine) as tx:
            found = await accounts.recipients(tx, request.school_id)
        answer = iam_pb2.ListRecipientsResponse()
        for account in found:
            try:
                profile = self._profiles.open(account.id, account.person_key, account.profile)
            except Unreadable:
                log.warning("account.unreadable", account=str(account.id))
                continue
            if profile.email:
                answer.recipients.add(
                    account_id=str(account.id), email=profile.email, locale=profile.locale, roles=account.roles
                )
        return answer

    async def IssueInvitationWord(
        self, request: iam_pb2.IssueInvitationWordRequest, context: Any
    ) -> iam_pb2.IssueInvitationWordResponse:
        """A fresh word for a mail. Those before go on opening the invitation: a mail may arrive twice."""
        invitation_id, word = parse_id(request.invitation_id, "invitation_id"), secrets.token_urlsafe(WORD_BYTES)
        async with transaction(self._engine) as tx:
            if not await people.add_link(tx, invitation_id, people.hash_of(word), self._now()):
                raise Failure(Code.CODE_NOT_FOUND, "no invitation that counts")
        return iam_pb2.IssueInvitationWordResponse(word=word)
