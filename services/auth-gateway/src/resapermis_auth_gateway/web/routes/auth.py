"""Sign in, sign out, who am I, and where."""

from typing import Annotated, Any
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from resapermis_auth_gateway import people
from resapermis_auth_gateway.web.dependencies import Visitor, Who, dependencies_of, now_of, require_recent_proof
from resapermis_auth_gateway.web.security.address import place_of
from resapermis_auth_gateway.web.sign_in import arrival, page
from resapermis_auth_gateway.web.sign_in.cookies import session_cookie, sign_in_cookie
from resapermis_auth_gateway.web.sign_in.flow import Answer
from resapermis_auth_gateway.web.sign_in.grant import USES
from resapermis_auth_gateway.web.sign_in.queries import Session
from resapermis_auth_gateway.web.sign_in.sessions import SIGNED_OUT, person
from resapermis_auth_gateway.web.texts.sentences import language_of
from resapermis_auth_gateway.web.wire.base import QueryFlag
from resapermis_auth_gateway.web.wire.session import (
    GrantPage,
    GrantStartView,
    OwnSessionPage,
    OwnSessionView,
    SchoolView,
    SessionView,
    SignedOutView,
    UserView,
)
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure

router = APIRouter(prefix="/auth", tags=["session"])
me = APIRouter(prefix="/me", tags=["session"])
"""Of the API: one's own account."""
ONWARD: dict[int | str, dict[str, Any]] = {
    200: {"description": "From another site: a page that leads here once more.", "content": {"text/html": {}}}
}
MOST_FIELDS = 20
FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "properties": {"logout_token": {"type": "string"}},
                    "required": ["logout_token"],
                }
            }
        },
    }
}
REFUSED: dict[int | str, dict[str, Any]] = {
    400: {
        "description": "Not believed, or not done.",
        "content": {
            "application/json": {
                "schema": {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
            }
        },
    }
}
Word = Annotated[str, Query(max_length=4096)]


@router.get("/login", status_code=302, response_class=RedirectResponse)
async def login(
    request: Request,
    return_to: Annotated[str, Query(alias="returnTo", max_length=2000)] = "/",
    *,
    fresh: Annotated[
        QueryFlag, Query(description="RdvPermis asks anew who it is, as an act wants that answers STEP_UP_NEEDED.")
    ] = False,
) -> Response:
    """Send the browser to RdvPermis; afterwards it comes back to `returnTo`, a path of ours."""
    try:
        return await dependencies_of(request).sign_in.begin(request, return_to, fresh=fresh)
    except Failure as failure:
        if not page.accepts_html(request):
            raise
        return page.render(failure, request, dependencies_of(request).now(), return_to, fresh=fresh)


@router.get("/callback", status_code=302, response_class=RedirectResponse, responses=ONWARD)
async def callback(request: Request, code: Word = "", state: Word = "", iss: Word = "", error: Word = "") -> Response:
    """Where RdvPermis sends the browser back; opens a session. From another site a page (200) leads here once more."""
    if arrival.from_elsewhere(request.scope):
        language = language_of(request.headers.get("accept-language", ""))
        return arrival.page({"code": code, "state": state, "iss": iss, "error": error}, language)
    answer = Answer(code=code, state=state, iss=iss, error=error)
    try:
        return await dependencies_of(request).sign_in.finish(request, answer)
    except Failure as failure:
        if not page.accepts_html(request):
            raise
        return page.render(failure, request, dependencies_of(request).now())


@router.post("/logout", response_model=SignedOutView)
async def logout(who: Who) -> Response:
    """End the session here, at once, and its tokens at RdvPermis; then the browser goes to `redirect`."""
    await who.dependencies.sessions.end(who.session, SIGNED_OUT, actor=person(who.session, who.place))
    redirect = await who.dependencies.sign_in.sign_out_url(who.session)
    response = JSONResponse(SignedOutView(redirect=redirect).model_dump(mode="json", by_alias=True))
    session_cookie(who.dependencies.settings.secure).clear(response)
    response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return response


@router.post("/backchannel-logout", status_code=200, response_class=Response, responses=REFUSED, openapi_extra=FORM)
async def provider_logout(request: Request) -> Response:
    """Where RdvPermis says by itself that somebody signed out there (OpenID Connect Back-Channel Logout 1.0).

    `sid` ends that session, `sub` alone every session of the person. Reads no cookie; a token counts once.
    """
    try:
        fields = parse_qsl((await request.body()).decode(), max_num_fields=MOST_FIELDS)
    except ValueError:
        fields = []
    found = [value for name, value in fields if name == "logout_token"]
    try:
        await dependencies_of(request).provider_logout.receive(
            found[0] if len(found) == 1 else "", place_of(request.scope)
        )
    except Failure as failure:  # 400 whatever the reason: the standard knows no other answer
        error = "invalid_request" if failure.code == Code.CODE_MALFORMED else "temporarily_unavailable"
        return JSONResponse({"error": error}, status_code=400)
    return Response(status_code=200)


@router.get("/session")
async def session(who: Who) -> SessionView:
    """Say who is signed in, and until when; asking extends nothing unless `X-Resapermis-Act: 1` says that a person acted."""
    profile = who.dependencies.profiles.open(who.session.account_id, who.session.person_key, who.session.profile)
    return SessionView(
        user=UserView(id=str(who.session.account_id), display_name=profile.display_name),
        school=_school(who.session),
        scope=await _scope(who),
        roles=list(who.session.roles),
        csrf_token=who.csrf_token,
        expires_at=who.dependencies.sessions.limits.ends_at(who.session),
        server_time=now_of(who),
    )


def _school(session: Session) -> SchoolView | None:
    if not session.employed:
        return None
    return SchoolView(id=session.school_id, name=session.school_name, department=session.department)


async def _scope(who: Visitor) -> list[str]:
    if who.session.employed:
        return []
    async with transaction(who.dependencies.sessions.engine) as tx:
        return list(await people.scope_of(tx, who.session.account_id))


@me.get("/sessions")
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


@me.delete("/sessions/{session_id}", status_code=204)
async def end_own_session(who: Who, session_id: UUID) -> Response:
    """End one of one's own sessions at once, everywhere, with its tokens; another's is not found. This one: signed out.

    Another one than this is ended by who proved lately who they are (STEP_UP_NEEDED): whoever found a page open, or stole
    its cookie, does not lock its owner out (ASVS 7.5.2).
    """
    if session_id != who.session.id:
        require_recent_proof(who)
    await who.dependencies.sessions.end_own(who.session, session_id, place=who.place)
    response = Response(status_code=204)
    if session_id == who.session.id:
        session_cookie(who.dependencies.settings.secure).clear(response)
        response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return response


@me.get("/grant")
async def get_own_grant(who: Who) -> GrantPage:
    """Show the asker's grant for background work at their school: until when, when it was last used, or why it ended."""
    grants = who.dependencies.grants
    may_give = grants.may_give(who.session.roles)
    return GrantPage.of(await grants.of(who.session), now_of(who), may_give=may_give, uses=USES)


@me.post("/grant", response_model=GrantStartView)
async def begin_own_grant(request: Request, who: Who) -> Response:
    """Begin to give a grant for background work: the page goes to `authorizationUrl`, and comes back to its own account.

    There the address says what came of it (`/compte?grant=`): given, refused, other_person, other_school, not_offered,
    signed_out, no_right, unavailable or failed.
    """
    cookie = sign_in_cookie(who.dependencies.settings.secure)
    leaving = await who.dependencies.grants.begin(who.session, cookie.read(request.scope))
    response = JSONResponse(GrantStartView(authorization_url=leaving.url).model_dump(mode="json", by_alias=True))
    cookie.set(response, leaving.browser)
    return response


@me.delete("/grant", status_code=204)
async def withdraw_own_grant(who: Who) -> Response:
    """Withdraw the asker's grant at their school, at once, if there is one; the provider is told once that ends nothing they use."""
    await who.dependencies.grants.withdraw(who.session, who.place)
    return Response(status_code=204)
