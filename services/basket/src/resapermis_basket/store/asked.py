"""How several holds are given to one statement: their claims, their actions, and what is said of each."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from resapermis_basket.store.group_rows import Group

Values = Mapping[str, Any]


class Asked(Protocol):
    """One hold of a statement."""

    @property
    def claim(self) -> Values:
        """Values of `once.claim`."""

    @property
    def group(self) -> Group:
        """The action."""

    @property
    def said(self) -> Values:
        """Values of `Outbox.values`."""


A = TypeVar("A", bound=Asked)
# Parameters come as sub-selects, so that a plan made for these holds seems no cheaper than one made for any number of them:
# PostgreSQL then keeps the latter, instead of planning anew each time.
_COLUMNS = {
    "caller": "text",
    "request_id": "text",
    "digest": "bytea",
    "response": "bytea",
    "claimed_at": "timestamptz",
    "group_id": "uuid",
    "school_id": "text",
    "account_id": "text",
    "session_id": "text",
    "together": "boolean",
    "created_at": "timestamptz",
    "asking": "boolean",
}
ASKED = (
    f"asked AS (SELECT * FROM unnest({', '.join(f'(SELECT CAST(:{name} AS {type_}[]))' for name, type_ in _COLUMNS.items())}) "  # noqa: S608 - words of our own
    f"AS asked ({', '.join(_COLUMNS)}))"
)
"""The first part of such a statement."""
MINE_AND_ACTION = (
    "mine AS MATERIALIZED (SELECT asked.* FROM asked JOIN claim USING (caller, request_id)), "
    "action AS (INSERT INTO group_ (id, school_id, account_id, session_id, together, request_caller, request_id, "
    "created_at) SELECT group_id, school_id, account_id, session_id, together, caller, request_id, created_at FROM mine)"
)
"""Those whose `claim` was made, which no twin came before; and their actions."""
_SAID = {
    "id": "uuid",
    "stream": "text",
    "type": "text",
    "payload": "bytea",
    "traceparent": "text",
    "at": "timestamptz",
    "group": "uuid",
}
SAID = (
    "INSERT INTO outbox (id, stream, type, payload, traceparent, occurred_at) "  # noqa: S608 - as above
    "SELECT said.id, said.stream, said.type, said.payload, said.traceparent, said.at "
    f"FROM unnest({', '.join(f'(SELECT CAST(:outbox_{name}s AS {type_}[]))' for name, type_ in _SAID.items())}) "
    "AS said (id, stream, type, payload, traceparent, at, group_id)"
)
"""What is said of them; to be joined to those of which it is true, by group_id."""


def asked_values(some: Sequence[Asked]) -> dict[str, Any]:
    """The values of `ASKED`, all but `asking`."""
    return {
        "caller": [one.claim["caller"] for one in some],
        "request_id": [one.claim["request_id"] for one in some],
        "digest": [one.claim["digest"] for one in some],
        "response": [one.claim["response"] for one in some],
        "claimed_at": [one.claim["claimed_at"] for one in some],
        "group_id": [one.group.id for one in some],
        "school_id": [one.group.school_id for one in some],
        "account_id": [one.group.account_id for one in some],
        "session_id": [one.group.session_id for one in some],
        "together": [one.group.together for one in some],
        "created_at": [one.group.created_at for one in some],
    }


def said_values(some: Sequence[Asked]) -> dict[str, Any]:
    """The values of `SAID`."""
    said = [(one, index) for one in some for index in range(len(one.said["outbox_ids"]))]
    return {
        **{name: [one.said[name][index] for one, index in said] for name in _EACH},
        "outbox_traceparents": [one.said["outbox_traceparent"] for one, _ in said],
        "outbox_ats": [one.said["outbox_at"] for one, _ in said],
        "outbox_groups": [one.group.id for one, _ in said],
    }


_EACH = ("outbox_ids", "outbox_streams", "outbox_types", "outbox_payloads")


def one_a_school(asked: Sequence[A]) -> Iterator[list[A]]:
    """In lots without two of the same school: one statement moves a counter once, and the second sees what the first took."""
    rest = list(asked)
    while rest:
        seen: set[str] = set()
        lot: list[A] = []
        later: list[A] = []
        for one in rest:
            (later if one.group.school_id in seen else lot).append(one)
            seen.add(one.group.school_id)
        yield lot
        rest = later
