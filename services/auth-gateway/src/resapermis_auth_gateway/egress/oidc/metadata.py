"""What a provider says that it offers (OpenID Connect Discovery 1.0, RFC 8414), as far as we use it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from resapermis_auth_gateway.egress.http import base_of

WELL_KNOWN = "/.well-known/openid-configuration"


@dataclass(frozen=True)
class Metadata:
    """Addresses are "" where the provider offers nothing there."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    revocation_endpoint: str
    end_session_endpoint: str
    pushed_authorization_request_endpoint: str
    sends_iss: bool
    """It promises `iss` in its authorization answers (RFC 9207)."""
    token_auth_methods: tuple[str, ...]
    """How a client may prove who it is at the token endpoint; without a word of the provider, as the standard has it."""


def address_of(issuer: str) -> str:
    """Where the document of an issuer stands (Discovery 4.1): a slash at its end is taken away for this alone."""
    return issuer.rstrip("/") + WELL_KNOWN


def read(document: Mapping[str, Any], issuer: str) -> Metadata:
    """The document of this issuer; ValueError names the member that does not fit."""
    if document.get("issuer") != issuer:
        raise ValueError("issuer: another one's document")

    def page(name: str, *, needed: bool = False) -> str:
        """An address that a browser goes to."""
        value = document.get(name, "")
        schemes = {"https", "http"} if issuer.startswith("http://") else {"https"}
        if isinstance(value, str) and urlsplit(value).scheme in schemes:
            return value
        if needed or value:
            raise ValueError(f"{name}: missing, or no address that is fit")
        return ""

    def endpoint(name: str, *, needed: bool = False) -> str:
        """An address to which secrets go."""
        value = page(name, needed=needed)
        if value:
            base_of(value)
        return value

    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return Metadata(
        authorization_endpoint=page("authorization_endpoint", needed=True),
        token_endpoint=endpoint("token_endpoint", needed=True),
        jwks_uri=endpoint("jwks_uri", needed=True),
        userinfo_endpoint=endpoint("userinfo_endpoint"),
        revocation_endpoint=endpoint("revocation_endpoint"),
        end_session_endpoint=page("end_session_endpoint"),
        pushed_authorization_request_endpoint=endpoint("pushed_authorization_request_endpoint"),
        sends_iss=document.get("authorization_response_iss_parameter_supported") is True,
        token_auth_methods=tuple(methods) if isinstance(methods, list) else (),
    )
