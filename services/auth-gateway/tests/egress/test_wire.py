"""RdvPermis' spelling, both ways: what fits is read exactly, what does not is a ValueError and nothing else."""

import contextlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as pb
from resapermis_auth_gateway.egress.wire import asks, reads
from resapermis_kit.errors import Code, Failure

SLOT = {
    "id": "s-1",
    "centre": {"id": "c-1", "nom": "Rungis"},
    "numeroInspecteur": "12",
    "dateHeureDebut": "2026-12-09T08:00:00",
    "dateHeureFin": "2026-12-09T08:32:00",
    "dateHeurePublication": "2026-12-01T14:00:00Z",
    "statutDeReservation": "RÉSERVÉ_PAR_MON_AUTO_ÉCOLE",
    "groupePermis": "B",
    "typeEpreuvePratique": "CIRCULATION",
}
BASKET = {
    "id": "p-1",
    "elementsDuPanier": [{"creneauId": "s-1", "candidat": None}],
    "dateHeureExpiration": "2026-12-01T14:15:00Z",
}
PARIS = asks.zone("")
GOOD = {
    "school": {"id": "ae-1", "nom": "École", "codeDepartement": "02A"},
    "centres": [{"id": "c-1", "nom": "Rungis", "estFerme": False}],
    "planning": [{"creneauDuPlanning": SLOT, "examenDuPlanning": {"id": "e-1", "candidat": {"id": "x", "nom": "n"}}}],
    "threshold": {"seuil": 12, "placesReservees": 3, "tauxParFormateur": 6, "nombreDeFormateurs": 2.0},
    "mandate": {"id": "m-1", "candidatId": "k-1", "autoEcole": {"id": "ae-1"}, "groupePermis": "B"},
    "mandates": {
        "data": [
            {"candidat": {"id": "k-1", "numeroDossier": "012"}, "mandat": {"candidatId": "k-1", "groupePermis": "B"}}
        ],
        "pagination": {"pageCourante": 1},
    },
    "eligibility": [
        {"candidat": {"id": "k-1"}, "eligibilite": {"estEligible": False, "codeMotif": "CANDIDAT_SOUS_PENALITE"}}
    ],
    "basket": BASKET,
    "baskets": [BASKET],
    "added": {
        "crenauxIdsAjoutesAuPanierAvecSucces": ["s-1"],
        "crenauxIdsAjoutesAuPanierEnEchec": ["s-2"],
        "panier": BASKET,
    },
    "validation": {
        "panierId": "p-1",
        "contientAuMoinsUneErreur": True,
        "data": [{"creneauId": "s-1", "examenId": "e-1", "estReserve": True}],
    },
    "exams": {
        "data": [{"id": "e-1", "creneau": SLOT, "candidat": None, "estModifiable": True, "estAnnule": False}],
        "pagination": {},
    },
    "replacements": {"remplacementsParMois": 5, "remplacementsRestants": 4},
}
READERS = {
    "school": reads.read_school,
    "centres": reads.read_centres,
    "planning": lambda answer: reads.read_planning(answer, PARIS, datetime(2026, 12, 1, tzinfo=UTC)),
    "threshold": reads.read_threshold,
    "mandate": lambda answer: reads.read_mandate(answer, "012"),
    "mandates": lambda answer: reads.read_mandates(answer, pb.SearchMandatesRequest()),
    "eligibility": lambda answer: reads.read_eligibility(answer, "012"),
    "basket": reads.read_basket,
    "baskets": reads.read_baskets,
    "added": lambda answer: reads.read_added(answer, 207, ["s-1", "s-2", "s-3"]),
    "validation": reads.read_validation,
    "exams": lambda answer: reads.read_exams(answer, PARIS, 0),
    "replacements": reads.read_replacements,
}
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("0001-01-01T00:00:00+23:00"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def spoilt(draw):
    """A good answer with one value replaced by anything."""
    name = draw(st.sampled_from(sorted(GOOD)))
    answer = json.loads(json.dumps(GOOD[name]))
    places = []

    def walk(node):
        for key in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
            places.append((node, key))
            walk(node[key])

    walk(answer)
    node, key = draw(st.sampled_from(places))
    node[key] = draw(anything)
    return name, answer


@given(spoilt())
def test_one_spoilt_value_is_read_or_refused_and_never_an_accident(case):
    name, answer = case
    with contextlib.suppress(ValueError, OverflowError):
        READERS[name](answer)


@pytest.mark.parametrize("name", sorted(READERS))
@given(anything)
def test_anything_is_read_or_refused_and_never_an_accident(name, answer):
    with contextlib.suppress(ValueError, OverflowError):
        READERS[name](answer)


@pytest.mark.parametrize("name", sorted(READERS))
def test_what_fits_is_read_and_more_fields_do_not_matter(name):
    assert READERS[name](GOOD[name])


def test_a_planning_tells_hours_in_utc_and_nobody_in_the_slots():
    (slot,) = READERS["planning"](GOOD["planning"]).slots
    assert slot.starts_at.ToDatetime(UTC) == datetime(2026, 12, 9, 7, 0, tzinfo=UTC)
    assert slot.published_at.ToDatetime(UTC) == datetime(2026, 12, 1, 14, 0, tzinfo=UTC)
    assert slot.status == "RÉSERVÉ_PAR_MON_AUTO_ÉCOLE"


@pytest.mark.parametrize(
    ("zone", "hour"), [("Europe/Paris", 7), ("America/Martinique", 12), ("Indian/Reunion", 4), ("Pacific/Noumea", 21)]
)
def test_hours_are_those_of_the_centre(zone, hour):
    answer = reads.read_planning(GOOD["planning"], asks.zone(zone), datetime(2026, 12, 1, tzinfo=UTC))
    assert answer.slots[0].starts_at.ToDatetime(UTC).hour == hour


def test_a_slot_that_207_does_not_name_is_unknown_and_one_it_refuses_has_our_code():
    held, refused, unknown = READERS["added"](GOOD["added"])
    assert [held.outcome, refused.outcome, unknown.outcome] == [
        pb.HoldResult.OUTCOME_HELD,
        pb.HoldResult.OUTCOME_REFUSED,
        pb.HoldResult.OUTCOME_UNKNOWN,
    ]
    assert (refused.rdvpermis_code, refused.code) == ("", Code.CODE_RDVPERMIS_SLOT_GONE)


@pytest.mark.parametrize(("ours", "theirs"), [("91", "091"), ("01", "001"), ("2A", "02A"), ("971", "971")])
def test_departments_are_spelt_both_ways(ours, theirs):
    assert asks.department_to_wire(ours) == theirs
    assert asks.department_from_wire(theirs) == ours


@pytest.mark.parametrize("bad", ["", "9", "2C", "0910", "../", "91 "])
def test_a_department_that_is_none_is_refused(bad):
    with pytest.raises(Failure):
        asks.department_to_wire(bad)
    assert asks.department_from_wire(bad) == ""


@pytest.mark.parametrize(
    "build",
    [
        lambda: asks.search_planning(pb.SearchPlanningRequest(category="B", centre_id="c-1", date="9/12/2026")),
        lambda: asks.search_planning(pb.SearchPlanningRequest(category="b'", centre_id="c-1", date="2026-12-09")),
        lambda: asks.zone("Mars/Olympus"),
        lambda: asks.zone("../../etc/passwd"),
        lambda: asks.get_threshold(pb.GetThresholdRequest(category="B", month="2026-13")),
        lambda: asks.replace_candidate("e-1", ""),
    ],
)
def test_malformed_questions_never_leave(build):
    with pytest.raises(Failure) as refused:
        build()
    assert refused.value.code == Code.CODE_MALFORMED


def test_names_and_nephs_stand_in_bodies_never_in_urls_nor_in_what_prints():
    request = pb.CreateMandateRequest(last_name="Lamartine", neph="0123", email="a@b.example", category="B")
    call = asks.create_mandate(request)
    assert "0123" not in call.path + str(dict(call.query)) + repr(call)
    assert call.body["numeroDossier"] == "0123"  # zeros count


def test_only_questions_may_be_asked_twice():
    looks = [asks.get_school(), asks.list_baskets(), asks.search_mandates(pb.SearchMandatesRequest(category="B"))]
    changes = [
        asks.open_basket(),
        asks.add_slots("p-1", ["s-1"]),
        asks.add_slot("p-1", "s-1"),
        asks.name_candidate("p-1", "s-1", ""),
        asks.release_slot("p-1", "s-1"),
        asks.validate_basket("p-1"),
        asks.cancel_exam("e-1"),
        asks.replace_candidate("e-1", "k-1"),
        asks.create_mandate(pb.CreateMandateRequest(last_name="n", neph="1", category="B")),
    ]
    assert not any(call.changes for call in looks)
    assert all(call.changes for call in changes)
