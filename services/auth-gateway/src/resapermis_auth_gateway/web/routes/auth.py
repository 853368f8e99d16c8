"""Sign in, sign out, who am I."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from resapermis_auth_gateway.web.dependencies import Who, dependencies_of, now_of
from resapermis_auth_gateway.web.sign_in import arrival, page
from resapermis_auth_gateway.web.sign_in.cookies import session_cookie
from resapermis_auth_gateway.web.sign_in.flow import Answer
from resapermis_auth_gateway.web.texts.sentences import language_of
from resapermis_auth_gateway.web.wire.session import SchoolView, SessionView, SignedOutView, UserView
from resapermis_kit.errors import Failure

router = APIRouter(prefix="/auth", tags=["session"])
ONWARD: dict[int | str, dict[str, Any]] = {
    200: {"description": "From another site: a page that leads here once more.", "content": {"text/html": {}}}
}
Word = Annotated[str, Query(max_length=4096)]


@router.get("/login", status_code=302, response_class=RedirectResponse)
async def login(
    request: Request, return_to: Annotated[str, Query(alias="returnTo", max_length=2000)] = "/"
) -> Response:
    """Send the browser to RdvPermis; afterwards it comes back to `returnTo`, a path of ours."""
    return await dependencies_of(request).sign_in.begin(request, return_to)


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
    await who.dependencies.sessions.end(who.session, "signed_out", by_system=False, place=who.place)
    redirect = await who.dependencies.sign_in.sign_out_url(who.session)
    response = JSONResponse(SignedOutView(redirect=redirect).model_dump(mode="json", by_alias=True))
    session_cookie(who.dependencies.settings.secure).clear(response)
    response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return response


@router.get("/session")
async def session(who: Who) -> SessionView:
    """Say who is signed in, and until when; asking extends nothing unless `X-Resapermis-Act: 1` says that a person acted."""
    profile = who.dependencies.profiles.open(who.session.account_id, who.session.person_key, who.session.profile)
    return SessionView(
        user=UserView(id=str(who.session.account_id), display_name=profile.display_name),
        school=SchoolView(id=who.session.school_id, name=who.session.school_name, department=who.session.department),
        roles=list(who.session.roles),
        csrf_token=who.csrf_token,
        expires_at=who.dependencies.sessions.limits.ends_at(who.session),
        server_time=now_of(who),
    )
