"""How RdvPermis writes things: JSON shapes of answers and bodies. [seen] unless a field or type is marked [default]."""

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from rdvpermis_sandbox import rules
from rdvpermis_sandbox.model import Basket, Candidate, Centre, Employee, Exam, Mandate, School, Slot
from rdvpermis_sandbox.state import State

Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Body(BaseModel):
    """A body of theirs: unknown fields are PARAMETRE_INVALIDE [default]."""

    model_config = ConfigDict(extra="forbid")


class CentreFilter(Body):
    """Body or part of one: CentreFilter."""

    codeDepartement: Text  # noqa: N815 - theirs, as below
    groupePermis: Text  # noqa: N815
    estFerme: bool | None = None  # noqa: N815


class CentreSearch(Body):
    """Body or part of one: CentreSearch."""

    filtre: CentreFilter


class Favourite(Body):
    """Body or part of one: Favourite."""

    centreId: Text  # noqa: N815
    priorite: Literal[0, 1, 2]


class Favourites(Body):
    """Body or part of one: Favourites."""

    groupePermis: Text  # noqa: N815
    centresFavorisInput: list[Favourite]  # noqa: N815


class MandateAsked(Body):
    """Body or part of one: MandateAsked."""

    nom: Text
    numeroDossier: Text  # noqa: N815
    email: Text | None = None
    groupePermis: Text  # noqa: N815


class Match(Body):
    """Body or part of one: Match."""

    query: str
    match: Literal["EXACT", "PARTIAL"] = "EXACT"


class MandateFilter(Body):
    """Body or part of one: MandateFilter."""

    groupePermis: Text  # noqa: N815
    nom: Match | None = None
    numeroDossier: Match | None = None  # noqa: N815


class MandateSearch(Body):
    """Body or part of one: MandateSearch."""

    filtre: MandateFilter
    page: int = 1
    parPage: int = 20  # noqa: N815


class CandidateFilter(Body):
    """Body or part of one: CandidateFilter."""

    creneauId: Text  # noqa: N815
    nom: str | None = None
    numeroDossier: str | None = None  # noqa: N815


class CandidateSearch(Body):
    """Body or part of one: CandidateSearch."""

    filtre: CandidateFilter


class PlanningFilter(Body):
    """Body or part of one: PlanningFilter."""

    groupePermis: Text  # noqa: N815
    date: date
    centreId: Text  # noqa: N815


class PlanningSearch(Body):
    """Body or part of one: PlanningSearch."""

    filtre: PlanningFilter


class BasketAsked(Body):
    """Body or part of one: BasketAsked."""

    employeAutoEcoleId: str | None = None  # noqa: N815


class SlotAsked(Body):
    """Body or part of one: SlotAsked."""

    creneauId: Text  # noqa: N815


class SlotsAsked(Body):
    """Body or part of one: SlotsAsked."""

    creneauxId: list[Text]  # noqa: N815


class CandidateNamed(Body):
    """Body or part of one: CandidateNamed."""

    candidatId: str | None  # noqa: N815


class Replacement(Body):
    """Body or part of one: Replacement."""

    examenId: Text  # noqa: N815
    candidatRemplacantId: Text  # noqa: N815


class Permutation(Body):
    """Body or part of one: Permutation."""

    examenId1: Text  # noqa: N815
    examenId2: Text  # noqa: N815


class Trainers(Body):
    """Shape [default]."""

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
    barred = [{"dateFin": utc(each.until), "motif": each.reason} for each in rules.penalties(state, who, found.group)]
    results = state.truth.results.get(who.id, [])
    marks = [
        {"examenId": each.exam, "estRecu": each.passed, "points": each.points, "date": utc(each.at)} for each in results
    ]
    return {"candidat": candidate(state, who), "mandat": mandate(found), "penalites": barred, "detailsResultats": marks}


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
