"""What the answers of a run amount to, by the words under which the load counts them ("hold SLOT_TAKEN", "search 200"): pure.

What is tried again by a stated policy is not here: the door hands a request that no answer began to on to the next face, a
caller over gRPC asks for a second while nobody answers. An answer that is counted is one that somebody was given.
"""

from collections.abc import Mapping
from http import HTTPStatus

from devstack.components import SERVICES
from resapermis_kit.errors import RENDERINGS, Code

EXPECTED = frozenset({HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED})
"""Of 400 and above, what schools that go for the same slots are told, upgrade or not: taken, expired, ruled out, in progress, stale."""
GOOD = frozenset({"OK", "home"})
"""Of the words that are neither a status nor a code; any other is trouble: FAILED, NO_ANSWER, lost, a code of no release here."""
_STATUS = {Code.Name(code).removeprefix("CODE_"): rendering.http for code, rendering in RENDERINGS.items()}
FLOOR: Mapping[str, int] = {
    "hold line held": 40,
    "name 200": 10,
    "validate 200": 5,
    "release 200": 15,
    "cancel 200": 10,
    "read 200": 80,
    "search 200": 100,
    "sign-in 200": 20,
    **{f"rpc {service.name} OK": 60 for service in SERVICES if service.face != "egress"},
}
"""What each hop must have had acknowledged of each act, lest one hold in which nobody did anything: a tenth of what two busy cores do."""


def troubles(answers: Mapping[str, int]) -> dict[str, int]:
    """Those of the answers that nobody should have been given, by the status that each was given with."""
    return {what: often for what, often in answers.items() if _is_trouble(what)}


def missed(answers: Mapping[str, int]) -> dict[str, int]:
    """The acts of which less than the floor was acknowledged, with how often each was."""
    return {act: answers.get(act, 0) for act, least in FLOOR.items() if answers.get(act, 0) < least}


def _is_trouble(what: str) -> bool:
    words = what.split()
    # Of a slot or a line: "hold line refused CODE what stands behind it", "hold line held"; of a whole answer: "hold CODE", "read 200".
    one_line = words[1] == "line"
    if one_line and len(words) == 3:
        return False
    word = words[3] if one_line else words[-1]
    if word in GOOD:
        return False
    number = word.removeprefix("HTTP_")
    status = int(number) if number.isdecimal() else _STATUS.get(word)
    return status is None or (status >= HTTPStatus.BAD_REQUEST and status not in EXPECTED)
