"""How long each operation takes on this machine."""

import statistics
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

from resapermis_vault.keyset import new_keyset
from resapermis_vault.normalisation import normalise_neph
from resapermis_vault.person_key import new_person_key, row_of, unwrap
from resapermis_vault.secret import open_secret, seal_secret

_PERSON = "0190f3c2-0000-7000-8000-000000000001"
_NAME = "Léa D’Alès-Martin"
_NEPH = "0123 4567 8901"


def figures(rounds: int) -> dict[str, Any]:
    """Return microseconds by operation (median, 95th and 99th percentile) over `rounds` runs, at least 100."""
    rounds = max(rounds, 100)
    keyset = new_keyset()
    wrapped, key = new_person_key(keyset, _PERSON)
    row = row_of("candidate", "name", _PERSON)
    page = b"\x00" * 4096
    sealed, sealed_page = key.seal(_NAME, row), key.seal(page, row)
    secret = seal_secret(keyset, _NAME, row=row)
    neph, names = keyset.field_index("candidate.neph", normalise_neph), keyset.name_index("candidate.name")
    operations: dict[str, Callable[[], object]] = {
        "seal_name": lambda: key.seal(_NAME, row),
        "open_name": lambda: key.open(sealed, row),
        "seal_4_kib": lambda: key.seal(page, row),
        "open_4_kib": lambda: key.open_bytes(sealed_page, row),
        "new_person_key": lambda: new_person_key(keyset, _PERSON),
        "unwrap_person_key": lambda: unwrap(keyset, wrapped, _PERSON),
        "seal_secret": lambda: seal_secret(keyset, _NAME, row=row),
        "open_secret": lambda: open_secret(keyset, secret, row=row),
        "neph_index": lambda: neph.index(_NEPH),
        "name_entries": lambda: names.entries(_NAME),
    }
    return {"rounds": rounds, "microseconds": {name: _measure(run, rounds) for name, run in operations.items()}}


def _measure(run: Callable[[], object], rounds: int) -> dict[str, float]:
    taken: list[int] = []
    for _ in range(rounds):
        start = perf_counter_ns()
        run()
        taken.append(perf_counter_ns() - start)
    cuts = statistics.quantiles(taken, n=100)
    return {name: round(cuts[cut - 1] / 1000, 1) for name, cut in {"p50": 50, "p95": 95, "p99": 99}.items()}
