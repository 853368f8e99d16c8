"""One's own account: where one is signed in, and ending that."""

from uuid import UUID

from fastapi import APIRouter, Response

from resapermis_auth_gateway.web.dependencies import Who, now_of
from resapermis_auth_gateway.web.sign_in.cookies import session_cookie
from resapermis_auth_gateway.web.wire.session import OwnSessionPage, OwnSessionView

router = APIRouter(prefix="/me", tags=["session"])


@router.get("/sessions")
async def list_own_sessions(who: Who) -> OwnSessionPage:
    """Where this person is signed in: this session first, then by last act. Of other people nothing is shown."""
    found = await who.dependencies.sessions.of_owner(who.session)
    return OwnSessionPage(
        items=[
            OwnSessionView(
                id=str(one.id),
                started_at=one.created_at,
                last_act_at=one.seen_at,
                browser=one.device.browser or None,
                system=one.device.system or None,
                current=one.id == who.session.id,
            )
            for one in found
        ],
        server_time=now_of(who),
    )


@router.delete("/sessions/{session_id}", status_code=204)
async def end_own_session(who: Who, session_id: UUID) -> Response:
    """End one of one's own sessions at once, everywhere, with its tokens; another's is not found. This one: signed out."""
    await who.dependencies.sessions.end_own(who.session, session_id, place=who.place)
    response = Response(status_code=204)
    if session_id == who.session.id:
        session_cookie(who.dependencies.settings.secure).clear(response)
        response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return response
