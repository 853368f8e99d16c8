"""Ours to theirs: each function writes one call of RdvPermis. Guesses are marked [default]."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as pb
from resapermis_kit.errors import malformed
from resapermis_places.table import PARIS

BASE = "/api/v2/auto-ecole"
MANDATES_A_PAGE, STANDINGS_A_PAGE, EXAMS_A_PAGE = 50, 100, 100
MOST_TRAINERS = 1000
"""Full-time equivalents of a school; more is a slip of the hand [default]."""
MOST_PAGES = 50
"""Pages of exams that we read at most: 5,000 exams of a school."""
ID = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._~:@-]{1,128}")
_DEPARTMENT = re.compile(r"\d{2,3}|2[AB]")
_CATEGORY = re.compile(r"[A-Z0-9]{1,8}")


@dataclass(frozen=True)
class Call:
    """One HTTP call. `operation` is the label of logs and metrics; `path` holds checked ids only and never a person's data."""

    operation: str
    method: str
    path: str
    body: Any = field(default=None, repr=False)
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def changes(self) -> bool:
        """Whether a lost answer leaves the outcome unknown: all but questions, whatever their method."""
        return self.method != "GET" and not self.path.endswith("/recherche")


def checked_id(value: str, name: str) -> str:
    """Accept an id as one URL segment; Failure MALFORMED for what could change a path."""
    if not ID.fullmatch(value):
        raise malformed(name, "an id of RdvPermis: 1 to 128 characters without slash")
    return value


def _segment(value: str, name: str) -> str:
    return quote(checked_id(value, name), safe="")


def _category(value: str) -> str:
    if not _CATEGORY.fullmatch(value):
        raise malformed("category", "a group such as A, B, CE")
    return value


