"""What strikes when: decided by the seed alone, so that a seed can be run again."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from devstack.components import NATS, POSTGRES, SERVICES, components_of

REPLICAS = {"basket": 2}
"""How often each service runs in a chaos run, where not once."""
RUNNING = tuple(
    component for service in SERVICES for component in components_of(service, REPLICAS.get(service.name, 1))
)
KILLED = (*RUNNING, NATS)
"""Ended by SIGKILL. basket and egress stand in the middle of every booking: they are struck more often."""
WEIGHTS = tuple(2 if name in {"basket", "egress"} else 1 for name in KILLED)
RESTARTED = (POSTGRES, NATS)
RESTART_SHARE = 0.25
BOOKING_CALLS = r"/(paniers|examens)"
FIRST_OUTAGE_SECONDS = 3.0


@dataclass(frozen=True)
class Outage:
    """Components fall at `at` seconds and stay down for `down` seconds; `kill`: by SIGKILL, else stopped as an operator would."""

    at: float
    components: tuple[str, ...]
    kill: bool
    down: float


@dataclass(frozen=True)
class FaultWindow:
    """RdvPermis misbehaves from `at` for `lasts` seconds, by these rules of the sandbox."""

    at: float
    lasts: float
    rules: tuple[Mapping[str, Any], ...]

    @property
    def kinds(self) -> str:
        """The rules' kinds joined by +, as the report shows them."""
        return "+".join(str(rule["kind"]) for rule in self.rules)


def outages(seed: int, seconds: float) -> list[Outage]:
    """One after the other; a component's own start lies between, so later ones may come later than said."""
    rng = Random(f"outages {seed}")  # noqa: S311 - repeatable on purpose
    found: list[Outage] = []
    at = FIRST_OUTAGE_SECONDS + rng.uniform(0, 2)
    while at < seconds - 2:
        if rng.random() < RESTART_SHARE:
            component = rng.choice(RESTARTED)
            found.append(Outage(round(at, 2), (component,), kill=False, down=round(rng.uniform(0.1, 2), 2)))
        else:
            components = set(rng.choices(KILLED, WEIGHTS, k=2 if rng.random() < 0.2 else 1))
            found.append(Outage(round(at, 2), tuple(sorted(components)), kill=True, down=round(rng.uniform(0, 2), 2)))
        at += rng.uniform(3, 7)
    return found


def fault_windows(seed: int, seconds: float) -> list[FaultWindow]:
    """Windows of RdvPermis' bad days, with pauses between."""
    rng = Random(f"fault_windows {seed}")  # noqa: S311 - repeatable on purpose
    found: list[FaultWindow] = []
    at = rng.uniform(1, 3)
    while at < seconds - 1:
        lasts = rng.uniform(1.5, 5)
        rules = [_rule(rng) for _ in range(rng.choice((1, 1, 2)))]
        found.append(FaultWindow(round(at, 2), round(min(lasts, seconds - at), 2), tuple(rules)))
        at += lasts + rng.uniform(0.5, 4)
    return found


def _rule(rng: Random) -> Mapping[str, Any]:
    kind = rng.choice(("latency", "429", "5xx", "html", "cut_before", "cut_after", "cut_after"))
    rule: dict[str, Any] = {
        "kind": kind,
        "path": BOOKING_CALLS,
        "probability": round(rng.uniform(0.15, 0.5), 2),
        "seed": rng.randrange(1_000_000),
    }
    if kind == "latency":
        rule["latency_ms"] = rng.randrange(200, 3000)
    elif kind == "429":
        rule["retry_after"] = rng.choice((None, "1", "2"))
    elif kind == "5xx":
        rule["status"] = rng.choice((500, 502, 503, 504))
    return rule
