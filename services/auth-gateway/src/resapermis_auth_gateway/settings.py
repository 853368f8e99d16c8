"""What the processes of auth-gateway share of their settings, and what each of them may not be given.

`web/settings.py` and `egress/settings.py` add what is one process's own. A secret that is another process's stops the
start: a deployment that hands every process everything would make the walls between them paint.
"""

import os
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import urlsplit

from pydantic import field_validator, model_validator

from resapermis_kit.process.settings import PREFIX, ProcessSettings, ServiceSettings

SERVICE = "auth-gateway"
"""Our name in principals, records and events."""
CLIENT_SECRETS = ("oidc_client_secret", "oidc_client_key_file")
"""By which we are known at the provider: egress' own."""
SIGNING_KEY = "principal_key_file"
"""With which it is signed who is asking: the web process's own."""


class _OwnOnly(ProcessSettings):
    """Settings of one process, which refuses those of another."""

    of_another_process: ClassVar[tuple[str, ...]] = ()
    """Settings that this process does not start with."""

    @model_validator(mode="after")
    def _refuse_what_is_anothers(self) -> Self:
        names = [f"{PREFIX}{name.upper()}" for name in self.of_another_process]
        found = [variable for name in names for variable in (name, f"{name}_FILE") if variable in os.environ]
        if found:
            raise ValueError(f"another process's secret is in this one's environment: {', '.join(found)}")
        return self


class Database(_OwnOnly):
    """Settings of `migrate` alone, which needs no key and no peer."""

    of_another_process = (*CLIENT_SECRETS, SIGNING_KEY, "keyset_file")

    database_url: str
    """postgresql://role@host/db of this package."""


class Settings(_OwnOnly, ServiceSettings):
    """What both faces are given from outside, as RESAPERMIS_<NAME>."""

    keyset_file: Path
    """Vault keyset, each face's own: the web face seals people's names and addresses, egress seals tokens."""
    public_url: str
    """Where people reach the web face, e.g. https://resapermis.example. Its scheme decides cookies and HSTS."""
    oidc_issuer: str
    """Issuer of RdvPermis' OpenID provider, to the letter as its discovery document states it."""

    @field_validator("public_url", "oidc_issuer")
    @classmethod
    def _is_an_http_address(cls, value: str) -> str:
        return http_address(value)

    @field_validator("public_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @cached_property
    def public_origin(self) -> str:
        """The one Origin from which changes are accepted."""
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{parts.netloc}"

    @cached_property
    def secure(self) -> bool:
        """Whether cookies are Secure and named __Host-…: always, but for plain http on loopback."""
        parts = urlsplit(self.public_url)
        if parts.scheme == "https":
            return True
        if not _is_loopback(parts.hostname or ""):
            raise ValueError("RESAPERMIS_PUBLIC_URL is plain http and not loopback: sessions would travel in clear")
        return False


def http_address(value: str) -> str:
    """`value`, if it is an absolute http or https address; else ValueError."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("an http or https address")
    return value


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
