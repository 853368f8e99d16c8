"""Slots, centres, thresholds."""

from datetime import date, datetime
from typing import Annotated

from pydantic import AwareDatetime, Field

from resapermis.scheduling.v1 import scheduling_pb2
from resapermis_auth_gateway.web.days import minutes, plausible_day, timestamp
from resapermis_auth_gateway.web.wire.base import (
    Body,
    Category,
    Clock,
    Department,
    Flag,
    Id,
    Kind,
    VerdictView,
    View,
    Weekday,
    enum_field,
    enum_word,
    local_time,
    optional_figure,
    optional_instant,
)
from resapermis_kit.errors import malformed
from resapermis_places.table import PARIS

Status = Annotated[str, enum_field(scheduling_pb2.SlotStatus, "SLOT_STATUS_")]


class Search(Body):
    """What to look for, whenever it comes."""

    department: Department | None = None
    category: Category
    centres: list[Id] = Field(default=[], max_length=50)
    within_km: Annotated[int, Field(ge=1, le=300)] | None = None
    day_from: Clock | None = None
    day_to: Clock | None = None
    consecutive: Annotated[int, Field(ge=1, le=8)] = 1
    open_now: Flag = False
    opens_before: AwareDatetime | None = None
    kind: Kind | None = None
    weekdays: list[Weekday] = Field(default=[], max_length=7)

    def message(self) -> scheduling_pb2.SearchSlotsRequest:
        """The search without its days; MALFORMED where it says no place or no hour."""
        if self.department is None and self.within_km is None:
            raise malformed("department", "needed unless `withinKm` says where")
        first, last = minutes(self.day_from), minutes(self.day_to)
        if (first or 0) >= (24 * 60 if last is None else last):
            raise malformed("dayTo", "after `dayFrom`")
        question = scheduling_pb2.SearchSlotsRequest(
            department=self.department or "",
            category=self.category,
            centre_ids=self.centres,
            within_km=self.within_km,
            day_from_minutes=first,
            day_to_minutes=last,
            consecutive=self.consecutive if self.consecutive > 1 else 0,
            open_now=self.open_now,
            kind=self.kind or "",
            weekdays=sorted(set(self.weekdays)),
        )
        if self.opens_before is not None:
            plausible_day(self.opens_before.date(), "opensBefore")
            question.opens_before.CopyFrom(timestamp(self.opens_before))
        return question


class CentreView(View):
    """An exam centre; coordinates and distance from the school are null where a place is unknown."""

    id: str
    name: str
    department: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    distance_km: float | None = None
    travel_minutes: int | None = None

    @classmethod
    def of(cls, centre: scheduling_pb2.Centre) -> "CentreView":
        """From scheduling.v1.Centre; empty texts and absent figures are null."""
        return cls(
            id=centre.id,
            name=centre.name,
            department=centre.department or None,
            latitude=optional_figure(centre, "latitude_degrees"),
            longitude=optional_figure(centre, "longitude_degrees"),
            distance_km=optional_figure(centre, "distance_km"),
            travel_minutes=optional_figure(centre, "travel_minutes"),
        )


class SlotView(View):
    """What is public about a slot. `startsAt` and `endsAt` are local to the centre, without zone."""

    id: str
    centre: CentreView
    starts_at: str
    ends_at: str
    time_zone: str
    category: str
    kind: str
    status: Status
    seen_at: datetime | None = None
    opens_to_all_at: datetime | None = None
    distance_km: float | None = None
    travel_minutes: int | None = None

    @classmethod
    def fields_of(cls, slot: scheduling_pb2.Slot) -> dict[str, object]:
        """The fields that every view of a slot shares, by name."""
        return {
            "id": slot.id,
            "centre": CentreView.of(slot.centre),
            "starts_at": local_time(slot.starts_at, slot.time_zone),
            "ends_at": local_time(slot.ends_at, slot.time_zone),
            "time_zone": slot.time_zone or PARIS,
            "category": slot.category,
            "kind": slot.kind,
            "status": enum_word(scheduling_pb2.SlotStatus, slot.status, "SLOT_STATUS_"),
            "seen_at": optional_instant(slot, "seen_at"),
            "opens_to_all_at": optional_instant(slot, "opens_to_all_at"),
            "distance_km": optional_figure(slot, "distance_km"),
            "travel_minutes": optional_figure(slot, "travel_minutes"),
        }

    @classmethod
    def of(cls, slot: scheduling_pb2.Slot) -> "SlotView":
        """From scheduling.v1.Slot, of a search or of the snapshot that a line keeps."""
        return cls.model_validate(cls.fields_of(slot))


