"""What a token of another provider is worth, as a resource server learns it: it is asked there each time (RFC 7662)."""

import asyncio
import base64
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

from rdvpermis_sandbox.domain.model import Access
from rdvpermis_sandbox.domain.state import State
from rdvpermis_sandbox.settings import Settings

SECONDS = 3.0
LOG = logging.getLogger("rdvpermis_sandbox")
Elsewhere = Callable[[str], Awaitable[Access | None]]


def elsewhere(settings: Settings, state: State) -> Elsewhere:
    """What asks the other provider about a token: the employee whose id or login is its `sub`; None where it is worth nothing here."""

    async def ask(token: str) -> Access | None:
        if not settings.introspection_url:
            return None
        told = await asyncio.to_thread(introspect, settings, token)
        subject = str(told.get("sub", ""))
        employee = state.world.employees.get(subject) or state.world.by_username.get(subject)
        if told.get("active") is not True or employee is None:
            return None
        expires = datetime.fromtimestamp(float(told.get("exp", 0)), UTC)
        return Access("", employee.id, str(told.get("scope", "")), expires)

    return ask


def introspect(settings: Settings, token: str) -> dict[str, Any]:
    """The other provider's answer about a token; {} when it gives none within three seconds. Blocks."""
    url = urlsplit(settings.introspection_url)
    connection = (HTTPSConnection if url.scheme == "https" else HTTPConnection)(url.netloc, timeout=SECONDS)
    client = f"{quote_plus(settings.introspection_client_id)}:{quote_plus(settings.introspection_client_secret)}"
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Authorization": f"Basic {base64.b64encode(client.encode()).decode()}",
    }
    try:
        connection.request("POST", url.path, urlencode({"token": token}), headers)
        answer = connection.getresponse()
        found = json.loads(answer.read()) if answer.status == HTTPStatus.OK else {}
    except (OSError, HTTPException, ValueError) as failure:
        LOG.warning("a token was not introspected: %s", type(failure).__name__)
        return {}
    finally:
        connection.close()
    return found if isinstance(found, dict) else {}
