"""What an authenticator is asked and answers, and by which word or code."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from resapermis_auth_gateway.profile import Profile
from resapermis_auth_gateway.web.wire.base import Body, Email, View
from resapermis_auth_gateway.web.wire.people.persons import DisplayName, Locale, PersonRole

Bytes = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,4096}$", description="base64url, without padding.")]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{20,100}$", description="Of the link in an invitation's mail.")]
Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9 -]{10,60}$", description="Of the operator's terminal.")]


class _Signed(Body):
    """What both answers of an authenticator have."""

    id: Bytes
    raw_id: Bytes
    type: Literal["public-key"]

    def answer(self) -> dict[str, Any]:
        """The JSON of WebAuthn level 3, as it came."""
        return self.model_dump(by_alias=True, exclude_none=True)


class AttestationResponse(Body):
    """AuthenticatorAttestationResponseJSON, of which no more is read."""

    client_data_json: Annotated[Bytes, Field(alias="clientDataJSON")]
    attestation_object: Bytes


class AssertionResponse(Body):
    """AuthenticatorAssertionResponseJSON."""

    client_data_json: Annotated[Bytes, Field(alias="clientDataJSON")]
    authenticator_data: Bytes
    signature: Bytes
    user_handle: Bytes | None = None


class NewPasskey(_Signed):
    """RegistrationResponseJSON: what `navigator.credentials.create` answers."""

    response: AttestationResponse


class Assertion(_Signed):
    """AuthenticationResponseJSON: what `navigator.credentials.get` answers."""

    response: AssertionResponse


class PasskeySignIn(Body):
    """A signed challenge."""

    credential: Assertion


class InvitationWord(Body):
    """The word of an invitation: it stands behind `#` in the link, so that no server and no log ever gets it in an address."""

    token: Word


class InvitationAnswer(InvitationWord):
    """The same with the new passkey."""

    credential: NewPasskey


class FirstAdministrator(Body):
    """Who becomes the platform's first administrator, with the code that the operator's terminal printed."""

    code: Code
    display_name: DisplayName
    email: Email
    locale: Locale = "fr"


class FirstAdministratorAnswer(FirstAdministrator):
    """The same with the new passkey."""

    credential: NewPasskey

    def profile(self) -> Profile:
        """As it is sealed."""
        return Profile(self.display_name, self.email, self.locale)


class PasskeyOptionsView(View):
    """What `navigator.credentials` is asked: `publicKey` in the JSON of WebAuthn level 3 (PublicKeyCredential.parse…OptionsFromJSON)."""

    public_key: dict[str, Any]


class InvitationView(PasskeyOptionsView):
    """Whom an invitation is for, what they are invited to be, and what their authenticator is asked."""

    display_name: str
    role: PersonRole
    scope: list[str]
    ends_at: datetime