class JudgedSlotView(SlotView):
    """A slot and what every rule says of it for the asker's school."""

    verdicts: list[VerdictView]
    allowed: bool
    opens_at: datetime | None = None

    @classmethod
    def judged(cls, judged: scheduling_pb2.JudgedSlot) -> "JudgedSlotView":
        """From scheduling.v1.JudgedSlot, its verdicts included."""
        return cls.model_validate(
            cls.fields_of(judged.slot)
            | {
                "verdicts": [VerdictView.of(verdict) for verdict in judged.verdicts],
                "allowed": judged.allowed,
                "opens_at": optional_instant(judged, "opens_at"),
            }
        )


class ThresholdView(View):
    """What a school may take in a department, month and licence group.

    `taken` counts bookings and live holds; `left` is of the month, `leftToday` of what the pace allows today.
    """

    department: str
    month: str
    category: str
    limit: int
    paced_limit: int
    taken: int
    rdvpermis_limit: int | None = None
    fte: float
    rate_per_fte: float
    next_change_at: datetime | None = None
    held: int
    elsewhere: int
    left: int
    left_today: int
    own_limit: int | None = None
    difference: int | None = None
    replacements_left: int | None = None
    replacements_per_month: int | None = None
    warn_percent: int
    fte_source: str
    fte_as_of: datetime | None = None

    @classmethod
    def of(cls, threshold: scheduling_pb2.Threshold) -> "ThresholdView":
        """From scheduling.v1.Threshold."""
        return cls(
            department=threshold.department,
            month=threshold.month,
            category=threshold.category,
            limit=threshold.limit,
            paced_limit=threshold.paced_limit,
            taken=threshold.taken,
            rdvpermis_limit=optional_figure(threshold, "rdvpermis_limit"),
            fte=threshold.fte,
            rate_per_fte=threshold.rate_per_fte,
            next_change_at=optional_instant(threshold, "next_change_at"),
            held=threshold.held,
            elsewhere=threshold.elsewhere,
            left=threshold.left,
            left_today=threshold.left_today,
            own_limit=optional_figure(threshold, "own_limit"),
            difference=optional_figure(threshold, "difference"),
            replacements_left=optional_figure(threshold, "replacements_left"),
            replacements_per_month=optional_figure(threshold, "replacements_per_month"),
            warn_percent=threshold.warn_percent,
            fte_source=threshold.fte_source or "unknown",
            fte_as_of=optional_instant(threshold, "fte_as_of"),
        )


class CentrePage(View):
    """Open exam centres of a department that offer a licence group."""

    items: list[CentreView]


class ThresholdPage(View):
    """A threshold for each department, month and licence group in which the school may take slots."""

    items: list[ThresholdView]
    server_time: datetime


class PolledDayView(View):
    """How one day of a search is known: how many calls polling it again costs, and how old the oldest of its polls is.

    `seenAt` is null where none was ever answered, `unseen` true where some were not.
    """

    date: date
    polls: int
    seen_at: datetime | None = None
    unseen: bool

    @classmethod
    def of(cls, day: scheduling_pb2.PolledDay) -> "PolledDayView":
        """From scheduling.v1.PolledDay."""
        return cls(
            date=date.fromisoformat(day.date),
            polls=day.polls,
            seen_at=optional_instant(day, "oldest_seen_at"),
            unseen=day.unseen,
        )


class SlotPage(View):
    """Slots, the age of what is known, and why some may be missing.

    `seenAt` is of the oldest poll of all, `days` says it by day; `threshold` is of the first month, `thresholds` of each.
    `pollsLeft`: calls that polling again may still spend within this minute.
    """

    items: list[JudgedSlotView]
    next_cursor: str | None = None
    seen_at: datetime | None = None
    incomplete: bool = False
    incomplete_reason: str | None = None
    threshold: ThresholdView | None = None
    thresholds: list[ThresholdView]
    days: list[PolledDayView]
    polls_left: int
    server_time: datetime
