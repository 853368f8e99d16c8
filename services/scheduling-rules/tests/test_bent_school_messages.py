"""Whatever comes in about schools and calendars is refused by its field, soon, or answered; nothing breaks (section 8)."""

from collections import Counter
from random import Random

import grpc
import pytest
from google.protobuf.message import Message
from school_desk import Desk, stamp
from test_ical import calendar as ics

from resapermis.scheduling.v1 import availability_pb2 as times
from resapermis.scheduling.v1 import school_pb2 as pb
from resapermis_kit.errors import from_rpc_error
from resapermis_testing.mutation import mutants
from resapermis_testing.profile import tries

SCHOOL, AVAILABILITY = "SchoolService", "AvailabilityService"
TRAINER = pb.Trainer(
    id="t1",
    department="91",
    categories=["B", "A"],
    active_from=stamp(2026, 1, 1),
    active_until=stamp(2027, 1, 1),
    authorised_until=stamp(2028, 1, 1),
)
SUBJECT = times.Subject(kind=times.SUBJECT_KIND_TRAINER, id="t1")
AWAY = times.Unavailability(
    subject=SUBJECT, starts_at=stamp(2026, 12, 9, 8), ends_at=stamp(2026, 12, 9, 9), time_zone="Europe/Paris"
)
WINDOW = times.ListUnavailabilitiesRequest(subject=SUBJECT, to=stamp(2026, 12, 20))
getattr(WINDOW, "from").CopyFrom(stamp(2026, 12, 1))
HOURS = pb.Hours(trainer_id="t1", month="2026-10", category="B", kind="practical", hundredths=15_167)
VEHICLE = pb.Vehicle(label="Clio", categories=["B"], gearbox="manual")
METHODS: dict[str, tuple[str, Message]] = {
    "SetLicence": (SCHOOL, pb.SetLicenceRequest(licensed_until=stamp(2028, 1, 1))),
    "SetTrainer": (SCHOOL, pb.SetTrainerRequest(trainer=TRAINER)),
    "SetVehicle": (SCHOOL, pb.SetVehicleRequest(vehicle=VEHICLE, request_id="1")),
    "DeclareHours": (SCHOOL, pb.DeclareHoursRequest(hours=[HOURS])),
    "AddUnavailability": (AVAILABILITY, times.AddUnavailabilityRequest(request_id="r", unavailability=AWAY)),
    "RemoveUnavailability": (AVAILABILITY, times.RemoveUnavailabilityRequest(id="u1")),
    "ListUnavailabilities": (AVAILABILITY, WINDOW),
    "CreateFeed": (AVAILABILITY, times.CreateFeedRequest(trainer_id="t1")),
    "GetFeed": (AVAILABILITY, times.GetFeedRequest(token="token-1")),
}
IMPORT = times.ImportCalendarRequest(
    subject=SUBJECT,
    calendar=ics(
        "UID:1\nDTSTART;TZID=Europe/Paris:20261209T080000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;BYDAY=WE\n"
        "EXDATE;TZID=Europe/Paris:20261216T080000"
    ),
)


async def answers(desk: Desk, service: str, method: str, seed: Message, count: int) -> Counter[str]:
    """How a running service answers so many bent messages."""
    channel = desk.running.channel("scheduling-rules")
    call = channel.unary_unary(
        f"/resapermis.scheduling.v1.{service}/{method}",
        request_serializer=lambda data: data,
        response_deserializer=lambda data: data,
    )
    metadata = None if method == "GetFeed" else desk.who()
    found: Counter[str] = Counter()
    for data in mutants([seed], Random(method), count):  # noqa: S311 - repeatable on purpose
        try:
            await call(data, timeout=10, metadata=metadata)
            found["OK"] += 1
        except grpc.aio.AioRpcError as error:
            found[from_rpc_error(error).name] += 1
    await channel.close()
    return found


@pytest.mark.long
@pytest.mark.req("B8", "R-28", "R-18")
@pytest.mark.timeout(180)
@pytest.mark.parametrize("method", METHODS)
async def test_bent_messages_break_nothing(desk: Desk, method: str) -> None:
    await desk.trainer()
    many = tries(briefly=60, long=600)
    words = await answers(desk, *METHODS[method][:1], method, METHODS[method][1], many)
    assert not {"INTERNAL", "UNSPECIFIED", "DEADLINE", "UNAVAILABLE"} & set(words), words
    assert sum(words.values()) == many


@pytest.mark.req("B5", "B8", "R-18")
@pytest.mark.long
@pytest.mark.timeout(180)
async def test_bent_calendars_break_nothing(desk: Desk) -> None:
    words = await answers(desk, AVAILABILITY, "ImportCalendar", IMPORT, tries(briefly=20, long=40))
    assert not {"INTERNAL", "UNSPECIFIED", "DEADLINE", "UNAVAILABLE"} & set(words), words
    assert words["MALFORMED"] > 5
