"""JSON ↔ domain, as RdvPermis writes it: bodies and answers. [seen] unless a field or type is marked [default]."""

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from rdvpermis_sandbox.domain import rules
from rdvpermis_sandbox.domain.model import Basket, Candidate, Centre, Employee, Exam, Mandate, School, Slot
from rdvpermis_sandbox.domain.state import State

Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Body(BaseModel):
    """A body of theirs: unknown fields are PARAMETRE_INVALIDE [default]."""

    model_config = ConfigDict(extra="forbid")


class CentreFilter(Body):
    """`filtre` of POST /centres/recherche."""

    codeDepartement: Text  # noqa: N815 - theirs, as below
    groupePermis: Text  # noqa: N815
    estFerme: bool | None = None  # noqa: N815


class CentreSearch(Body):
    """POST /centres/recherche."""

    filtre: CentreFilter


class Favourite(Body):
    """One centre of POST /centres-favoris; 0 is the first choice."""

    centreId: Text  # noqa: N815
    priorite: Literal[0, 1, 2]


class Favourites(Body):
    """POST /centres-favoris: the whole list of a category."""

    groupePermis: Text  # noqa: N815
    centresFavorisInput: list[Favourite]  # noqa: N815


class MandateAsked(Body):
    """POST /mandats."""

    nom: Text
    numeroDossier: Text  # noqa: N815
    email: Text | None = None
    groupePermis: Text  # noqa: N815


class Match(Body):
    """How a text of a filter is compared."""

    query: str
    match: Literal["EXACT", "PARTIAL"] = "EXACT"


class MandateFilter(Body):
    """`filtre` of POST /candidats-mandats/recherche."""

    groupePermis: Text  # noqa: N815
    nom: Match | None = None
    numeroDossier: Match | None = None  # noqa: N815


class MandateSearch(Body):
    """POST /candidats-mandats/recherche; pages count from 1, at most 100 a page."""

    filtre: MandateFilter
    page: int = 1
    parPage: int = 20  # noqa: N815


class CandidateFilter(Body):
    """`filtre` of POST /candidats/recherche."""

    creneauId: Text  # noqa: N815
    nom: str | None = None
    numeroDossier: str | None = None  # noqa: N815


class CandidateSearch(Body):
    """POST /candidats/recherche: who may be named for a slot."""

    filtre: CandidateFilter


class PlanningFilter(Body):
    """`filtre` of POST /planning/recherche: one centre, one day, one category."""

    groupePermis: Text  # noqa: N815
    date: date
    centreId: Text  # noqa: N815


class PlanningSearch(Body):
    """POST /planning/recherche."""

    filtre: PlanningFilter


class BasketAsked(Body):
    """POST /paniers; in the asking employee's own name without an id."""

    employeAutoEcoleId: str | None = None  # noqa: N815


class SlotAsked(Body):
    """POST /paniers/{id}/creneaux."""

    creneauId: Text  # noqa: N815


class SlotsAsked(Body):
    """POST /paniers/{id}/creneaux-multiples."""

    creneauxId: list[Text]  # noqa: N815


class CandidateNamed(Body):
    """PUT /paniers/{id}/creneaux/{slot}/candidat; null takes the name back."""

    candidatId: str | None  # noqa: N815


class Replacement(Body):
    """POST /examens/remplacement."""

    examenId: Text  # noqa: N815
    candidatRemplacantId: Text  # noqa: N815


class Permutation(Body):
    """POST /examens/permutation."""

    examenId1: Text  # noqa: N815
    examenId2: Text  # noqa: N815


class Trainers(Body):
    """POST /nombre-de-formateurs [default]."""

    nombreDeFormateurs: Annotated[float, "full-time equivalents"]  # noqa: N815


