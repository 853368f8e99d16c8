"""Unwrapped person keys, for a short while and not too many."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, final

from resapermis_vault.kek import KeyEncryption
from resapermis_vault.person_key import PersonKey, unwrap


@final
class PersonKeys:
    """Unwrapped keys of the last people met; bounded in number and age; safe between threads.

    An erasure made by another replica takes effect here when its event is answered with `forget`, after `seconds`
    at the latest.
    """

    def __init__(
        self, kek: KeyEncryption, monotonic: Callable[[], float], *, size: int = 2048, seconds: float = 60
    ) -> None:
        """`monotonic` gives seconds; an entry older than `seconds` is unwrapped again."""
        if size < 1 or seconds <= 0:
            raise ValueError("a cache keeps at least one key for some time")
        self._kek, self._monotonic, self._size, self._seconds = kek, monotonic, size, seconds
        self._kept: OrderedDict[str, tuple[bytes, PersonKey, float]] = OrderedDict()
        self._forgotten: OrderedDict[str, float] = OrderedDict()
        self._lock = Lock()

    def get(self, person_id: str, wrapped: bytes) -> PersonKey:
        """The person's key, `wrapped` as just read from the database; Unreadable when it is not theirs."""
        wrapped, now = bytes(wrapped), self._monotonic()
        with self._lock:
            kept = self._kept.get(person_id)
            if kept is not None and kept[0] == wrapped and self._fresh(kept[2], now):
                self._kept.move_to_end(person_id)
                return kept[1]
        key = unwrap(self._kek, wrapped, person_id)  # may be a call to a key service: not under the lock
        with self._lock:
            if not self._lately_forgotten(person_id):
                self._kept[person_id] = (wrapped, key, now)
                _trim(self._kept, person_id, self._size)
        return key

    def forget(self, person_id: str) -> None:
        """Drop a key at once, on erasure, and keep none of this person for `seconds`.

        A reader that fetched the wrapped key just before it was destroyed would otherwise bring it back.
        """
        with self._lock:
            self._kept.pop(person_id, None)
            self._forgotten[person_id] = self._monotonic()
            _trim(self._forgotten, person_id, self._size)

    def __len__(self) -> int:
        return len(self._kept)

    def __repr__(self) -> str:
        return f"PersonKeys(kept={len(self)})"

    def _lately_forgotten(self, person_id: str) -> bool:
        since = self._forgotten.get(person_id)
        if since is None or self._fresh(since, self._monotonic()):
            return since is not None
        del self._forgotten[person_id]
        return False

    def _fresh(self, since: float, now: float) -> bool:
        return 0 <= now - since < self._seconds


def _trim(entries: OrderedDict[str, Any], latest: str, size: int) -> None:
    entries.move_to_end(latest)
    while len(entries) > size:
        entries.popitem(last=False)
