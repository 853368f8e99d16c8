"""Who it is, where the ID token does not state it: the answer of the userinfo endpoint (OpenID Connect Core 5.3), signed or not."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from resapermis_auth_gateway.egress.http import HttpAnswer
from resapermis_auth_gateway.egress.oidc.answers import document, sign_in_failed
from resapermis_auth_gateway.egress.oidc.id_token import Expected, IdTokenRefused, verify_userinfo
from resapermis_auth_gateway.egress.oidc.keys import Keys


async def claims_of(answer: HttpAnswer, expected: Expected, keys: Keys) -> Mapping[str, Any]:
    """The claims about `expected.subject`; an answer about somebody else ends the sign-in."""
    claims = await _signed(answer, expected, keys) if _is_jwt(answer) else document(answer)
    if claims.get("sub") != expected.subject:
        raise sign_in_failed("userinfo is about somebody else")
    return claims


async def _signed(answer: HttpAnswer, expected: Expected, keys: Keys) -> Mapping[str, Any]:
    """Some providers sign it for every client that registers so, and some (ProConnect) for all."""
    token = answer.body.decode("ascii", "replace").strip()
    try:
        return await keys.believed(lambda known: verify_userinfo(token, known, expected))
    except IdTokenRefused as refused:
        raise sign_in_failed(f"userinfo: {refused}") from refused


def _is_jwt(answer: HttpAnswer) -> bool:
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    return answer.status == HTTPStatus.OK and media_type == "application/jwt"
