"""What an HTTP answer means for the history: pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Any

from history import OpOutcome

AGAIN_CODES = frozenset(
    {
        "IN_PROGRESS",
        "UNKNOWN_OUTCOME",
        "UNAVAILABLE",
        "DEADLINE",
        "OVERLOADED",
        "INTERNAL",
        "STALE",
        "RDVPERMIS_DOWN",
        "RDVPERMIS_BUDGET",
    }
)
"""A person would press again: with the same key, so that nothing is asked twice."""
UNDECIDED = frozenset({"asking", "confirming"})
LIVE = frozenset({"held", "confirming", "booked"})
CLOCKS_SECONDS = 0.2
"""How far our reading of the two clocks may be apart when a hold's end is placed in the history."""
Body = Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """What became of one slot of an action."""

    slot: str
    line: str
    state: str
    outcome: OpOutcome
    lapses: float = -inf
    code: str = ""
    """Why it was refused: the code, and RdvPermis' own or the rules that stand against."""


def code_of(status: int, body: Body) -> str:
    """The problem's code (202 has one too: an outcome not known yet); "" for any other answer; HTTP_nnn without code."""
    if "code" in body and "title" in body:
        return str(body["code"])
    return f"HTTP_{status}" if status >= 400 else ""


def again(status: int, body: Body) -> bool:
    """Whether the same request is to be sent again: it is not known what became of it, or nothing could be done."""
    code = code_of(status, body)
    if code:
        return code in AGAIN_CODES or status >= 500 or status == 429
    states = [result["state"] for result in body.get("results", ())]
    states += [body["state"]] if "state" in body else []
    return bool(UNDECIDED & set(states)) or bool(body.get("changing"))


def of_hold(body: Body, called: float, to_monotonic: float) -> list[Result]:
    """Each slot of a hold. `to_monotonic`: monotonic clock minus wall clock, in seconds."""
    ends = {line["id"]: line.get("expiresAt") for line in body["group"]["lines"]}
    found = []
    for one in body["results"]:
        state, problem = one["state"], one.get("problem") or {}
        lapses = -inf
        if state == "refused":
            # With a verdict, the mirror of RdvPermis' planning said so, which may be old; with a code, RdvPermis did.
            elsewhere = problem.get("rdvpermisCode") or any(not one["allowed"] for one in problem.get("verdicts", ()))
            ours = problem.get("code") == "SLOT_TAKEN" and not elsewhere
            outcome = OpOutcome.TAKEN if ours else OpOutcome.REFUSED
        elif state in LIVE:
            outcome = OpOutcome.DONE
            end = ends.get(one["lineId"])
            lapses = moment(end, to_monotonic) if end else called
        else:  # it was held, and is over
            outcome, lapses = OpOutcome.DONE, called
        line = one["lineId"] if outcome is OpOutcome.DONE else ""
        found.append(Result(one["slotId"], line, state, outcome, lapses, _why(problem)))
    return found


def _why(problem: Body) -> str:
    rules = [one["rule"] for one in problem.get("verdicts", ()) if not one["allowed"]]
    return " ".join(filter(None, [problem.get("code"), problem.get("rdvpermisCode"), *rules]))


def of_validation(body: Body) -> list[Result]:
    """The result of each line of a validated group."""
    outcomes = {"booked": OpOutcome.DONE, "rejected": OpOutcome.ENDED}
    return [
        Result(one["slotId"], one["lineId"], one["state"], outcomes.get(one["state"], OpOutcome.REFUSED))
        for one in body["results"]
    ]


def of_line(body: Body, wanted: str) -> Result:
    """A release ("released") or a cancellation ("cancelled")."""
    outcome = OpOutcome.DONE if body["state"] == wanted else OpOutcome.REFUSED
    return Result(body["slot"]["id"], body["id"], body["state"], outcome)


def moment(iso: str, to_monotonic: float) -> float:
    """A time of the API on the history's clock, a little early."""
    return datetime.fromisoformat(iso).timestamp() + to_monotonic - CLOCKS_SECONDS
