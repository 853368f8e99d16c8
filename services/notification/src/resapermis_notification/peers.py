"""Where mails go: asked of auth-gateway and mandate at each delivery, stored nowhere."""

from collections.abc import Sequence

from resapermis.iam.v1 import iam_pb2, iam_pb2_grpc
from resapermis.mandate.v1 import mandate_pb2, mandate_pb2_grpc
from resapermis_kit.rpc import peers

PEER_SECONDS = 5.0
NOTIFY_CANDIDATE, NOTIFY_SCHOOL = "notify_candidate", "notify_school"
"""Why a candidate's data are read: for a mail to them, or about them."""


class Addresses:
    """The e-mail addresses of a school's accounts and of candidates."""

    def __init__(self, accounts: iam_pb2_grpc.IamServiceStub, candidates: mandate_pb2_grpc.MandateServiceStub) -> None:
        """Asks as notification itself, for no person."""
        self._accounts, self._candidates = accounts, candidates

    async def of_school(self, school_id: str) -> Sequence[iam_pb2.Recipient]:
        """Accounts of a school with address, language and roles; Failure when auth-gateway does not answer."""
        request = iam_pb2.ListRecipientsRequest(school_id=school_id)
        answer: iam_pb2.ListRecipientsResponse = await peers.ask(
            self._accounts.ListRecipients, request, timeout=PEER_SECONDS, principal=""
        )
        return answer.recipients

    async def invitation_word(self, invitation_id: str) -> str:
        """A fresh word that opens an invitation; Failure NOT_FOUND where it counts no more, others as `of_school`."""
        request = iam_pb2.IssueInvitationWordRequest(invitation_id=invitation_id)
        answer: iam_pb2.IssueInvitationWordResponse = await peers.ask(
            self._accounts.IssueInvitationWord, request, timeout=PEER_SECONDS, principal=""
        )
        return answer.word

    async def of_candidate(self, candidate_id: str, purpose: str) -> mandate_pb2.GetContactResponse:
        """Name, address and language; Failure NOT_FOUND once erased, others when mandate does not answer."""
        request = mandate_pb2.GetContactRequest(candidate_id=candidate_id, purpose=purpose)
        answer: mandate_pb2.GetContactResponse = await peers.ask(
            self._candidates.GetContact, request, timeout=PEER_SECONDS, principal=""
        )
        return answer
