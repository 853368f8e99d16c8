"""The way in by a passkey: of who has one, was invited, or becomes the first administrator of the platform."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from resapermis_auth_gateway.web.dependencies import Dependencies, dependencies_of
from resapermis_auth_gateway.web.sign_in.cookies import session_cookie, sign_in_cookie
from resapermis_auth_gateway.web.wire.base import View
from resapermis_auth_gateway.web.wire.people.passkeys import (
    FirstAdministrator,
    FirstAdministratorAnswer,
    InvitationAnswer,
    InvitationView,
    InvitationWord,
    PasskeyOptionsView,
    PasskeySignIn,
)

router = APIRouter(prefix="/auth", tags=["session"])


@router.post("/passkey/begin", response_model=PasskeyOptionsView)
async def begin_passkey_sign_in(request: Request) -> Response:
    """Ask for any passkey that the person has here; the challenge is this browser's, for five minutes."""
    found = dependencies_of(request)
    browser = found.entrance.browser_of(request)
    options = await found.entrance.begin_sign_in(browser)
    return _bound(found, browser, PasskeyOptionsView(public_key=options))


@router.post("/passkey/finish", status_code=204)
async def finish_passkey_sign_in(request: Request, body: PasskeySignIn) -> Response:
    """Open a session for the person whose passkey signed the challenge."""
    found = dependencies_of(request)
    return _let_in(found, await found.entrance.sign_in(request, body.credential.answer()))


@router.post("/invitation/begin", response_model=InvitationView)
async def begin_invitation(request: Request, body: InvitationWord) -> Response:
    """Show whom an invitation is for, and ask for a new passkey; NOT_FOUND once it was used, ran out or was withdrawn."""
    found = dependencies_of(request)
    browser = found.entrance.browser_of(request)
    invited = await found.entrance.begin_invitation(request, browser, body.token)
    view = InvitationView(
        display_name=invited.profile.display_name,
        role=invited.person.role.value,
        scope=list(invited.person.scope),
        ends_at=invited.ends_at,
        public_key=invited.options,
    )
    return _bound(found, browser, view)


@router.post("/invitation/finish", status_code=204)
async def finish_invitation(request: Request, body: InvitationAnswer) -> Response:
    """Use the invitation up: keep the passkey, and open the first session."""
    found = dependencies_of(request)
    return _let_in(found, await found.entrance.accept(request, body.token, body.credential.answer()))


@router.post("/first-administrator/begin", response_model=PasskeyOptionsView)
async def begin_first_administrator(request: Request, body: FirstAdministrator) -> Response:
    """Ask for the passkey of the platform's first administrator; NOT_FOUND where the code does not count, or there is one."""
    found = dependencies_of(request)
    browser = found.entrance.browser_of(request)
    options = await found.entrance.begin_first(request, browser, body.code, body.display_name)
    return _bound(found, browser, PasskeyOptionsView(public_key=options))


@router.post("/first-administrator/finish", status_code=204)
async def finish_first_administrator(request: Request, body: FirstAdministratorAnswer) -> Response:
    """Make who has code and passkey the platform's administrator, and open their first session."""
    found = dependencies_of(request)
    cookie = await found.entrance.first(request, body.code, body.profile(), body.credential.answer())
    return _let_in(found, cookie)


def _bound(found: Dependencies, browser: str, view: View) -> Response:
    """An answer that leaves the browser the cookie to which the challenge is bound."""
    response = JSONResponse(view.model_dump(mode="json", by_alias=True))
    sign_in_cookie(found.settings.secure).set(response, browser)
    return response


def _let_in(found: Dependencies, cookie: str) -> Response:
    response = Response(status_code=204)
    session_cookie(found.settings.secure).set(response, cookie)
    return response
