"""Snapshots of every kind for property tests: what is drawn here is what the rules may ever be asked."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from resapermis_places.table import PARIS, PLACES
from resapermis_scheduling_rules.domain.availability import (
    NOTHING_KNOWN,
    Conflict,
    LineAvailability,
    OccupationCause,
    ResourceKind,
    Trainer,
    Vehicle,
)
from resapermis_scheduling_rules.domain.parameters import Parameters
from resapermis_scheduling_rules.domain.quota import Quota
from resapermis_scheduling_rules.domain.restrictions import Reason, Restriction
from resapermis_scheduling_rules.domain.slots import Centre, School, Slot, Status
from resapermis_scheduling_rules.domain.snapshot import Action, Candidate, EvaluationSnapshot, Purpose
from resapermis_scheduling_rules.rules.eligibility import REMEDIES

departments = st.sampled_from(["91", "2A", "33", *(one.code for one in PLACES.values() if one.zone != PARIS)])
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda at: at.replace(microsecond=0)
)
parameters = st.builds(
    Parameters,
    territory_hours=st.integers(0, 200),
    threshold_rate=st.decimals("0", "10", places=2),
    pace_first_percent=st.integers(0, 100),
    pace_full_day=st.integers(1, 28),
    notice_seconds=st.integers(0, 200_000),
    plateau=st.integers(0, 1),
    eligibility_fresh_seconds=st.integers(0, 86_400),
    late_cancel_days=st.integers(0, 30),
    replacements=st.integers(0, 10),
)
quotas = st.builds(
    Quota,
    rate=st.decimals("0", "10", places=2),
    fte=st.none() | st.decimals("0", "20", places=2),
    taken=st.integers(0, 30),
    elsewhere=st.integers(0, 10),
    rdvpermis_limit=st.none() | st.integers(0, 60),
    rdvpermis_says_reached=st.booleans(),
)
purposes = st.sampled_from(Purpose)
kinds = st.sampled_from(["CIRCULATION", "PLATEAU"])
codes = st.sampled_from(["", "UN_MOT_NOUVEAU", "CODE_RDVPERMIS_CANDIDATE_PENALTY", *REMEDIES])


@st.composite
def restrictions(draw: st.DrawFn, around: datetime) -> Restriction:
    since = around + draw(st.timedeltas(timedelta(days=-90), timedelta(days=10)))
    return Restriction(
        id=str(draw(st.uuids())),
        reason=draw(st.sampled_from([*Reason, "ABSENCE NON JUSTIFIÉE"])),
        since=since,
        until=draw(st.none() | st.timedeltas(timedelta(minutes=1), timedelta(days=120)).map(lambda by: since + by)),
        from_rdvpermis=draw(st.booleans()),
        waived=draw(st.booleans()),
    )


@st.composite
def situations(draw: st.DrawFn, around: datetime) -> LineAvailability:
    conflict = st.builds(
        Conflict,
        whose=st.sampled_from(ResourceKind),
        what=st.sampled_from(OccupationCause),
        id=st.uuids().map(str),
        starts_at=st.just(around),
        ends_at=st.just(around + timedelta(hours=1)),
        travel_minutes=st.integers(0, 300),
    )
    until = st.none() | st.timedeltas(timedelta(days=-60), timedelta(days=60)).map(lambda by: around + by)
    vehicle = st.builds(
        Vehicle,
        id=st.just("vehicle"),
        gearbox=st.sampled_from(["manual", "automatic"]),
        categories=st.sampled_from([("B",), ("A", "B"), ("CE",)]),
    )
    return LineAvailability(
        conflicts=tuple(draw(st.lists(conflict, max_size=3))),
        trainer=draw(st.none() | st.builds(Trainer, id=st.just("trainer"), authorised_until=until)),
        vehicle=draw(st.none() | vehicle),
    )


@st.composite
def candidates(draw: st.DrawFn, around: datetime) -> Candidate:
    seen = draw(st.none() | st.timedeltas(timedelta(hours=-30), timedelta()).map(lambda by: around + by))
    return Candidate(
        id="candidate-7",
        mandate_active=draw(st.booleans()),
        mandate_category=draw(st.sampled_from(["A", "B"])),
        mandate_gearbox=draw(st.sampled_from(["manual", "automatic", ""])),
        busy=draw(st.booleans()),
        eligible=None if seen is None else draw(st.booleans()),
        eligibility_code="" if seen is None else draw(codes),
        eligible_seen_at=seen,
    )


@st.composite
def snapshots(draw: st.DrawFn) -> EvaluationSnapshot:
    starts_at = draw(moments)
    now = starts_at - draw(st.timedeltas(timedelta(days=-2), timedelta(days=70)))
    slot = Slot(
        id="slot",
        centre=Centre("centre", "Centre", draw(departments)),
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=32),
        category=draw(st.sampled_from(["A", "B"])),
        kind=draw(kinds),
        published_at=starts_at - draw(st.timedeltas(timedelta(), timedelta(days=56))),
        status=draw(st.sampled_from([Status.FREE, Status.TAKEN, Status.WITHDRAWN, Status.OTHER])),
        seen_at=starts_at - timedelta(days=1),
        holder=draw(st.sampled_from(["", "school", "another"])),
    )
    return EvaluationSnapshot(
        now=now,
        purpose=draw(purposes),
        school=School("school", draw(departments), licensed_until=draw(st.none() | moments)),
        slot=slot,
        parameters=draw(parameters),
        quota=draw(quotas),
        asked=draw(st.integers(1, 4)),
        candidate=draw(st.none() | candidates(now)),
        namesakes=draw(st.integers(0, 1)),
        trainer_id=draw(st.sampled_from(["", "trainer"])),
        vehicle_id=draw(st.sampled_from(["", "vehicle"])),
        situation=draw(st.just(NOTHING_KNOWN) | situations(starts_at)),
        restrictions=tuple(draw(st.lists(restrictions(now), max_size=3))),
        passed_kinds=draw(st.sampled_from([(), ("PLATEAU",), ("CIRCULATION", "PLATEAU")])),
        changeable=draw(st.none() | st.booleans()),
    )


actions = st.builds(
    Action,
    purpose=purposes,
    lines=st.integers(0, 6),
    lines_in_basket=st.integers(0, 14),
    parameters=parameters,
    replacements_left=st.none() | st.integers(0, 6),
    replacements_per_month=st.none() | st.integers(0, 6),
)


@st.composite
def waiting_snapshots(draw: st.DrawFn) -> EvaluationSnapshot:
    """Snapshots in which nothing but time is wanting, if anything is: another department's slot, restrictions, a pace."""
    starts_at = draw(moments)
    now = starts_at - draw(st.timedeltas(timedelta(minutes=1), timedelta(days=70)))
    slot = Slot(
        id="slot",
        centre=Centre("centre", "Centre", draw(departments)),
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=32),
        category="B",
        kind="CIRCULATION",
        published_at=starts_at - draw(st.timedeltas(timedelta(), timedelta(days=72))),
        status=Status.FREE,
        seen_at=now,
    )
    eligible = draw(st.none() | st.just(True))
    candidate = Candidate(
        "candidate-7",
        mandate_active=True,
        mandate_category="B",
        mandate_gearbox="manual",
        busy=False,
        eligible=eligible,
        eligible_seen_at=None if eligible is None else now - draw(st.timedeltas(timedelta(), timedelta(hours=2))),
    )
    return EvaluationSnapshot(
        now=now,
        purpose=Purpose.HOLD,
        school=School("school", draw(departments)),
        slot=slot,
        parameters=Parameters(pace_first_percent=draw(st.integers(0, 100)), pace_full_day=draw(st.integers(1, 28))),
        quota=Quota(rate=Decimal("4.5"), fte=Decimal(2), taken=draw(st.integers(0, 8))),
        candidate=draw(st.none() | st.just(candidate)),
        restrictions=tuple(draw(st.lists(restrictions(now), max_size=3))),
    )
