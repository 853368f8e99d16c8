"""What cancelling a booking would cost: asked of the rules and of RdvPermis, done to nobody."""

from datetime import datetime

from resapermis.booking.v1 import booking_pb2 as pb
from resapermis.scheduling.v1.scheduling_pb2 import EvaluateLine
from resapermis_basket.acts import parse_id
from resapermis_basket.coming import Coming, past
from resapermis_basket.domain import State, in_doubt
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.auth import Principal


class Consequences(Coming):
    """Says before, what a person should know before."""

    async def of_cancelling(
        self, who: Principal, request: pb.PreviewCancellationRequest
    ) -> pb.PreviewCancellationResponse:
        """Whether it may be cancelled (RdvPermis' estModifiable wins), whether that is late, and what bar follows."""
        situation = await self.situation(who, request, parse_id(request.booking_id, "booking_id"))
        line = situation.line
        if line.state is not State.BOOKED:
            raise Failure(Code.CODE_ILLEGAL_TRANSITION, f"the line is {line.state}, not booked")
        changeable = await self.changeable(line) if line.exam_id else None
        asked = EvaluateLine(
            slot_id=line.slot.id,
            candidate_id=str(line.candidate_id) if line.candidate_id is not None else "",
            changeable=changeable,
            line_id=str(line.id),
        )
        said = await self.parts.peers.evaluate([asked], "cancel", situation.counted)
        facts = next((dict(verdict.facts) for verdict in said.lines[0].verdicts if verdict.rule == "R-PENALTY"), None)
        if facts is None:  # silence is not "free of charge"
            raise Failure(
                Code.CODE_UNAVAILABLE, "the rules have not seen this slot yet; look at its day, then ask again"
            )
        response = pb.PreviewCancellationResponse(
            possible=past(line, situation).allowed and changeable is not False and not in_doubt(line),
            late=facts.get("late") == "true",
            restricted_days=int(facts.get("restrictedDays", "0")),
        )
        for name, field in (("restrictedUntil", response.restricted_until), ("freeUntil", response.free_until)):
            if name in facts:
                field.FromDatetime(datetime.fromisoformat(facts[name]))
        return response
