"""Whether what `probe` saw of a port is what every port of the stack must be like."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from containers.walls import FRONT, OTEL
from devstack.components import NATS, SERVICES

MODERN = re.compile(
    r"TLS_(AES_128_GCM_SHA256|AES_256_GCM_SHA384|CHACHA20_POLY1305_SHA256)"
    r"|ECDHE-(ECDSA|RSA)-(AES128-GCM-SHA256|AES256-GCM-SHA384|CHACHA20-POLY1305)"
)
"""Forward secrecy and authenticated encryption, by the names of OpenSSL."""
OLD, NEW = ("TLSv1", "TLSv1_1"), ("TLSv1_2", "TLSv1_3")
GRPC, METRICS, PAGES, PLAIN_DOOR = 9000, 9100, 8080, 8080
MUTUAL = {(NATS, 4222), (OTEL, 4317), *((service.name, GRPC) for service in SERVICES)}
"""Where a client must show a certificate of the inner authority."""


@dataclass(frozen=True)
class Port:
    """A port of a container, and what was seen there."""

    container: str
    seen: Mapping[str, Any]

    @property
    def number(self) -> int:
        """Its number."""
        return int(self.seen["port"])


def plain_because(container: str, port: int) -> str:
    """Why a port speaks no TLS, "" where it must."""
    if (container, port) == (FRONT, PLAIN_DOOR):
        return "leads to the address with https, and says nothing else"
    if port == METRICS:
        return "metrics and probes, no data of anybody; in internal networks"
    if (container, port) == ("auth-gateway", PAGES):
        return "in the internal network of door and web face, on one machine"
    return ""


def complaints(port: Port) -> list[str]:
    """What is wrong with a port, in words; none is what it takes."""
    seen, where = port.seen, f"{port.container}:{port.number}"
    why_plain = plain_because(port.container, port.number)
    if not seen["begins"]:
        if not why_plain:
            return [f"{where} speaks no TLS"]
        if port.container == FRONT and "\nlocation: https://" not in str(seen["in_clear"]).lower():
            return [f"{where} does not lead to https: {seen['in_clear']!r}"]
        return []
    wrong = [f"{where} takes {version}" for version in OLD if seen["versions"][version]]
    wrong += [f"{where}: nothing is known of {version}" for version in OLD if seen["versions"][version] is None]
    wrong += [f"{where} does not take {version}" for version in NEW if not seen["versions"][version]]
    wrong += [f"{where} takes {suite}" for suite in seen["suites"] if not MODERN.fullmatch(suite)]
    if not seen["certificate"]["verified"]:
        wrong.append(f"{where}: {seen['certificate']['why']}")
    if (mutual := (port.container, port.number) in MUTUAL) is not seen["client_certificate"]:
        wrong.append(f"{where} {'demands no' if mutual else 'demands a'} certificate of its clients")
    if said_in_clear(str(seen["begins"]), str(seen["in_clear"])):
        wrong.append(f"{where} answers without TLS: {seen['in_clear']!r}")
    return wrong


def said_in_clear(begins: str, heard: str) -> bool:
    """Whether a port that speaks TLS served somebody without it: it may refuse in clear."""
    if not heard:
        return False
    if begins == "postgres":
        return not heard.startswith("E")
    status = re.match(r"(?:HTTP/\d(?:\.\d)? )?(\d{3})\b", heard)
    return status is None or int(status[1]) < 400
