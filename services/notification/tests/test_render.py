"""Facts become notices: each in French and English, of allowed words, never of a person."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resapermis.basket.v1.basket_pb2 import LineState
from resapermis.basket.v1.events_pb2 import GroupExpiring, LineChanged
from resapermis.mandate.v1.events_pb2 import MandateChanged
from resapermis.mandate.v1.mandate_pb2 import MandateState
from resapermis.scheduling.v1.events_pb2 import ThresholdReached
from resapermis_notification import mail, render
from resapermis_notification.render import Notice

STARTS = datetime(2026, 12, 9, 7, 32, tzinfo=UTC)
TOLD = {"HELD", "REFUSED", "EXPIRED", "WITHDRAWN", "REJECTED", "BOOKED", "CANCELLED", "REPLACED", "SWAPPED", "DONE"}
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
    assert notice.level in LEVELS
    assert notice.topic in {"basket", "booking", "mandate", "slot"}
    assert notice.facts.keys() <= render.FACT_WORDS
    assert all(notice.facts.values())


@pytest.mark.req("N-03", "N-07")
@pytest.mark.parametrize("name", [name.removeprefix("LINE_STATE_") for name in LineState.keys()])  # noqa: SIM118 - protobuf's enum is no dict
def test_every_state_of_a_line_is_told_or_known_to_need_no_telling(name: str) -> None:
    assert LineState.Value(f"LINE_STATE_{name}") in render._LINES
    notice = render.line_changed(line(name))
    assert (notice is not None) == (name in TOLD)
    if notice is not None:
        sound(notice)
        assert notice.candidate_id == "0198-candidate"
        assert notice.object_id == "0198-line"


@pytest.mark.req("N-03")
@pytest.mark.parametrize("name", [name.removeprefix("MANDATE_STATE_") for name in MandateState.keys()])  # noqa: SIM118 - as above
def test_every_state_of_a_mandate_is_told_but_drafts(name: str) -> None:
    assert MandateState.Value(f"MANDATE_STATE_{name}") in render._MANDATES
    notice = render.mandate_changed(
        MandateChanged(school_id="s", mandate_id="m", category="B", to=MandateState.Value(f"MANDATE_STATE_{name}"))
    )
    assert (notice is None) == (name in {"UNSPECIFIED", "DRAFT"})
    if notice is not None:
        sound(notice)


@pytest.mark.req("N-03")
def test_sentences_say_the_hour_of_the_centre() -> None:
    booked = render.line_changed(line("BOOKED"))
    assert booked is not None
    expected = "Réservé : permis B, mercredi 9 décembre 2026 à 8 h 32, Rosny-sous-Bois. Le candidat est prévenu."
    assert booked.text_fr == expected
    assert "Wednesday 9 December 2026 at 08:32" in booked.text_en
    far = render.line_changed(line("HELD", time_zone="Indian/Reunion"))
    assert far is not None
    assert "11 h 32" in far.text_fr
    assert "17 h 05 (heure du centre)" in far.text_fr
    near = render.line_changed(line("HELD"))
    assert near is not None
    assert "14 h 05 (heure de Paris)" in near.text_fr


@pytest.mark.req("N-03")
def test_a_refusal_says_why_and_a_cancellation_by_whom() -> None:
    refused = render.line_changed(line("REFUSED", reason="SLOT_TAKEN"))
    assert refused is not None
    assert "vient d'être pris" in refused.text_fr
    ours = render.line_changed(line("CANCELLED"))
    assert ours is not None
    assert ours.text_fr.startswith("Annulé par votre école : permis B")
    unknown = render.line_changed(line("CANCELLED", account_id=""))
    assert unknown is not None
    assert unknown.text_fr.startswith("Annulé : permis B")  # nobody is blamed where nobody is known
    mandate = render.mandate_changed(
        MandateChanged(to=MandateState.MANDATE_STATE_REFUSED, rdvpermis_code="CANDIDAT_INCONNU", school_id="s")
    )
    assert mandate is not None
    assert "NEPH" in mandate.text_fr


@pytest.mark.req("N-03")
def test_a_change_within_a_state_is_not_told_and_a_failed_validation_is() -> None:
    within = line("BOOKED")
    setattr(within, "from", LineState.LINE_STATE_BOOKED)
    assert render.line_changed(within) is None
    back = line("HELD", reason="RDVPERMIS_DOWN")
    setattr(back, "from", LineState.LINE_STATE_CONFIRMING)
    notice = render.line_changed(back)
    assert notice is not None
    assert notice.kind == "basket.not_validated"


@pytest.mark.req("N-03")
def test_baskets_and_thresholds_are_told() -> None:
    expiring = GroupExpiring(group_id="g1", school_id="s")
    expiring.expires_at.FromDatetime(STARTS)
    notice = render.group_expiring(expiring)
    sound(notice)
    assert notice.text_fr == "Votre panier expire à 8 h 32 (heure de Paris). Validez ou rendez les créneaux."
    near = ThresholdReached(school_id="s", department="94", month="2026-12", category="B", taken=8, limit=10)
    sound(render.threshold_reached(near))
    assert render.threshold_reached(near).kind == "threshold.near"
    near.taken = 10
    assert "décembre 2026 atteint : 10 / 10" in render.threshold_reached(near).text_fr


@pytest.mark.req("N-07", "D-03")
@given(
    state=st.sampled_from(sorted(TOLD)),
    text=st.text(max_size=60),
    code=st.text(max_size=30),
    stamp=st.integers(-(10**9), 10**10),
)
def test_what_is_no_id_and_no_code_never_reaches_a_notice(state: str, text: str, code: str, stamp: int) -> None:
    person = f"Zoé O'Brien {text}"
    event = line(state, slot_id=person, category=person, department=person, candidate_id=person, line_id=person)
    event.reason, event.time_zone = f"{code} Zoé", person
    event.starts_at.seconds = stamp
    notice = render.line_changed(event)
    assert notice is not None
    sound(notice)
    assert "Zoé" not in f"{notice.facts}{notice.text_fr}{notice.text_en}{notice.candidate_id}{notice.object_id}"
    assert not notice.mail_candidate


@pytest.mark.req("N-06", "N-07")
@pytest.mark.parametrize("state", sorted(TOLD))
def test_every_mail_has_its_own_subject_without_a_name(state: str) -> None:
    notice = render.line_changed(line(state))
    assert notice is not None
    if notice.mail_school:
        assert notice.kind in mail._SCHOOL_SUBJECTS
    if notice.mail_candidate:
        assert notice.kind in mail._CANDIDATE_SUBJECTS
        assert notice.kind in mail._CANDIDATE_TEXTS
    assert notice.mail_candidate == (state in {"BOOKED", "CANCELLED", "REPLACED", "SWAPPED"})
