"""Counting by kind, so that any number of equal things becomes two records a window: the first, and how many followed.

Pure: time is an argument, in seconds. What counts is never lost here: each thing added is in exactly one sample, unless
the process ends before that sample was written.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Sample(Generic[K]):
    """So many of a kind, which no earlier sample counted, and when the first and the last of them came."""

    kind: K
    count: int
    first: float
    last: float


@dataclass(frozen=True)
class Bounds:
    """How much is remembered, and for how long."""

    window: float = 60.0
    """Seconds from the first of a kind to the record of those that followed."""
    kinds: int = 100
    """Kinds told apart at once; beyond, who is no longer told (`coarser`), and those few kinds come on top."""
    of_one: int = 10
    """Kinds told apart at once of one who; beyond, where is no longer told."""


@dataclass
class _Tally:
    who: Hashable
    began: float
    """When its window did."""
    opened: bool = False
    """The first record of this window is written."""
    count: int = 0
    """Not written yet."""
    first: float = 0.0
    last: float = 0.0


class Sampler(Generic[K]):
    """Tallies of what came lately. `due` says what is to be written, `written` that it was: in between nothing is lost."""

    def __init__(
        self, who: Callable[[K], Hashable], coarser: Callable[[K], Sequence[K]], bounds: Bounds | None = None
    ) -> None:
        """`who` a kind is of; `coarser` kinds of a kind in turn, the last of which is taken whatever there is."""
        self._who, self._coarser, self._bounds = who, coarser, bounds or Bounds()
        self._tallies: dict[K, _Tally] = {}
        self._of: Counter[Hashable] = Counter()
        """How many tallies each who has."""

    def __len__(self) -> int:
        """How many kinds are remembered."""
        return len(self._tallies)

    def add(self, kind: K, now: float) -> bool:
        """Count one; True where a record of it is due at once, as the first of its kind in a window."""
        tally = self._tallies.get(kind)
        if tally is None:
            tally = self._placed(kind, now)
        if not tally.count:
            tally.first = now
        tally.count += 1
        tally.last = now
        return not tally.opened

    def due(self, now: float, *, all_of_it: bool = False) -> list[Sample[K]]:
        """What is to be written: first ones, and the rest of windows that are over. `all_of_it`: whatever is not written."""
        over = [kind for kind, tally in self._tallies.items() if not tally.count and self._is_over(tally, now)]
        for kind in over:
            self._drop(kind)
        return [
            Sample(kind, tally.count, tally.first, tally.last)
            for kind, tally in self._tallies.items()
            if tally.count and (all_of_it or not tally.opened or self._is_over(tally, now))
        ]

    def written(self, samples: Sequence[Sample[K]], now: float) -> None:
        """These samples of `due` are in the journal. What came since then stays counted."""
        for sample in samples:
            tally = self._tallies[sample.kind]
            tally.count -= sample.count
            tally.first = sample.last  # of what came since: not before this
            if not self._is_over(tally, now):
                tally.opened = True
            elif tally.count:
                tally.began, tally.opened = now, False
            else:
                self._drop(sample.kind)

    def _is_over(self, tally: _Tally, now: float) -> bool:
        return now - tally.began >= self._bounds.window

    def _placed(self, kind: K, now: float) -> _Tally:
        """A new tally for a kind, or the tally of the least coarse one that there is room for."""
        who = self._who(kind)
        if len(self._tallies) < self._bounds.kinds:
            if self._of[who] < self._bounds.of_one:
                return self._new(kind, who, now)
            room = self._coarser(kind)
        else:
            room = self._coarser(kind)[-1:]
        chosen = room[0]
        found = self._tallies.get(chosen)
        return self._new(chosen, self._who(chosen), now) if found is None else found

    def _new(self, kind: K, who: Hashable, now: float) -> _Tally:
        tally = self._tallies[kind] = _Tally(who, now)
        self._of[who] += 1
        return tally

    def _drop(self, kind: K) -> None:
        who = self._tallies.pop(kind).who
        self._of[who] -= 1
        if not self._of[who]:
            del self._of[who]