def utc(moment: datetime) -> str:
    """`2026-12-09T14:00:00Z`."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def school(state: State, found: School) -> dict[str, Any]:
    """`GET /moi` [default but id and nom]."""
    return {
        "id": found.id,
        "nom": found.name,
        "numeroAgrement": found.licence,
        "codeDepartement": found.department,
        "adresse": {"latitude": found.latitude, "longitude": found.longitude},
        "nombreDeFormateurs": state.fte(found.id),
        "estEnLigne": found.online,
        "estCandidatObligatoire": rules.must_name(state, found.id),
    }


def employee(found: Employee, home: School) -> dict[str, Any]:
    """An employee; id and e-mail [default]."""
    own = {"id": found.id, "prenom": found.first_name, "nom": found.last_name, "email": found.email}
    return own | {"autoEcole": {"id": home.id, "nom": home.name}}


def centre(found: Centre) -> dict[str, Any]:
    """A centre; department and coordinates [default]."""
    where = {"codeDepartement": found.department, "latitude": found.latitude, "longitude": found.longitude}
    return {"id": found.id, "nom": found.name, "estFerme": found.closed} | where


def mandate(found: Mandate) -> dict[str, Any]:
    """A mandate; `etat` [default]."""
    ours = {"autoEcole": {"id": found.school}, "groupePermis": found.group, "etat": found.state}
    return {"id": found.id, "candidatId": found.candidate} | ours


def candidate(state: State, found: Candidate) -> dict[str, Any]:
    """A candidate; names and e-mail [default]."""
    names = {"nom": found.last_name, "prenom": found.first_name, "email": state.email(found)}
    return {"id": found.id, "numeroDossier": found.neph} | names


def mandated(state: State, found: Mandate) -> dict[str, Any]:
    """A row of `candidats-mandats/recherche`; penalties and results inside [default]."""
    who = state.world.candidates[found.candidate]
    penalties = [
        {"dateFin": utc(each.until), "motif": each.reason} for each in rules.penalties(state, who, found.group)
    ]
    results = state.truth.results.get(who.id, [])
    marks = [
        {"examenId": each.exam, "estRecu": each.passed, "points": each.points, "date": utc(each.at)} for each in results
    ]
    return {
        "candidat": candidate(state, who),
        "mandat": mandate(found),
        "penalites": penalties,
        "detailsResultats": marks,
    }


def slot(state: State, found: Slot, asking: School) -> dict[str, Any]:
    """`creneauDuPlanning`: hours local without zone, publication in UTC."""
    return {
        "id": found.id,
        "centre": {"id": found.centre, "nom": state.world.centres[found.centre].name},
        "numeroInspecteur": found.examiner,
        "dateHeureDebut": found.starts.isoformat(),
        "dateHeureFin": found.ends.isoformat(),
        "dateHeurePublication": utc(found.published),
        "statutDeReservation": rules.status(state, found, asking),
        "groupePermis": found.group,
        "typeEpreuvePratique": found.kind,
    }


def exam(state: State, found: Exam, where: Slot, asking: School, now: datetime) -> dict[str, Any]:
    """A booking; `statut` and the slot inside [default]."""
    who = state.world.candidates[found.candidate] if found.candidate else None
    person = {"id": who.id, "nom": who.last_name, "prenom": who.first_name, "numeroDossier": who.neph} if who else None
    flags = {"estModifiable": rules.modifiable(found, where, now), "estAnnule": found.state == "ANNULE"}
    return {"id": found.id, "candidat": person, "statut": found.state, "creneau": slot(state, where, asking)} | flags


def basket(state: State, found: Basket, asking: School) -> dict[str, Any]:
    """A basket; lines [default]."""
    lines = []
    for slot_id, named in found.lines.items():
        who = {"id": named} if named else None
        lines.append(
            {"creneau": slot(state, state.world.slots[slot_id], asking), "creneauId": slot_id, "candidat": who}
        )
    return {"id": found.id, "elementsDuPanier": lines, "dateHeureExpiration": utc(found.expires)}


def pages(rows: list[Any], page: int, size: int) -> dict[str, Any]:
    """One page of rows; what stands in `pagination` beside pageCourante [default]."""
    total = -(-len(rows) // size)
    paging = {"pageCourante": page, "parPage": size, "nombreDePages": total, "nombreTotal": len(rows)}
    return {"data": rows[(page - 1) * size : page * size], "pagination": paging}
