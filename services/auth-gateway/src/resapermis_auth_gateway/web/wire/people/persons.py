"""People who are not RdvPermis employees, as the platform's administrators see and invite them."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator

from resapermis_auth_gateway.people import Person, State
from resapermis_auth_gateway.profile import Profile
from resapermis_auth_gateway.web.wire.base import Body, Department, Email, PersonName, View
from resapermis_persons.roles import OF_NO_SCHOOL, Role

ROLES = tuple(sorted(role.value for role in OF_NO_SCHOOL))
PersonRole = Annotated[str, Field(json_schema_extra={"enum": list(ROLES)})]
PersonState = Annotated[str, Field(json_schema_extra={"enum": [state.value for state in State]})]
Locale = Literal["fr", "en"]
DisplayName = Annotated[PersonName, Field(min_length=1, max_length=100)]


class PersonInvitation(Body):
    """Who is to be invited, and as what. `scope`: departments of a supervisor, who has one at least; others have none."""

    display_name: DisplayName
    email: Email
    locale: Locale = "fr"
    role: Annotated[Literal["auditor", "candidate", "dpo", "platform_admin", "security_officer", "supervisor"], Field()]
    scope: Annotated[list[Department], Field(max_length=110)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _scope_fits(self) -> "PersonInvitation":
        if (self.role == Role.SUPERVISOR.value) != bool(self.scope):
            raise ValueError("a supervisor has departments, others have none")
        if len(set(self.scope)) != len(self.scope):
            raise ValueError("a department twice")
        return self

    def profile(self) -> Profile:
        """As it is sealed."""
        return Profile(self.display_name, self.email, self.locale)


class PersonView(View):
    """A person who is not an employee; without their address, which no list shows. `self`: who asks."""

    id: str
    display_name: str
    role: PersonRole
    scope: list[str]
    state: PersonState
    invited_at: datetime
    invitation_ends_at: datetime | None = None
    signed_in_at: datetime | None = None
    own: bool

    @classmethod
    def of(cls, person: Person, display_name: str, *, own: bool) -> "PersonView":
        """With the name that was opened for whoever asks."""
        return cls(
            id=str(person.account_id),
            display_name=display_name,
            role=person.role.value,
            scope=list(person.scope),
            state=person.state.value,
            invited_at=person.created_at,
            invitation_ends_at=person.invitation_ends_at if person.state is State.INVITED else None,
            signed_in_at=person.signed_in_at,
            own=own,
        )


class PersonPage(View):
    """People, newest first."""

    items: list[PersonView]
    next_cursor: str | None = None
    server_time: datetime
