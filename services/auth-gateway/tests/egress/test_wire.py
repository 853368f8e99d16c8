"""RdvPermis' spelling, both ways: what fits is read exactly, what does not is a ValueError and nothing else."""

import contextlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as pb
from resapermis_auth_gateway.egress.wire import answers, calls
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
PARIS = calls.zone("")
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
    "swappable": [{"id": "e-2", "creneau": {"id": "s-2"}, "candidat": {"id": "k-2"}, "statut": "PROGRAMME"}],
    "replacements": {"remplacementsParMois": 5, "remplacementsRestants": 4},
    "eligibilities": [
        {"candidat": {"id": "k-1"}, "eligibilite": {"estEligible": True}},
        {"candidat": {"id": "k-2"}, "eligibilite": {"estEligible": False, "codeMotif": "CANDIDAT_SOUS_PENALITE"}},
    ],
    "standings": {
        "data": [
            {
                "candidat": {"id": "k-1", "numeroDossier": "012"},
                "mandat": {"candidatId": "k-1", "groupePermis": "B"},
                "penalites": [{"dateFin": "2027-01-10T00:00:00Z", "motif": "ECHEC"}, {"motif": "SANS_FIN"}],
                "detailsResultats": [
                    {"examenId": "e-1", "estRecu": False, "points": 14, "date": "2026-12-09T16:00:00Z"},
                    {"estRecu": True, "date": "2026-12-09"},
                ],
            }
        ],
        "pagination": {"pageCourante": 1, "nombreDePages": 2},
    },
    "employees": [{"id": "u-1", "prenom": "Zoé", "nom": "Roux", "autoEcole": {"id": "ae-1", "nom": "École"}}],
    "favourites": [{"groupePermis": "B", "centreId": "c-1", "priorite": 2}],
}
READERS = {
    "school": answers.read_school,
    "centres": answers.read_centres,
    "planning": lambda answer: answers.read_planning(answer, PARIS, datetime(2026, 12, 1, tzinfo=UTC)),
    "threshold": answers.read_threshold,
    "mandate": lambda answer: answers.read_mandate(answer, "012"),
    "mandates": lambda answer: answers.read_mandates(answer, pb.SearchMandatesRequest()),
    "eligibility": lambda answer: answers.read_eligibility(answer, "012"),
    "basket": answers.read_basket,
    "baskets": answers.read_baskets,
    "added": lambda answer: answers.read_added(answer, 207, ["s-1", "s-2", "s-3"]),
    "validation": answers.read_validation,
    "exams": lambda answer: answers.read_exams(answer, PARIS, 0),
    "swappable": lambda answer: answers.read_swappable(answer, PARIS),
    "replacements": answers.read_replacements,
    "eligibilities": answers.read_eligibilities,
    "standings": lambda answer: answers.read_standings(answer, 0, datetime(2026, 12, 1, tzinfo=UTC)),
    "employees": answers.read_employees,
    "favourites": answers.read_favourites,
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
    answer = answers.read_planning(GOOD["planning"], calls.zone(zone), datetime(2026, 12, 1, tzinfo=UTC))
    assert answer.slots[0].starts_at.ToDatetime(UTC).hour == hour


def test_a_slot_that_207_does_not_name_is_unknown_and_one_it_refuses_has_our_code():
    (held, refused, unknown), expires_at = READERS["added"](GOOD["added"])
    assert expires_at.ToDatetime(UTC) == datetime(2026, 12, 1, 14, 15, tzinfo=UTC)
    assert [held.outcome, refused.outcome, unknown.outcome] == [
        pb.HoldResult.OUTCOME_HELD,
        pb.HoldResult.OUTCOME_REFUSED,
        pb.HoldResult.OUTCOME_UNKNOWN,
    ]
    assert (refused.rdvpermis_code, refused.code) == ("", Code.CODE_RDVPERMIS_SLOT_GONE)


def test_a_207_that_says_no_end_of_the_basket_is_read_all_the_same():
    results, expires_at = READERS["added"](GOOD["added"] | {"panier": {"id": "p-1"}})
    assert (len(results), expires_at) == (3, None)


@pytest.mark.req("R-22")
def test_a_standing_has_penalties_and_results_and_no_neph():
    answer = READERS["standings"](GOOD["standings"])
    (standing,) = answer.standings
    assert (answer.has_more, standing.rdvpermis_candidate_id, standing.category) == (True, "k-1", "B")
    (penalty,) = standing.penalties  # one without an end is left out
    assert (penalty.reason, penalty.until.ToDatetime(UTC)) == ("ECHEC", datetime(2027, 1, 10, tzinfo=UTC))
    failed, passed = standing.results
    assert (failed.exam_id, failed.passed, failed.points) == ("e-1", False, 14)
    assert (passed.exam_id, passed.passed, passed.HasField("points"), passed.HasField("at")) == ("", True, False, False)
    assert "012" not in str(answer)


@pytest.mark.req("S-22")
def test_a_penaltys_reason_that_is_a_sentence_about_a_person_is_not_repeated():
    answer = json.loads(json.dumps(GOOD["standings"]))
    answer["data"][0]["penalites"][0]["motif"] = "Mme Roux ne s'est pas présentée"
    assert READERS["standings"](answer).standings[0].penalties[0].reason == ""


def test_an_exam_carries_its_slot_where_rdvpermis_shows_it_whole():
    (whole,), _ = READERS["exams"](GOOD["exams"])
    assert (whole.slot.id, whole.slot.centre_id, whole.slot.kind) == ("s-1", "c-1", "CIRCULATION")
    (half,) = READERS["swappable"](GOOD["swappable"]).exams
    assert (half.slot_id, half.HasField("slot"), half.status) == ("s-2", False, "PROGRAMME")


@pytest.mark.parametrize(("ours", "theirs"), [("91", "091"), ("01", "001"), ("2A", "02A"), ("971", "971")])
def test_departments_are_spelt_both_ways(ours, theirs):
    assert calls.department_to_wire(ours) == theirs
    assert calls.department_from_wire(theirs) == ours


@pytest.mark.parametrize("bad", ["", "9", "2C", "0910", "../", "91 "])
def test_a_department_that_is_none_is_refused(bad):
    with pytest.raises(Failure):
        calls.department_to_wire(bad)
    assert calls.department_from_wire(bad) == ""


def _favourites(*chosen):
    rows = [pb.RdvFavourite(centre_id=centre_id, priority=priority) for centre_id, priority in chosen]
    return pb.SetFavouritesRequest(category="B", favourites=rows)


@pytest.mark.parametrize(
    "build",
    [
        lambda: calls.search_planning(pb.SearchPlanningRequest(category="B", centre_id="c-1", date="9/12/2026")),
        lambda: calls.search_planning(pb.SearchPlanningRequest(category="b'", centre_id="c-1", date="2026-12-09")),
        lambda: calls.zone("Mars/Olympus"),
        lambda: calls.zone("../../etc/passwd"),
        lambda: calls.get_threshold(pb.GetThresholdRequest(category="B", month="2026-13")),
        lambda: calls.replace_candidate("e-1", ""),
        lambda: calls.swap_exams("e-1", "e-1"),
        lambda: calls.list_swappable(pb.ListSwappableRequest(exam_id="e-1", date="")),
        lambda: calls.declare_trainers(float("nan")),
        lambda: calls.declare_trainers(-0.5),
        lambda: calls.set_favourites(_favourites(("c-1", 3))),
        lambda: calls.set_favourites(_favourites(("c-1", 0), ("c-1", 1))),
    ],
)
def test_malformed_questions_never_leave(build):
    with pytest.raises(Failure) as refused:
        build()
    assert refused.value.code == Code.CODE_MALFORMED


def test_names_and_nephs_stand_in_bodies_never_in_urls_nor_in_what_prints():
    request = pb.CreateMandateRequest(last_name="Lamartine", neph="0123", email="a@b.example", category="B")
    call = calls.create_mandate(request)
    assert "0123" not in call.path + str(dict(call.query)) + repr(call)
    assert call.body["numeroDossier"] == "0123"  # zeros count


def test_only_questions_may_be_asked_twice():
    reads = [
        calls.get_school(),
        calls.list_baskets(),
        calls.search_mandates(pb.SearchMandatesRequest(category="B")),
        calls.list_standings(pb.ListStandingsRequest(category="B")),
        calls.list_employees(),
        calls.list_favourites(),
        calls.list_swappable(pb.ListSwappableRequest(exam_id="e-1", date="2026-12-09")),
        calls.check_eligibility(pb.CheckEligibilityRequest(slot_id="s-1")),
    ]
    changes = [
        calls.open_basket(),
        calls.add_slots("p-1", ["s-1"]),
        calls.add_slot("p-1", "s-1"),
        calls.name_candidate("p-1", "s-1", ""),
        calls.release_slot("p-1", "s-1"),
        calls.validate_basket("p-1"),
        calls.cancel_exam("e-1"),
        calls.replace_candidate("e-1", "k-1"),
        calls.swap_exams("e-1", "e-2"),
        calls.drop_basket("p-1"),
        calls.declare_trainers(2.5),
        calls.set_favourites(_favourites(("c-1", 0))),
        calls.create_mandate(pb.CreateMandateRequest(last_name="n", neph="1", category="B")),
    ]
    assert not any(call.changes for call in reads)
    assert all(call.changes for call in changes)
