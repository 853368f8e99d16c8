"""Settings of basket."""

from resapermis_kit.process.settings import ServiceSettings


class Settings(ServiceSettings):
    """As RESAPERMIS_<NAME>; see the kit for what every service has."""

    # Where the services that this one calls are: see ServiceSettings.peer for what an address may be.
    peer_mandate: str = ""
    peer_scheduling_rules: str = ""
    peer_egress: str = ""

    expire_every_seconds: float = 0.4
    """Pause between two searches for holds whose time has come; above 1 s, expiry is late (R-15)."""
    warn_seconds: int = 120
    """How long before a group expires its school is warned."""
    settle_every_seconds: float = 1.0
    """Pause between two rounds of the reconciler, of giving slots back, and of looking for exams that have begun."""
    grace_seconds: float = 5.0
    """How long after a lost answer RdvPermis is first read: shorter may find a call still on its way there."""
    give_back_seconds: float = 2.0
    """First pause before giving a slot back is tried again; doubles, at most a minute."""
    reconcile_every_seconds: float = 600.0
    """How often a school's coming exams are reconciled with RdvPermis' own (R-31); doubles while RdvPermis cannot be read."""
    reconcile_round_seconds: float = 5.0
    """Pause between two searches for schools whose reconciliation is due."""
    reconcile_hint_seconds: float = 60.0
    """How soon a school is reconciled after a poll of a booked slot seemed to show that the State took it back."""
    reconcile_active_days: int = 30
    """A school without any coming booking is reconciled for so long after somebody of it was last here, or its grant ended."""
    reconcile_categories: str = "B,A"
    """Category groups read at RdvPermis beside those of a school's own lines; each costs a call a reconciliation."""
    results_round_seconds: float = 60.0
    """Pause between two searches for exams whose result is due to be polled."""
    results_every_seconds: float = 10_800.0
    """How often a result is polled in the 48 hours within which the State publishes it; first so long after the end."""
    results_later_every_seconds: float = 86_400.0
    """How often after that."""
    results_give_up_days: int = 21
    """When a result is no longer polled: it stays shown as awaited."""
    drop_round_seconds: float = 5.0
    """Pause between two searches for prepared baskets that nobody used in time; they are given back before they end."""
    allowance_seconds: float = 900.0
    """How old the allowance of replacements shown with a school's bookings may grow before it is read again."""
    compliance_round_seconds: float = 600.0
    """Pause between two checks whether tonight's compliance check (after three in the morning) is still to be made."""
    holds_at_once: int = 48
    """Holds admitted in this process until they are answered; the others wait in order, five seconds at most."""
    egress_seconds: float = 20.0
    """Longest that one act waits for RdvPermis; the caller's deadline if earlier."""
