"""People who are not RdvPermis employees, as the platform's administrators keep them. What may be done, the policies say."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from resapermis_auth_gateway.people import Act, Person
from resapermis_auth_gateway.web.administration import Asker, Invitation
from resapermis_auth_gateway.web.dependencies import Key, Visitor, Who, now_of, require_recent_proof
from resapermis_auth_gateway.web.wire.base import Limit
from resapermis_auth_gateway.web.wire.people.persons import PersonInvitation, PersonPage, PersonView
from resapermis_persons.roles import Role

router = APIRouter(prefix="/people", tags=["people"])


def _asker(who: Visitor) -> Asker:
    return Asker(who.session, who.place)


def _view(who: Visitor, person: Person) -> PersonView:
    profile = who.dependencies.administration.profile(person)
    return PersonView.of(person, profile.display_name, own=person.account_id == who.session.account_id)


@router.get("")
async def list_people(
    who: Who,
    cursor: Annotated[UUID | None, Query(description="`nextCursor` of the page before.")] = None,
    limit: Limit = 50,
) -> PersonPage:
    """List who was invited, newest first; that they were read stands in the journal."""
    who.may("people.read")
    found = await who.dependencies.administration.page(_asker(who), limit + 1, cursor)
    shown = found[:limit]
    return PersonPage(
        items=[_view(who, one) for one in shown],
        next_cursor=str(shown[-1].account_id) if len(found) > limit else None,
        server_time=now_of(who),
    )


@router.post("", status_code=201)
async def invite_person(who: Who, body: PersonInvitation, key: Key) -> PersonView:
    """Invite somebody: they are written to, and come in by the mail's link and a passkey within 72 hours."""
    who.may("people.invite")
    require_recent_proof(who)
    invitation = Invitation(body.profile(), Role(body.role), tuple(body.scope))
    return _view(who, await who.dependencies.administration.invite(_asker(who), invitation, key))


@router.post("/{person_id}/invitation")
async def invite_person_again(who: Who, person_id: UUID) -> PersonView:
    """Send a new invitation; the links before open nothing any more."""
    who.may("people.invite")
    require_recent_proof(who)
    return _view(who, await who.dependencies.administration.invite_again(_asker(who), person_id))


@router.post("/{person_id}/suspension")
async def suspend_person(who: Who, person_id: UUID) -> PersonView:
    """Suspend somebody: their sessions end everywhere within a second, and they cannot sign in."""
    return await _change(who, person_id, "people.suspend", Act.SUSPEND)


@router.delete("/{person_id}/suspension")
async def resume_person(who: Who, person_id: UUID) -> PersonView:
    """Let somebody who was suspended sign in again."""
    return await _change(who, person_id, "people.suspend", Act.RESUME)


@router.delete("/{person_id}")
async def end_person(who: Who, person_id: UUID) -> PersonView:
    """Let somebody go for good: sessions end everywhere within a second, passkeys and open invitations are no more."""
    return await _change(who, person_id, "people.end", Act.END)


async def _change(who: Visitor, person_id: UUID, permission: str, act: Act) -> PersonView:
    who.may(permission)
    require_recent_proof(who)
    return _view(who, await who.dependencies.administration.change(_asker(who), person_id, act))
