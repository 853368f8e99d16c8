"""Bodies of the control's calls."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from rdvpermis_sandbox.control.faults import Kind
from rdvpermis_sandbox.limits import RetryAfter


class Order(BaseModel):
    """A body; unknown fields are a mistake of the checker."""

    model_config = ConfigDict(extra="forbid")


class ClockOrder(Order):
    """POST /clock: each field is optional."""

    set: datetime | None = None
    advance_seconds: float | None = None
    frozen: bool | None = None


class FaultOrder(Order):
    """One fault of POST /faults; empty `method` and `path` match all, `count` null is for ever."""

    kind: Kind
    path: str = ".*"
    method: str = ""
    count: int | None = None
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0
    seed: int = 1
    latency_ms: Annotated[int, Field(ge=0, le=120_000)] = 0
    status: Annotated[int, Field(ge=500, le=599)] = 503
    retry_after: str | None = None


class RivalOrder(Order):
    """POST /rivals."""

    schools: Annotated[int, Field(ge=0, le=200)] = 0
    per_minute: Annotated[float, Field(ge=0, le=6000)] = 0
    department: str | None = None
    group: str = "B"


class SlotOrder(Order):
    """A slot that a rival takes or the State withdraws."""

    slot: str


class PublishOrder(Order):
    """POST /slots/publish: local hours, with seconds if need be; `at` is when they are published, now without it."""

    centre: str
    group: str = "B"
    date: date
    starts: list[str] = ["08:00", "08:32", "09:04", "09:36"]
    at: datetime | None = None
    kind: Literal["CIRCULATION", "PLATEAU"] = "CIRCULATION"
    seconds: Annotated[int, Field(ge=1, le=86_400)] = 32 * 60


class ResultOrder(Order):
    """POST /results; `points` null is an unjustified absence."""

    exam: str
    points: Annotated[int, Field(ge=0, le=31)] | None


class BookingOrder(Order):
    """POST /exams: booked by hand on RdvPermis' own pages."""

    slot: str
    school: str
    candidate: str


class ReplaceOrder(Order):
    """POST /exams/{id}/replace."""

    candidate: str


class CandidateOrder(Order):
    """POST /candidates."""

    neph: str
    first_name: str
    last_name: str
    email: str | None = None
    group: str | None = "B"


class MandateOrder(Order):
    """POST /mandates."""

    candidate: str
    school: str
    group: str = "B"


class LimitOrder(Order):
    """POST /limits, in calls a minute."""

    employee: Annotated[int, Field(ge=0)] = 210
    online: Annotated[int, Field(ge=0)] = 600
    retry_after: RetryAfter = "cycle"
