"""What a platform is set to where schools act on it as fast as they can, in chaos runs and in upgrades.

Limits that a run would only hide behind are raised, and RdvPermis' side is reconciled in seconds: it is on this machine.
"""

from collections.abc import Mapping

import asyncpg

SETTINGS: Mapping[str, Mapping[str, str]] = {
    "auth-gateway": {
        "RESAPERMIS_SIGN_IN_RATE": "6000/minute",
        "RESAPERMIS_READ_RATE": "60000/minute",
        "RESAPERMIS_WRITE_RATE": "60000/minute",
    },
    "egress": {"RESAPERMIS_RDVPERMIS_EMPLOYEE_CALLS": "20000", "RESAPERMIS_RDVPERMIS_SCHOOL_CALLS": "20000"},
    "basket": {
        "RESAPERMIS_GRACE_SECONDS": "2",
        "RESAPERMIS_RECONCILE_EVERY_SECONDS": "5",
        "RESAPERMIS_RECONCILE_ROUND_SECONDS": "2",
        "RESAPERMIS_RECONCILE_CATEGORIES": "B",
    },
}
"""By component."""
HOLD_SECONDS = 15
"""R-HOLD-TTL while a run lasts: holds lapse within it."""


async def short_holds(url: str) -> None:
    """The parameter of R-HOLD-TTL from now on, as if two people had set it yesterday. `url`: scheduling-rules' database."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute(
            "INSERT INTO parameter (id, name, value, valid_from, set_by, approved_by, set_at)"
            " VALUES (gen_random_uuid(), 'hold_ttl_seconds', $1, now() - interval '1 day', 'load', 'test under load', now())",
            HOLD_SECONDS,
        )
    finally:
        await connection.close()
