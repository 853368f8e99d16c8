"""Events become notices: each in French and English, of allowed words, never of a person."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resapermis.basket.v1.basket_pb2 import LineState, Result
from resapermis.basket.v1.events_pb2 import ComplianceDrifted, GroupExpiring, LineChanged, ResultFound
from resapermis.iam.v1.events_pb2 import GrantEnded, GrantEnding
from resapermis.mandate.v1.events_pb2 import MandateChanged
from resapermis.mandate.v1.mandate_pb2 import MandateState
from resapermis.scheduling.v1.events_pb2 import (
    AuthorisationEnding,
    ConflictFound,
    RuleChanged,
    SearchMatched,
    ThresholdDiffers,
    ThresholdReached,
)
from resapermis_notification.domain import EVERYBODY, Notice
from resapermis_notification.mails import message
from resapermis_notification.notices import grants, lines, mandates, phrases, school, vocabulary

STARTS = datetime(2026, 12, 9, 7, 32, tzinfo=UTC)
NOTICED = {"HELD", "REFUSED", "EXPIRED", "WITHDRAWN", "REJECTED", "BOOKED", "CANCELLED", "REPLACED", "SWAPPED", "DONE"}
CODE = re.compile(r"\bR-[A-Z]|[A-Z]{2,}_[A-Z]|\d{4}-\d\d-\d\d")
"""What people are never shown: ids of rules, codes, raw dates."""
LEVELS = {"info", "success", "warning", "danger"}


def line(to: str, **more: Any) -> LineChanged:
    values: dict[str, Any] = {
        "line_id": "0198-line",
        "school_id": "school-1",
        "slot_id": "s1",
        "candidate_id": "0198-candidate",
        "centre_name": "Rosny-sous-Bois",
        "time_zone": "Europe/Paris",
        "category": "B",
        "department": "93",
        "account_id": "account-1",
    }
    event = LineChanged(**values | more, to=LineState.Value(f"LINE_STATE_{to}"))
    event.starts_at.FromDatetime(STARTS)
    event.ends_at.FromDatetime(STARTS.replace(hour=8, minute=4))
    event.expires_at.FromDatetime(datetime(2026, 11, 24, 13, 5, tzinfo=UTC))
    return event


def sound(notice: Notice) -> None:
    assert notice.text_fr
    assert notice.text_en
    assert "{" not in notice.text_fr + notice.text_en
    assert not CODE.search(notice.text_fr + notice.text_en)
    assert notice.level in LEVELS
    assert notice.topic in {"basket", "booking", "mandate", "slot", "grant"}
    assert notice.facts.keys() <= phrases.FACT_KEYS
    assert all(notice.facts.values())


@pytest.mark.req("N-03", "N-07")
@pytest.mark.parametrize("name", [name.removeprefix("LINE_STATE_") for name in LineState.keys()])  # noqa: SIM118 - protobuf's enum is no dict
def test_every_state_of_a_line_has_a_notice_or_is_known_to_need_none(name: str) -> None:
    assert LineState.Value(f"LINE_STATE_{name}") in lines.LINES
    notice = lines.line_changed(line(name))
    assert (notice is not None) == (name in NOTICED)
    if notice is not None:
        sound(notice)
        assert notice.candidate_id == "0198-candidate"
        assert notice.object_id == "0198-line"


@pytest.mark.req("N-03")
@pytest.mark.parametrize("name", [name.removeprefix("MANDATE_STATE_") for name in MandateState.keys()])  # noqa: SIM118 - as above
def test_every_state_of_a_mandate_but_draft_has_a_notice(name: str) -> None:
    assert MandateState.Value(f"MANDATE_STATE_{name}") in mandates.MANDATES
    notice = mandates.mandate_changed(
        MandateChanged(school_id="s", mandate_id="m", category="B", to=MandateState.Value(f"MANDATE_STATE_{name}"))
    )
    assert (notice is None) == (name in {"UNSPECIFIED", "DRAFT"})
    if notice is not None:
        sound(notice)


@pytest.mark.req("N-03")
def test_sentences_state_the_hour_of_the_centre() -> None:
    booked = lines.line_changed(line("BOOKED"))
    assert booked is not None
    expected = "Réservé : permis B, mercredi 9 décembre 2026 à 8 h 32, Rosny-sous-Bois. Le candidat est prévenu."
    assert booked.text_fr == expected
    assert "Wednesday 9 December 2026 at 08:32" in booked.text_en
    far = lines.line_changed(line("HELD", time_zone="Indian/Reunion"))
    assert far is not None
    assert "11 h 32" in far.text_fr
    assert "17 h 05 (heure du centre)" in far.text_fr
    near = lines.line_changed(line("HELD"))
    assert near is not None
    assert "14 h 05 (heure de Paris)" in near.text_fr


@pytest.mark.req("N-03")
def test_a_basket_that_is_gone_at_rdvpermis_is_no_withdrawn_slot_and_no_hold_that_ran_out() -> None:
    gone, late, withdrawn = (
        lines.line_changed(line(to, reason=reason))
        for to, reason in (
            ("EXPIRED", "RDVPERMIS_BASKET_GONE"),
            ("EXPIRED", "HOLD_EXPIRED"),
            ("WITHDRAWN", "RDVPERMIS_SLOT_GONE"),
        )
    )
    assert gone is not None
    assert late is not None
    assert withdrawn is not None
    sound(gone)
    assert (gone.kind, gone.mail_school) == ("basket.gone", True)
    assert gone.text_fr.startswith("Votre panier a disparu chez RdvPermis, créneau rendu : permis B")
    assert len({gone.text_en, late.text_en, withdrawn.text_en}) == 3


@pytest.mark.req("N-03")
def test_a_refusal_states_why_and_a_cancellation_by_whom() -> None:
    refused = lines.line_changed(line("REFUSED", reason="SLOT_TAKEN"))
    assert refused is not None
    assert "vient d'être pris" in refused.text_fr
    ours = lines.line_changed(line("CANCELLED"))
    assert ours is not None
    assert ours.text_fr.startswith("Annulé par votre école : permis B")
    by_hand = lines.line_changed(line("CANCELLED", account_id="", found_elsewhere=True))
    assert by_hand is not None
    assert by_hand.text_fr.startswith("Annulé chez RdvPermis : permis B")
    assert by_hand.facts["by"] == "rdvpermis"
    unknown = lines.line_changed(line("CANCELLED", account_id=""))
    assert unknown is not None
    assert unknown.text_fr.startswith("Annulé : permis B")  # nobody is blamed where nobody is known
    mandate = mandates.mandate_changed(
        MandateChanged(to=MandateState.MANDATE_STATE_REFUSED, rdvpermis_code="CANDIDAT_INCONNU", school_id="s")
    )
    assert mandate is not None
    assert "NEPH" in mandate.text_fr


@pytest.mark.req("N-03")
def test_a_change_within_a_state_has_no_notice_and_a_failed_validation_has() -> None:
    within = line("BOOKED")
    setattr(within, "from", LineState.LINE_STATE_BOOKED)
    assert lines.line_changed(within) is None
    back = line("HELD", reason="RDVPERMIS_DOWN")
    setattr(back, "from", LineState.LINE_STATE_CONFIRMING)
    notice = lines.line_changed(back)
    assert notice is not None
    assert notice.kind == "basket.not_validated"


@pytest.mark.req("N-03")
def test_baskets_and_thresholds_have_notices() -> None:
    expiring = GroupExpiring(group_id="g1", school_id="s")
    expiring.expires_at.FromDatetime(STARTS)
    notice = lines.group_expiring(expiring)
    sound(notice)
    assert notice.text_fr == "Votre panier expire à 8 h 32 (heure de Paris). Validez ou rendez les créneaux."
    near = ThresholdReached(school_id="s", department="94", month="2026-12", category="B", taken=8, limit=10)
    sound(school.threshold_reached(near))
    assert school.threshold_reached(near).kind == "threshold.near"
    near.taken = 10
    assert "Seuil de décembre 2026 atteint : 10 sur 10" in school.threshold_reached(near).text_fr


@pytest.mark.req("N-03")
@pytest.mark.parametrize(
    ("month", "spoken"),
    [("2026-10", "Seuil d'octobre 2026"), ("2026-08", "Seuil d'août 2026"), ("2026-11", "Seuil de novembre 2026")],
)
def test_a_month_is_joined_as_it_is_spoken(month: str, spoken: str) -> None:
    near = ThresholdReached(school_id="s", department="94", month=month, category="B", taken=8, limit=10)
    differs = ThresholdDiffers(school_id="s", department="94", month=month, category="B", ours=12, theirs=11)
    assert school.threshold_reached(near).text_fr.startswith(spoken)
    assert school.threshold_differs(differs).text_fr.startswith(spoken)


def test_a_full_hour_has_no_minutes_in_french() -> None:
    assert vocabulary.hour_fr(datetime(2026, 12, 2, 14, tzinfo=UTC), vocabulary.PARIS_ZONE) == "15 h"


@pytest.mark.req("R-31", "N-03")
def test_what_was_booked_by_hand_is_announced_as_found_at_rdvpermis() -> None:
    found = lines.line_changed(line("BOOKED", account_id="", found_elsewhere=True))
    assert found is not None
    sound(found)
    assert (found.kind, found.mail_school, found.mail_candidate) == ("booking.found", True, True)
    assert found.text_fr.startswith("Réservé chez RdvPermis, hors de ResaPermis : permis B, mercredi 9 décembre")
    for state in ("REPLACED", "SWAPPED"):
        notice = lines.line_changed(line(state, account_id="", found_elsewhere=True))
        assert notice is not None
        assert " chez RdvPermis : " in notice.text_fr
        assert " at RdvPermis: " in notice.text_en


def result(outcome: str, **more: Any) -> ResultFound:
    event = ResultFound(line_id="0198-line", school_id="s", candidate_id="c1", category="B", **more)
    event.time_zone, event.centre_name = "Europe/Paris", "Rosny"
    event.result.outcome = Result.Outcome.Value(f"OUTCOME_{outcome}")
    event.starts_at.FromDatetime(STARTS)
    return event


@pytest.mark.req("R-22", "N-03")
@pytest.mark.parametrize(("outcome", "word"), [("PASSED", "réussi"), ("FAILED", "échoué"), ("ABSENT", "absence")])
def test_the_notice_of_a_result_states_how_it_went(outcome: str, word: str) -> None:
    notice = lines.result_found(result(outcome))
    assert notice is not None
    sound(notice)
    assert notice.text_fr == (f"Résultat publié : {word}. Permis B, mercredi 9 décembre 2026 à 8 h 32, Rosny.")
    assert (notice.facts["outcome"], notice.mail_candidate, notice.mail_school) == (outcome.lower(), True, False)


def test_an_unspecified_result_has_no_notice() -> None:
    assert lines.result_found(result("UNSPECIFIED")) is None


def _sent(event: Any, field: str) -> Any:
    getattr(event, field).FromDatetime(STARTS)
    return event


@pytest.mark.req("N-03", "R-24")
def test_a_change_of_a_rule_is_for_everybody_and_states_what_from_when() -> None:
    event = RuleChanged(parameter_id="p1", name="threshold_rate", old_value="4.5", new_value="5", department="94")
    notice = school.rule_changed(_sent(event, "valid_from"))
    sound(notice)
    assert notice.school_id == EVERYBODY
    assert notice.text_fr == (
        "Règle modifiée le mercredi 9 décembre 2026 à 8 h 32 (heure de Paris) : "
        "créneaux par formateur et par mois, département 94, 4,5 → 5."
    )
    assert not notice.mail_school
    sound(school.rule_changed(RuleChanged(name="unknown_parameter", new_value="1")))


@pytest.mark.req("R-20", "D-03")
def test_a_matched_search_is_one_accounts_and_its_label_stays_away() -> None:
    event = SearchMatched(search_id="f1", school_id="s", account_id="a1", label="Pour Léa Martin", slots=3)
    event.category, event.department, event.time_zone = "B", "94", "Europe/Paris"
    notice = school.search_matched(_sent(event, "first_starts_at"))
    assert notice is not None
    sound(notice)
    assert (notice.account_id, notice.mail_school, notice.object_id) == ("a1", False, "f1")
    assert notice.text_fr == (
        "Votre recherche a trouvé 3 créneaux (permis B), le premier le mercredi 9 décembre 2026 à 8 h 32. "
        "Rien n'est retenu sans vous."
    )
    assert "Léa" not in str(notice)
    assert school.search_matched(SearchMatched(search_id="f1", school_id="s", slots=1)) is None


@pytest.mark.req("R-28")
@pytest.mark.parametrize(("hours", "kind", "level"), [(-1, "ending", "warning"), (1, "ended", "danger")])
def test_an_authorisation_that_ends_is_warned_of_and_one_that_ended_is_announced(
    hours: int, kind: str, level: str
) -> None:
    for what, trainer in (("licence", ""), ("trainer", "u-1")):
        event = _sent(AuthorisationEnding(school_id="s", what=what, trainer_id=trainer), "ends_at")
        notice = school.authorisation_ending(event, STARTS + timedelta(hours=hours))
        sound(notice)
        assert (notice.kind, notice.level, notice.managers_only) == (f"authorisation.{kind}", level, True)
        assert notice.object_id == trainer
        assert ("Renouvelez-la" in notice.text_fr) == (what == "trainer")


@pytest.mark.req("R-17")
@pytest.mark.parametrize("whose", ["candidate", "trainer", "vehicle", "school", "something new"])
def test_a_conflict_states_whose_and_which_booking(whose: str) -> None:
    event = _sent(ConflictFound(school_id="s", line_id="l1", whose=whose, time_zone="Europe/Paris"), "starts_at")
    notice = lines.conflict_found(event)
    sound(notice)
    assert notice.text_fr.endswith("mercredi 9 décembre 2026 à 8 h 32. Permutez, remplacez ou annulez.")
    assert notice.facts.get("whose", "") == (whose if " " not in whose else "")


@pytest.mark.req("R-23", "R-10")
def test_a_drift_names_the_rules_and_a_difference_both_figures() -> None:
    drift = lines.compliance_drifted(ComplianceDrifted(line_id="l1", school_id="s", rules=["R-GROUP", "R-NOTICE"]))
    sound(drift)
    assert (drift.facts["rules"], drift.level) == ("R-GROUP|R-NOTICE", "danger")
    assert drift.text_fr.startswith(
        "Une réservation ne respecte pas les règles en vigueur ce jour-là : taille d'une demande, délai avant l'examen."
    )
    event = ThresholdDiffers(school_id="s", department="94", month="2026-12", category="B", ours=12, theirs=11)
    differs = school.threshold_differs(event)
    sound(differs)
    assert "12 selon vos heures, 11 chez RdvPermis" in differs.text_fr
    assert differs.managers_only


@pytest.mark.req("S-24", "N-03")
@pytest.mark.parametrize(
    "reason", ["withdrawn", "run_out", "refused", "lost", "other_school", "no_right", "other_provider", "Zoé, tomorrow"]
)
def test_when_the_last_grant_ends_managers_are_told_what_waits_and_why(reason: str) -> None:
    event = GrantEnded(grant_id="g1", account_id="a1", school_id="s", reason=reason, left=0)
    notice = grants.grant_ended(event)
    assert notice is not None
    sound(notice)
    assert (notice.kind, notice.school_id, notice.account_id) == ("grant.none_left", "s", "")
    assert (notice.managers_only, notice.mail_school) == (True, True)
    assert "les résultats, les mandats et les recherches gardées restent en attente" in notice.text_fr
    assert (" a pris fin : " in notice.text_fr, " has ended: " in notice.text_en) == ((reason[:3] != "Zoé"),) * 2
    assert notice.facts.get("reason", "") == ("" if reason[:3] == "Zoé" else reason)
    assert "Zoé" not in str(notice)


@pytest.mark.req("S-24", "N-03")
def test_while_others_stand_only_who_did_not_end_it_by_themselves_is_told() -> None:
    for reason in ("run_out", "refused", "lost", "no_right", "other_provider"):
        notice = grants.grant_ended(GrantEnded(grant_id="g1", account_id="a1", school_id="s", reason=reason, left=1))
        assert notice is not None
        sound(notice)
        assert (notice.kind, notice.account_id, notice.mail_school) == ("grant.ended", "a1", False)
    for reason, account in (("withdrawn", "a1"), ("other_school", "a1"), ("lost", "")):
        assert grants.grant_ended(GrantEnded(account_id=account, school_id="s", reason=reason, left=2)) is None


@pytest.mark.req("S-24", "N-03")
def test_who_gave_a_grant_is_reminded_of_its_last_day() -> None:
    notice = grants.grant_ending(_sent(GrantEnding(grant_id="g1", account_id="a1", school_id="s"), "ends_at"))
    assert notice is not None
    sound(notice)
    assert (notice.kind, notice.account_id, notice.object_id) == ("grant.ending", "a1", "g1")
    assert "prend fin le mercredi 9 décembre 2026. Renouvelez-la" in notice.text_fr
    assert "ends on Wednesday 9 December 2026. Renew" in notice.text_en
    assert grants.grant_ending(GrantEnding(account_id="a1", school_id="s")) is None
    assert grants.grant_ending(_sent(GrantEnding(school_id="s"), "ends_at")) is None


@pytest.mark.req("N-07")
def test_every_notice_that_is_mailed_has_its_own_subject() -> None:
    found = [
        lines.line_changed(line("BOOKED", found_elsewhere=True)),
        lines.result_found(result("PASSED")),
        lines.conflict_found(ConflictFound()),
        lines.compliance_drifted(ComplianceDrifted()),
        school.search_matched(SearchMatched(account_id="a1")),
        school.authorisation_ending(_sent(AuthorisationEnding(), "ends_at"), STARTS),
        school.authorisation_ending(AuthorisationEnding(), STARTS),
        grants.grant_ended(GrantEnded()),
        grants.grant_ended(GrantEnded(account_id="a1", left=1)),
        grants.grant_ending(_sent(GrantEnding(account_id="a1"), "ends_at")),
    ]
    for notice in found:
        assert notice is not None
        if notice.mail_school or notice.account_id:
            assert notice.kind in message._SCHOOL_SUBJECTS
        if notice.mail_candidate:
            assert notice.kind in message._CANDIDATE_SUBJECTS
            assert notice.kind in message._CANDIDATE_TEXTS


def test_every_parameter_of_the_rules_has_a_name() -> None:
    text = (
        Path(__file__).parents[2] / "scheduling-rules/src/resapermis_scheduling_rules/domain/parameters.py"
    ).read_text()
    body = text.partition("class Parameters:")[2].partition("\n\n\n")[0]
    names = set(re.findall(r"^    ([a-z][a-z0-9_]*): ", body, re.MULTILINE))
    assert len(names) > 20
    assert names <= set(vocabulary.PARAMETERS)


@pytest.mark.req("N-07", "D-03")
@given(
    state=st.sampled_from(sorted(NOTICED)),
    text=st.text(max_size=60),
    code=st.text(max_size=30),
    stamp=st.integers(-(10**9), 10**10),
)
def test_what_is_no_id_and_no_code_never_reaches_a_notice(state: str, text: str, code: str, stamp: int) -> None:
    person = f"Zoé O'Brien {text}"
    event = line(state, slot_id=person, category=person, department=person, candidate_id=person, line_id=person)
    event.reason, event.time_zone = f"{code} Zoé", person
    event.starts_at.seconds = stamp
    notice = lines.line_changed(event)
    assert notice is not None
    sound(notice)
    assert "Zoé" not in f"{notice.facts}{notice.text_fr}{notice.text_en}{notice.candidate_id}{notice.object_id}"
    assert not notice.mail_candidate


@pytest.mark.req("N-06", "N-07")
@pytest.mark.parametrize("state", sorted(NOTICED))
def test_every_mail_has_its_own_subject_without_a_name(state: str) -> None:
    notice = lines.line_changed(line(state))
    assert notice is not None
    if notice.mail_school:
        assert notice.kind in message._SCHOOL_SUBJECTS
    if notice.mail_candidate:
        assert notice.kind in message._CANDIDATE_SUBJECTS
        assert notice.kind in message._CANDIDATE_TEXTS
    assert notice.mail_candidate == (state in {"BOOKED", "CANCELLED", "REPLACED", "SWAPPED"})
