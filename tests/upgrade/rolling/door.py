"""What stands before the web faces, as a load balancer does: it hands each request to one that is in."""

import itertools
import threading
from collections import Counter
from collections.abc import Sequence

import httpx2

from resapermis_testing.certificates import NOBODY

BEFORE_AN_ANSWER = (httpx2.ConnectError, httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)
"""A connection that was refused, or cut before an answer began: the request goes to the next one, under the same key."""


class Door:
    """Which faces are in. A face is taken out before it is asked to end, as Kubernetes takes a pod out of its Service."""

    def __init__(self, public: int, faces: Sequence[int]) -> None:
        """`public` is the port that people type, `faces` are the ports of the web faces."""
        self.public = public
        self.again: Counter[str] = Counter()
        """How often a request went to the next face, by why."""
        self._in = list(faces)
        self._turn = itertools.count()
        self._lock = threading.Lock()

    def out(self, face: int) -> None:
        """Hand it nothing more."""
        with self._lock:
            self._in.remove(face)

    def back(self, face: int) -> None:
        """Hand it requests again."""
        with self._lock:
            self._in.append(face)

    def order(self) -> list[int]:
        """The faces that are in, in turn."""
        with self._lock:
            first = next(self._turn) % len(self._in)
            return self._in[first:] + self._in[:first]


class ThroughTheDoor(httpx2.BaseTransport):
    """A browser's connections: those to the public port go through the door, all others where they say."""

    def __init__(self, door: Door) -> None:
        """One a browser."""
        self._door = door
        self._inner = httpx2.HTTPTransport(verify=NOBODY)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it to the face whose turn it is; to the next where no answer began."""
        if request.url.port != self._door.public:
            return self._inner.handle_request(request)
        *others, last = self._door.order()
        for face in others:
            try:
                return self._inner.handle_request(_to(request, face))
            except BEFORE_AN_ANSWER as error:
                self._door.again[type(error).__name__] += 1
        return self._inner.handle_request(_to(request, last))

    def close(self) -> None:
        """Close every connection."""
        self._inner.close()


def _to(request: httpx2.Request, face: int) -> httpx2.Request:
    """The same request for a face's own port; its Host stays what people typed."""
    return httpx2.Request(
        request.method,
        request.url.copy_with(port=face),
        headers=request.headers,
        stream=request.stream,
        extensions=request.extensions,
    )
