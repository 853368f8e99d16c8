"""Each rule by example: what it allows, what it refuses, for which purpose, and the remedy it names."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from rule_snapshots import codes, snapshots

from resapermis_places.days import month_of
from resapermis_places.table import zone_of
from resapermis_rules.verdict import Verdict
from resapermis_scheduling_rules.domain.availability import (
    Conflict,
    LineAvailability,
    OccupationCause,
    ResourceKind,
    Trainer,
    Vehicle,
)
from resapermis_scheduling_rules.domain.parameters import Parameters
from resapermis_scheduling_rules.domain.quota import Quota
from resapermis_scheduling_rules.domain.restrictions import Restriction
from resapermis_scheduling_rules.domain.slots import Centre, School, Slot, Status
from resapermis_scheduling_rules.domain.snapshot import Action, Candidate, EvaluationSnapshot, Purpose
from resapermis_scheduling_rules.evaluation import judge
from resapermis_scheduling_rules.rules.availability import available
from resapermis_scheduling_rules.rules.basket import replacements
from resapermis_scheduling_rules.rules.candidate import mandate, named, one_active
from resapermis_scheduling_rules.rules.category import category
from resapermis_scheduling_rules.rules.eligibility import OURS, REMEDIES, eligibility
from resapermis_scheduling_rules.rules.penalty import penalty
from resapermis_scheduling_rules.rules.slot import notice, past, published
from resapermis_scheduling_rules.rules.territory import licensed, territory
from resapermis_scheduling_rules.rules.threshold import api_pace, threshold

STARTS = datetime(2026, 12, 9, 8, 0, tzinfo=UTC)
NOW = STARTS - timedelta(days=10)
SECOND = timedelta(seconds=1)
CHANGES = [Purpose.REPLACE, Purpose.SWAP, Purpose.CANCEL]
SEEN_REFUSALS = [
    "CANDIDAT_INCONNU",
    "EMAIL_DEJA_ATTRIBUE",
    "EMAIL_MANQUANT",
    "CANDIDAT_SANS_DEMANDE_ACTIVE",
    "CANDIDAT_DEJA_SOUS_MANDAT",
    "CANDIDAT_DEJA_SOUS_MON_MANDAT",
    "CRENEAU_INCONNU",
    "CRENEAU_NON_DISPONIBLE",
    "CRENEAU_DEJA_RESERVE",
    "CRENEAU_NON_RESERVABLE_SEUIL_ATTEINT",
    "CRENEAU_NON_RESERVABLE_PLAFOND_ATTEINT",
    "CRENEAU_DE_GROUPE_DIFFERENT",
    "CRENEAU_PAS_DANS_LE_PANIER",
    "PANIER_PLEIN",
    "PANIER_INCONNU",
    "ACTION_INTERDITE",
    "EMPLOYE_AUTO_ECOLE_INEXISTANT",
    "EMPLOYE_N_APPARTIENT_PAS_A_AUTO_ECOLE",
    "AUTO_ECOLE_NA_AUCUNE_DECLARATION",
    "PARAMETRE_INVALIDE",
    "CENTRE_INCONNU",
    "CANDIDAT_DEJA_DANS_PANIER",
    "CANDIDAT_SOUS_PENALITE",
    "CANDIDAT_DEJA_INSCRIT",
    "CANDIDAT_PAS_SOUS_MANDAT",
    "CANDIDAT_EN_ATTENTE_DE_RESULTAT",
    "CANDIDAT_AYANT_DEJA_OBTENU_SON_EXAMEN",
    "EXAMEN_INCONNU",
    "EXAMEN_DEJA_ANNULE",
    "EXAMEN_NON_MODIFIABLE",
    "EXAMEN_NON_NOMINATIF",
    "PERMUTATION_IMPOSSIBLE",
    "NOMBRE_DE_REMPLACEMENTS_AUTORISES_ATTEINT",
]
"""Every refusal of RdvPermis that was seen in public."""


def candidate(**changes: Any) -> Candidate:
    given: dict[str, Any] = {
        "mandate_active": True,
        "mandate_category": "B",
        "mandate_gearbox": "manual",
        "busy": False,
    }
    return Candidate("candidate", **(given | changes))


def snapshot(purpose: Purpose = Purpose.HOLD, **changes: Any) -> EvaluationSnapshot:
    """A snapshot that every rule allows."""
    published = STARTS - timedelta(days=20)
    ends = STARTS + timedelta(minutes=32)
    centre = Centre("c1", "C", "91")
    slot = Slot("slot", centre, STARTS, ends, "B", "CIRCULATION", published, Status.FREE, published)
    good = EvaluationSnapshot(
        NOW,
        purpose,
        School("school", "91"),
        slot,
        Parameters(),
        Quota(rate=Decimal("4.5"), fte=Decimal(4)),
        candidate=candidate(),
    )
    return replace(good, **changes)


def of_slot(one: EvaluationSnapshot, **changes: Any) -> EvaluationSnapshot:
    return replace(one, slot=replace(one.slot, **changes))


def restriction(reason: str = "absence", days: float | None = 10, **changes: Any) -> Restriction:
    until = None if days is None else NOW + timedelta(days=days)
    return replace(Restriction("restriction", reason, NOW - timedelta(days=3), until), **changes)


@pytest.mark.parametrize("purpose", Purpose)
def test_what_nothing_speaks_against_is_allowed_for_every_purpose(purpose: Purpose) -> None:
    assert judge.line(snapshot(purpose)).allowed


# --- purposes -------------------------------------------------------------------------------------------------------


@pytest.mark.req("R-12", "R-13")
@pytest.mark.parametrize("purpose", Purpose)
def test_what_has_begun_is_frozen_for_every_purpose_whatever_rdvpermis_says(purpose: Purpose) -> None:
    begun = snapshot(purpose, now=STARTS, changeable=True)
    assert not past(begun).allowed
    assert past(replace(begun, now=STARTS - SECOND)).allowed


@pytest.mark.req("R-13")
@pytest.mark.parametrize("purpose", CHANGES)
def test_rdvpermis_word_on_changing_wins_over_the_notice(purpose: Purpose) -> None:
    late = snapshot(purpose, parameters=Parameters(notice_seconds=86_400), now=STARTS - timedelta(hours=1))
    assert notice(replace(late, changeable=True)).allowed
    fixed = notice(replace(late, changeable=False, now=NOW))
    assert (fixed.allowed, fixed.remedy) == (False, "see_rdvpermis")
    assert notice(late).allowed == (purpose is Purpose.CANCEL)


@pytest.mark.req("R-09", "R-13")
@pytest.mark.parametrize("purpose", CHANGES)
def test_a_change_takes_nothing_so_territory_threshold_and_pace_let_it_pass(purpose: Purpose) -> None:
    full = Quota(rate=Decimal("4.5"), fte=Decimal(1), taken=4)
    late = snapshot(purpose, school=School("school", "33"), quota=full, now=STARTS - timedelta(days=9))
    late = of_slot(late, status=Status.TAKEN, holder="school", published_at=STARTS - timedelta(days=9))
    assert [rule(late).allowed for rule in (territory, threshold, api_pace, published)] == [True] * 4


@pytest.mark.req("R-13")
def test_who_leaves_a_booking_needs_no_mandate_no_licence_and_no_free_hour() -> None:
    conflict = Conflict(ResourceKind.CANDIDATE, OccupationCause.BOOKING, "line", STARTS, STARTS)
    ill = snapshot(
        Purpose.CANCEL,
        candidate=candidate(mandate_active=False, mandate_category="A", busy=True),
        school=School("school", "91", licensed_until=NOW),
        situation=LineAvailability((conflict,)),
        restrictions=(restriction(),),
    )
    assert judge.line(of_slot(ill, status=Status.WITHDRAWN)).allowed


@pytest.mark.req("R-04", "R-13")
@pytest.mark.parametrize("purpose", [Purpose.VALIDATE, Purpose.REPLACE, Purpose.SWAP])
def test_every_other_change_names_a_candidate_under_mandate_who_is_free(purpose: Purpose) -> None:
    assert named(snapshot(purpose, candidate=None)).remedy == "name_candidate"
    assert mandate(snapshot(purpose, candidate=candidate(mandate_active=False))).remedy == "ask_mandate"
    assert not one_active(snapshot(purpose, candidate=candidate(busy=True))).allowed


# --- R-REPLACE ------------------------------------------------------------------------------------------------------


@pytest.mark.req("R-13")
@pytest.mark.parametrize(
    ("left", "per_month", "parameter", "allowed"),
    [(1, 5, 5, True), (0, 5, 5, False), (None, None, 5, True), (3, 10, 5, False), (3, 4, 5, True), (2, None, 0, False)],
)
def test_the_allowance_is_rdvpermis_own_and_ours_where_lower(
    left: int | None, per_month: int | None, parameter: int, *, allowed: bool
) -> None:
    verdict = replacements(Action(Purpose.REPLACE, 1, 0, Parameters(replacements=parameter), left, per_month))
    assert verdict.allowed == allowed
    assert verdict.remedy == ("" if allowed else "cancel_or_swap")
    assert replacements(Action(Purpose.HOLD, 1, 0, Parameters(), 0, 0)).allowed


# --- R-CATEGORY -----------------------------------------------------------------------------------------------------


def with_vehicle(gearbox: str = "manual", *categories: str) -> dict[str, Any]:
    vehicle = Vehicle("vehicle", gearbox, categories or ("B",))
    return {"vehicle_id": "vehicle", "situation": LineAvailability(vehicle=vehicle)}


@pytest.mark.req("R-29")
@pytest.mark.parametrize(
    ("changes", "field", "remedy"),
    [
        ({"candidate": candidate(mandate_category="A")}, "category", "choose_another_slot"),
        ({"parameters": Parameters(plateau=1)}, "kind", "pass_plateau_first"),
        ({"vehicle_id": "vehicle"}, "vehicle", "choose_another_vehicle"),
        (with_vehicle("manual", "CE"), "vehicle_category", "choose_another_vehicle"),
        (with_vehicle("automatic"), "gearbox", "choose_another_vehicle"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_field_named(changes: dict[str, Any], field: str, remedy: str) -> None:
    verdict = category(snapshot(**changes))
    assert not verdict.allowed
    assert (verdict.facts["field"], verdict.remedy) == (field, remedy)


@pytest.mark.req("R-29")
def test_the_circulation_test_comes_after_a_passed_plateau_or_on_rdvpermis_word() -> None:
    first = snapshot(parameters=Parameters(plateau=1))
    assert category(of_slot(first, kind="PLATEAU")).allowed
    assert category(replace(first, passed_kinds=("PLATEAU",))).allowed
    elsewhere = candidate(eligible=True, eligible_seen_at=NOW)
    assert category(replace(first, candidate=elsewhere)).allowed
    stale = candidate(eligible=True, eligible_seen_at=NOW - timedelta(seconds=900))
    assert not category(replace(first, candidate=stale)).allowed
    assert category(replace(first, candidate=None)).allowed


@pytest.mark.req("R-29")
def test_a_vehicle_that_fits_is_allowed_and_every_field_that_does_not_is_named() -> None:
    assert category(snapshot(**with_vehicle())).allowed
    both = category(snapshot(**with_vehicle("automatic", "CE")))
    assert both.facts["fields"] == "vehicle_category,gearbox"


# --- R-LICENSED -----------------------------------------------------------------------------------------------------


def accompanied(until: datetime | None, **changes: Any) -> EvaluationSnapshot:
    trainer = Trainer("trainer", authorised_until=until)
    return snapshot(trainer_id="trainer", situation=LineAvailability(trainer=trainer), **changes)


@pytest.mark.req("R-28")
def test_the_accompanying_trainer_is_authorised_at_the_exam() -> None:
    assert licensed(accompanied(None)).allowed
    assert licensed(accompanied(STARTS + SECOND)).allowed
    lapsed = licensed(accompanied(STARTS))
    assert (lapsed.allowed, lapsed.facts["whose"], lapsed.remedy) == (False, "trainer", "choose_another_trainer")
    stranger = licensed(snapshot(trainer_id="somebody"))
    assert (stranger.allowed, stranger.facts["trainer"]) == (False, "unknown")
    assert licensed(snapshot()).allowed


@pytest.mark.req("R-28")
def test_a_lapsed_school_licence_is_named_before_the_trainer() -> None:
    verdict = licensed(accompanied(STARTS, school=School("school", "91", licensed_until=NOW)))
    assert (verdict.facts["whose"], verdict.remedy) == ("school", "renew_licence")


@pytest.mark.parametrize(
    ("changes", "accompanies"),
    [
        ({}, True),
        ({"active_from": STARTS}, True),
        ({"active_from": STARTS + SECOND}, False),
        ({"active_until": STARTS}, False),
        ({"active_until": STARTS + SECOND}, True),
        ({"categories": ("A",)}, False),
        ({"categories": ("A", "B")}, True),
    ],
)
def test_a_trainer_accompanies_while_active_and_in_what_they_teach(
    changes: dict[str, Any], *, accompanies: bool
) -> None:
    assert Trainer("trainer", **changes).accompanies(snapshot().slot) == accompanies


# --- R-PENALTY ------------------------------------------------------------------------------------------------------


@pytest.mark.req("R-21")
def test_a_restriction_refuses_until_it_ends_and_says_when() -> None:
    verdict = penalty(snapshot(restrictions=(restriction(days=10), restriction("failure", days=4))))
    assert (verdict.allowed, verdict.opens_at, verdict.remedy) == (False, NOW + timedelta(days=10), "wait")
    assert verdict.facts["restrictions"] == "absence,failure"
    assert verdict.facts["fromRdvpermis"] == "false"


@pytest.mark.req("R-21")
def test_who_passed_waits_for_nothing_but_another_candidate_is_needed() -> None:
    verdict = penalty(snapshot(restrictions=(restriction("passed", days=None), restriction(days=10))))
    assert (verdict.allowed, verdict.opens_at, verdict.remedy) == (False, None, "choose_another_candidate")
    assert penalty(snapshot(restrictions=(restriction("passed", days=None, kind="PLATEAU"),))).allowed


@pytest.mark.req("R-21")
def test_a_waived_restriction_restricts_no_more_but_rdvpermis_own_stands() -> None:
    assert penalty(snapshot(restrictions=(restriction(waived=True),))).allowed
    assert not penalty(snapshot(restrictions=(restriction(waived=True, from_rdvpermis=True),))).allowed


@pytest.mark.req("R-21")
def test_rdvpermis_fresh_word_goes_before_restrictions_and_before_nothing_else() -> None:
    welcome = candidate(eligible=True, eligible_seen_at=NOW - timedelta(seconds=899), mandate_active=False)
    full = Quota(rate=Decimal("4.5"), fte=Decimal(1), taken=4)
    asked = snapshot(restrictions=(restriction(),), candidate=welcome, quota=full)
    assert penalty(asked).allowed
    assert penalty(asked).facts["rdvpermis"] == "eligible"
    assert not threshold(asked).allowed
    assert not mandate(asked).allowed
    assert not penalty(replace(asked, now=NOW + timedelta(seconds=1))).allowed


@pytest.mark.req("R-10")
@pytest.mark.parametrize(
    ("fte", "theirs", "remedy"),
    [
        (None, None, "declare_trainers"),
        (None, 0, "declare_trainers"),
        (Decimal(0), 0, "declare_trainers"),
        (Decimal(3), 0, "choose_another_month"),
        (None, 1, "choose_another_month"),
    ],
)
def test_a_threshold_that_counts_nobody_waits_for_trainers_not_for_another_month(
    fte: Decimal | None, theirs: int | None, remedy: str
) -> None:
    nobody = Quota(rate=Decimal("4.5"), fte=fte, taken=1, rdvpermis_limit=theirs)
    refused = threshold(snapshot(quota=nobody))
    assert (refused.allowed, refused.remedy) == (False, remedy)


@pytest.mark.req("R-21")
def test_when_the_fresh_word_goes_stale_before_the_slot_opens_the_restriction_counts_for_the_opening() -> None:
    welcome = candidate(eligible=True, eligible_seen_at=NOW)
    far = snapshot(restrictions=(restriction(days=9),), candidate=welcome, school=School("school", "33"))
    published_late = of_slot(far, published_at=NOW - timedelta(hours=1))
    assert judge.explained(published_late).opens_at == NOW + timedelta(days=9)


@pytest.mark.req("R-13", "R-21")
def test_a_cancellation_shows_what_follows_from_it() -> None:
    paris = ZoneInfo("Europe/Paris")
    late = penalty(snapshot(Purpose.CANCEL, now=datetime(2026, 12, 3, 0, 0, tzinfo=paris)))
    assert (late.allowed, late.facts["late"], late.facts["restrictedDays"]) == (True, "true", "30")
    assert late.facts["restrictedUntil"] == "2027-01-01T23:00:00Z"
    early = penalty(snapshot(Purpose.CANCEL, now=datetime(2026, 12, 2, 23, 59, 59, tzinfo=paris)))
    assert (early.allowed, early.facts["late"], early.facts["restrictedDays"]) == (True, "false", "0")
    assert early.facts["freeUntil"] == late.facts["freeUntil"] == "2026-12-02T23:00:00Z"


# --- R-AVAILABLE, R-RDVPERMIS ---------------------------------------------------------------------------------------


@pytest.mark.req("R-17")
@pytest.mark.parametrize(
    ("whose", "remedy"),
    [
        (ResourceKind.CANDIDATE, "choose_another_slot"),
        (ResourceKind.TRAINER, "choose_another_trainer"),
        (ResourceKind.VEHICLE, "choose_another_vehicle"),
        (ResourceKind.SCHOOL, "choose_another_slot"),
    ],
)
def test_a_conflict_is_named_with_whose_it_is(whose: ResourceKind, remedy: str) -> None:
    conflict = Conflict(whose, OccupationCause.UNAVAILABLE, "u1", STARTS, STARTS + timedelta(hours=1), 20)
    verdict = available(snapshot(situation=LineAvailability((conflict,))))
    assert not verdict.allowed
    assert (verdict.facts["whose"], verdict.facts["id"], verdict.remedy) == (whose, "u1", remedy)


@pytest.mark.parametrize("code", SEEN_REFUSALS)
def test_every_refusal_of_rdvpermis_has_a_remedy(code: str) -> None:
    refused = candidate(eligible=False, eligibility_code=code, eligible_seen_at=NOW)
    verdict = eligibility(snapshot(candidate=refused))
    assert (verdict.allowed, verdict.facts["code"], verdict.remedy) == (False, code, REMEDIES[code])


def test_the_remedies_cover_what_was_seen_and_nothing_was_invented() -> None:
    assert set(REMEDIES) == set(SEEN_REFUSALS)


def test_a_word_that_nobody_knows_is_shown_as_such_and_ours_is_understood() -> None:
    refused = candidate(eligible=False, eligibility_code="UN_MOT_NOUVEAU", eligible_seen_at=NOW)
    assert eligibility(snapshot(candidate=refused)).remedy == "see_rdvpermis"
    for code, remedy in OURS.items():
        refused = candidate(eligible=False, eligibility_code=f"CODE_{code}", eligible_seen_at=NOW)
        assert eligibility(snapshot(candidate=refused)).remedy == remedy


def test_an_old_word_decides_nothing() -> None:
    refused = candidate(eligible=False, eligibility_code="CANDIDAT_SOUS_PENALITE", eligible_seen_at=NOW)
    assert not eligibility(snapshot(candidate=refused, now=NOW + timedelta(seconds=899))).allowed
    later = eligibility(snapshot(candidate=refused, now=NOW + timedelta(seconds=900)))
    assert (later.allowed, later.facts["eligible"]) == (True, "unknown")


@given(snapshots(), codes)
def test_a_fresh_no_refuses_whatever_else_is_allowed(any_snapshot: EvaluationSnapshot, code: str) -> None:
    if any_snapshot.purpose is Purpose.CANCEL:
        return
    refused = candidate(eligible=False, eligibility_code=code, eligible_seen_at=any_snapshot.now)
    fresh = replace(
        any_snapshot, candidate=refused, parameters=replace(any_snapshot.parameters, eligibility_fresh_seconds=60)
    )
    assert "R-RDVPERMIS" in {verdict.rule for verdict in judge.line(fresh).verdicts if not verdict.allowed}


# --- clocks and zones -----------------------------------------------------------------------------------------------

Rule = Callable[[EvaluationSnapshot], Verdict]


def in_zone(department: str, *local: int) -> datetime:
    return datetime(*local, tzinfo=ZoneInfo(zone_of(department))).astimezone(UTC)  # type: ignore[misc,arg-type]


@pytest.mark.req("R-09")
@pytest.mark.parametrize(
    ("published", "opens"),
    [
        ((2026, 10, 24, 15, 0), (2026, 10, 26, 14, 0)),  # an hour is lived twice on the 25th
        ((2027, 3, 27, 15, 0), (2027, 3, 29, 16, 0)),  # an hour is missing on the 28th
    ],
)
def test_territory_ends_after_48_real_hours_over_both_changes_of_clocks(
    published: tuple[int, ...], opens: tuple[int, ...]
) -> None:
    at = in_zone("91", *published)
    far = snapshot(now=at, school=School("school", "33"))
    verdict = territory(of_slot(far, published_at=at, starts_at=at + timedelta(days=20)))
    assert verdict.opens_at == in_zone("91", *opens) == at + timedelta(hours=48)


@pytest.mark.req("R-10")
@pytest.mark.parametrize("department", ["91", "971", "972", "973", "974", "975", "976"])
@pytest.mark.parametrize("month", ["2026-10", "2027-03"])
def test_the_pace_rises_at_local_midnight_in_the_months_whose_clocks_change(department: str, month: str) -> None:
    year, number = (int(part) for part in month.split("-"))
    starts = in_zone(department, year, number, 30, 9, 0)
    quota = Quota(rate=Decimal(10), fte=Decimal(1), taken=6)
    one = snapshot(now=in_zone(department, year, number, 1, 0, 0), quota=quota)
    one = replace(one, parameters=Parameters(pace_full_day=28))
    one = replace(one, slot=replace(one.slot, starts_at=starts, centre=Centre("c", "C", department)))
    opens = api_pace(one).opens_at
    assert opens is not None
    local = opens.astimezone(ZoneInfo(zone_of(department)))
    assert (local.hour, local.minute) == (0, 0)
    assert api_pace(replace(one, now=opens)).allowed
    assert not api_pace(replace(one, now=opens - SECOND)).allowed


@pytest.mark.req("R-10")
@pytest.mark.parametrize("department", ["91", "971", "974", "975"])
def test_a_slot_of_the_last_evening_counts_for_its_own_month_everywhere(department: str) -> None:
    for year, number, last in ((2026, 10, 31), (2027, 3, 31)):
        starts = in_zone(department, year, number, last, 23, 30)
        slot = replace(snapshot().slot, starts_at=starts, centre=Centre("c", "C", department))
        assert slot.month == month_of(date(year, number, last))