def _day(value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise malformed("date", "a day as 2026-12-09") from None


def department_to_wire(code: str) -> str:
    """Spell "91" as "091", "2A" as "02A" [default], "971" as it is."""
    if not _DEPARTMENT.fullmatch(code):
        raise malformed("department", "a department code such as 91, 2A, 971")
    return code.rjust(3, "0")


def department_from_wire(code: str) -> str:
    """Spell "091" as "91", "02A" as "2A", "971" as it is; "" for what is none."""
    short = code[1:] if len(code) == 3 and code.startswith("0") else code
    return short if _DEPARTMENT.fullmatch(short) else ""


def zone(name: str) -> ZoneInfo:
    """Zone of a centre; empty is Europe/Paris."""
    try:
        return ZoneInfo(name or PARIS)
    except (ZoneInfoNotFoundError, ValueError):
        raise malformed("time_zone", "an IANA zone") from None


def get_school() -> Call:
    """GET /moi: the school of the token."""
    return Call("moi", "GET", f"{BASE}/moi")


def search_centres(request: pb.SearchCentresRequest) -> Call:
    """POST /centres/recherche: centres of one department for one licence group."""
    found = {"codeDepartement": department_to_wire(request.department), "groupePermis": _category(request.category)}
    return Call("centres.recherche", "POST", f"{BASE}/centres/recherche", {"filtre": found})


def search_planning(request: pb.SearchPlanningRequest) -> Call:
    """POST /planning/recherche: the slots of one centre and local day for a licence group."""
    wanted = {
        "groupePermis": _category(request.category),
        "date": _day(request.date),
        "centreId": checked_id(request.centre_id, "centre_id"),
    }
    return Call("planning.recherche", "POST", f"{BASE}/planning/recherche", {"filtre": wanted})


def get_threshold(request: pb.GetThresholdRequest) -> Call:
    """Threshold of the school's department: path known from v1, query [default]."""
    query = {"groupe-permis": _category(request.category), "date": _day(f"{request.month}-01")}
    return Call("seuil", "GET", f"{BASE}/informations-seuil-departement", query=query)


def create_mandate(request: pb.CreateMandateRequest) -> Call:
    """POST /mandats, by last name and dossier number; the address only when given."""
    body = {
        "nom": request.last_name,
        "numeroDossier": request.neph,
        "groupePermis": _category(request.category),
    }
    if request.email:
        body["email"] = request.email
    return Call("mandats", "POST", f"{BASE}/mandats", body)


def search_mandates(request: pb.SearchMandatesRequest) -> Call:
    """Mandates of the school, one page; pages count from 1 [default], ours from 0."""
    wanted: dict[str, Any] = {"groupePermis": _category(request.category)}
    if request.neph:
        wanted["numeroDossier"] = {"query": request.neph, "match": "EXACT"}
    body = {"filtre": wanted, "page": max(request.page, 0) + 1, "parPage": mandates_a_page(request)}
    return Call("candidats-mandats.recherche", "POST", f"{BASE}/candidats-mandats/recherche", body)


def mandates_a_page(request: pb.SearchMandatesRequest) -> int:
    """Rows asked for a page: the request's `page_size`, at most 100, MANDATES_A_PAGE for 0."""
    return min(request.page_size, 100) if request.page_size > 0 else MANDATES_A_PAGE


def check_eligibility(request: pb.CheckEligibilityRequest) -> Call:
    """Ask whether this candidate may take this slot; without a dossier, everybody under mandate answers [default]."""
    wanted = {"creneauId": checked_id(request.slot_id, "slot_id")}
    if request.neph:
        wanted["numeroDossier"] = request.neph
    return Call("candidats.recherche", "POST", f"{BASE}/candidats/recherche", {"filtre": wanted})


def list_standings(request: pb.ListStandingsRequest) -> Call:
    """Penalties and results [seen] of everybody under mandate, one page; pages count from 1 [default], ours from 0."""
    wanted = {"groupePermis": _category(request.category)}
    body = {"filtre": wanted, "page": max(request.page, 0) + 1, "parPage": STANDINGS_A_PAGE}
    return Call("candidats-mandats.recherche", "POST", f"{BASE}/candidats-mandats/recherche", body)


def list_employees() -> Call:
    """GET /employes [seen]: who works at the school of the token."""
    return Call("employes", "GET", f"{BASE}/employes")


def list_favourites() -> Call:
    """GET /centres-favoris: favourite centres of all licence groups [seen]."""
    return Call("centres-favoris.lire", "GET", f"{BASE}/centres-favoris")


def set_favourites(request: pb.SetFavouritesRequest) -> Call:
    """All favourite centres of a group at once, each with priority 0 to 2 [seen]."""
    chosen = [
        {"centreId": checked_id(one.centre_id, "centre_id"), "priorite": one.priority} for one in request.favourites
    ]
    if len({one["centreId"] for one in chosen}) != len(chosen):
        raise malformed("favourites", "each centre once")
    if any(not 0 <= one.priority <= 2 for one in request.favourites):
        raise malformed("favourites.priority", "0 to 2")
    body = {"groupePermis": _category(request.category), "centresFavorisInput": chosen}
    return Call("centres-favoris", "POST", f"{BASE}/centres-favoris", body)


def open_basket() -> Call:
    """POST /paniers: open an empty basket of the token's school."""
    return Call("paniers.ouvrir", "POST", f"{BASE}/paniers")


def add_slots(basket_id: str, slot_ids: Sequence[str]) -> Call:
    """POST …/creneaux-multiples: add several slots to a basket; some may be refused."""
    body = {"creneauxId": [checked_id(slot_id, "slots.slot_id") for slot_id in slot_ids]}
    path = f"{BASE}/paniers/{_segment(basket_id, 'basket_id')}/creneaux-multiples"
    return Call("paniers.creneaux", "POST", path, body)


def _line(basket_id: str, slot_id: str) -> str:
    return f"{BASE}/paniers/{_segment(basket_id, 'basket_id')}/creneaux/{_segment(slot_id, 'slot_id')}"


def add_slot(basket_id: str, slot_id: str) -> Call:
    """One slot; unlike several at once, a refusal gives its reason."""
    path = f"{BASE}/paniers/{_segment(basket_id, 'basket_id')}/creneaux"
    return Call("paniers.creneau", "POST", path, {"creneauId": checked_id(slot_id, "slots.slot_id")})


def name_candidate(basket_id: str, slot_id: str, candidate_id: str) -> Call:
    """PUT …/creneaux/{id}/candidat; an empty candidate id takes the name off."""
    body = {"candidatId": checked_id(candidate_id, "rdvpermis_candidate_id") if candidate_id else None}
    return Call("paniers.candidat", "PUT", f"{_line(basket_id, slot_id)}/candidat", body)


def release_slot(basket_id: str, slot_id: str) -> Call:
    """DELETE …/creneaux/{id}: take one slot out of a basket."""
    return Call("paniers.rendre", "DELETE", _line(basket_id, slot_id))


def get_basket(basket_id: str) -> Call:
    """GET /paniers/{id}: a basket with its lines."""
    return Call("paniers.lire", "GET", f"{BASE}/paniers/{_segment(basket_id, 'basket_id')}")


def drop_basket(basket_id: str) -> Call:
    """DELETE /paniers/{id}: the basket and every slot in it."""
    return Call("paniers.fermer", "DELETE", f"{BASE}/paniers/{_segment(basket_id, 'basket_id')}")


def list_baskets() -> Call:
    """GET /paniers: every basket of the token's school."""
    return Call("paniers.liste", "GET", f"{BASE}/paniers")


def validate_basket(basket_id: str) -> Call:
    """POST …/valider: book every line of a basket; each line has its own answer."""
    return Call("paniers.valider", "POST", f"{BASE}/paniers/{_segment(basket_id, 'basket_id')}/valider")


def list_exams(request: pb.ListExamsRequest, page: int) -> Call:
    """One page of coming exams; pages count from 1 [default], ours from 0."""
    query = {
        "statut": "PROGRAMME",
        "groupe-permis": _category(request.category),
        "page": str(page + 1),
        "par-page": str(EXAMS_A_PAGE),
    }
    if request.date:
        query["date"] = _day(request.date)
    return Call("examens-pagines", "GET", f"{BASE}/examens-pagines", query=query)


def cancel_exam(exam_id: str) -> Call:
    """DELETE /examens/{id}: cancel a booked exam."""
    return Call("examens.annuler", "DELETE", f"{BASE}/examens/{_segment(exam_id, 'exam_id')}")


def replace_candidate(exam_id: str, candidate_id: str) -> Call:
    """POST /examens/remplacement: another candidate for a booked exam."""
    body = {
        "examenId": checked_id(exam_id, "exam_id"),
        "candidatRemplacantId": checked_id(candidate_id, "rdvpermis_candidate_id"),
    }
    return Call("examens.remplacement", "POST", f"{BASE}/examens/remplacement", body)


def list_swappable(request: pb.ListSwappableRequest) -> Call:
    """Exams of a day that this one may change places with [seen]."""
    query = {"examen-permute-id": checked_id(request.exam_id, "exam_id"), "date": _day(request.date)}
    return Call("examens.permutables", "GET", f"{BASE}/examens/permutables", query=query)


def swap_exams(exam_id: str, other_exam_id: str) -> Call:
    """POST /examens/permutation: the candidates of two booked exams are exchanged [seen]."""
    body = {"examenId1": checked_id(exam_id, "exam_id"), "examenId2": checked_id(other_exam_id, "other_exam_id")}
    if exam_id == other_exam_id:
        raise malformed("other_exam_id", "another exam")
    return Call("examens.permutation", "POST", f"{BASE}/examens/permutation", body)


def declare_trainers(fte: float) -> Call:
    """Declare the number of trainers: path known from v1, body [default]."""
    if not math.isfinite(fte) or not 0 <= fte <= MOST_TRAINERS:
        raise malformed("fte", f"0 to {MOST_TRAINERS} full-time equivalents")
    return Call("nombre-de-formateurs", "POST", f"{BASE}/nombre-de-formateurs", {"nombreDeFormateurs": fte})


def get_replacements(request: pb.GetReplacementsRequest) -> Call:
    """How many replacements are left this month."""
    query = {"groupe-permis": _category(request.category), "date": _day(request.date)}
    return Call("examens.remplacements", "GET", f"{BASE}/examens/nombre-de-remplacement", query=query)
