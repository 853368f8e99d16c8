"""The one way in which HTTP leaves the platform: verified TLS, no redirects, no cookies, no proxies, bounded bodies."""

import json
import ssl
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

LARGEST_ANSWER = 5 * 1024 * 1024


def make_client(ca_file: Path | None = None, connections: int = 64) -> httpx2.AsyncClient:
    """Make the process's HTTP client; nobody can make it skip the verification of certificates (S-25)."""
    return httpx2.AsyncClient(
        verify=ssl.create_default_context(cafile=str(ca_file) if ca_file else None),
        http2=False,
        follow_redirects=False,
        trust_env=False,
        # A cookie set for one employee would travel with another's token.
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "ResaPermis"},
        timeout=httpx2.Timeout(connect=2, read=5, write=5, pool=1),
        limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=4),
    )


def base_of(url: str) -> str:
    """Accept an address to which tokens may be sent: https, or http that stays on this machine or cluster."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https" or (parts.scheme == "http" and _near(host)):
        return url.rstrip("/")
    msg = "RdvPermis is asked over https; plain http is for this machine and names without a dot (containers)"
    raise ValueError(msg)


def _near(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return bool(host) and "." not in host.removesuffix(".localhost")


class TooLarge(ValueError):
    """The body went past LARGEST_ANSWER."""


async def read_body(response: httpx2.Response) -> bytes:
    """Read a streamed body, as far as it is reasonable."""
    if int(response.headers.get("content-length", "0") or "0") > LARGEST_ANSWER:
        raise TooLarge
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise TooLarge
    return bytes(body)


def parse(body: bytes) -> Any:
    """Read JSON; None for no body; ValueError for anything else."""
    if not body:
        return None
    try:
        return json.loads(body)
    except RecursionError:
        msg = "nested too deep"
        raise ValueError(msg) from None
