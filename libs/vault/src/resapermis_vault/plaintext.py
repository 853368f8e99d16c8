"""A value in clear that does not print itself."""

import hmac
from typing import NoReturn, final

from resapermis_vault.errors import Unreadable


@final
class Plaintext:
    """Opened content: `reveal()` is the one word to search for when asking who reads personal data.

    Logs, f-strings, tracebacks with locals and exceptions show `Plaintext(…)`. It does not pickle, copy or hash,
    and compares in constant time.
    """

    __slots__ = ("_content",)

    def __init__(self, content: str | bytes) -> None:
        self._content = encode(content)

    def reveal(self) -> str:
        """Return the text; raise Unreadable when bytes that are no text were sealed."""
        try:
            return self._content.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            pass  # raised below: the codec's error carries the bytes, even as a context
        raise Unreadable

    def reveal_bytes(self) -> bytes:
        """Return the bytes as sealed; text is UTF-8."""
        return self._content

    def __eq__(self, other: object) -> bool:
        return hmac.compare_digest(self._content, other._content) if isinstance(other, Plaintext) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # a hash would sort people by their names

    def __repr__(self) -> str:
        return "Plaintext(…)"

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a plaintext is not copied or pickled")


def encode(content: str | bytes) -> bytes:
    """UTF-8, lone surrogates included: a strict codec's error would carry the text."""
    return content.encode("utf-8", "surrogatepass") if isinstance(content, str) else bytes(content)
