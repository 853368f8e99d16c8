"""Trust in nobody, for clients that speak plain HTTP on this machine."""

import ssl

NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""`verify=` of an httpx2 client, which else reads all authorities of the system: 54 ms of CPU a client."""
