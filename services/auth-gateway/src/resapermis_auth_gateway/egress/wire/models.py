"""Theirs: RdvPermis' objects as far as we need them. Guesses are marked [default].

Tolerant where we need nothing (extra fields), strict where we do: what does not fit raises ValueError (pydantic's
included), and the client decides what that means for the call.
"""

from datetime import datetime
from typing import Annotated

from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from resapermis_auth_gateway.egress.wire.calls import ID


def _an_id(value: object) -> object:
    """Ids are text; a number is taken for its text [default]."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not ID.fullmatch(text):
        msg = "not an id"
        raise ValueError(msg)
    return text


def _short(value: object) -> object:
    return value[:200] if isinstance(value, str) else value


def _a_moment(value: object) -> object:
    """ISO 8601 with an hour; a bare day or a number is no moment."""
    if not isinstance(value, str) or "T" not in value:
        msg = "not a moment"
        raise ValueError(msg)
    return datetime.fromisoformat(value)


def _or_absent(value: object, fits: ValidatorFunctionWrapHandler) -> object:
    """What is only shown may be missing or half given; then it is absent and the rest is read."""
    try:
        return fits(value)
    except ValueError:
        return None


Id = Annotated[str, BeforeValidator(_an_id)]
Text = Annotated[str, BeforeValidator(_short)]
Moment = Annotated[datetime, BeforeValidator(_a_moment)]


class RdvPermisModel(BaseModel):
    """Base of RdvPermis' JSON objects: unknown fields are ignored, types not coerced."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class School(RdvPermisModel):
    """GET /moi: the school, or an employee with their school inside; details [default]."""

    id: Id = Field(validation_alias=AliasChoices(AliasPath("autoEcole", "id"), "id"))
    name: Text = Field("", validation_alias=AliasChoices(AliasPath("autoEcole", "nom"), "nom"))
    licence: Text | None = Field(
        None, validation_alias=AliasChoices("numeroAgrement", AliasPath("autoEcole", "numeroAgrement"))
    )
    department: Text | None = Field(
        None, validation_alias=AliasChoices("codeDepartement", AliasPath("autoEcole", "codeDepartement"))
    )
    latitude: float | None = Field(None, validation_alias=AliasChoices("latitude", AliasPath("adresse", "latitude")))
    longitude: float | None = Field(None, validation_alias=AliasChoices("longitude", AliasPath("adresse", "longitude")))
    trainers: float | None = Field(
        None, validation_alias=AliasChoices("nombreDeFormateurs", AliasPath("autoEcole", "nombreDeFormateurs"))
    )


class Centre(RdvPermisModel):
    """`centre`: id, name and whether it is closed; its coordinates [default] may be absent."""

    id: Id
    nom: Text
    est_ferme: bool = Field(False, alias="estFerme")
    latitude: float | None = None
    longitude: float | None = None


class Slot(RdvPermisModel):
    """A creneauDuPlanning: local hours without zone, publication in UTC."""

    id: Id
    centre: Centre
    debut: Moment = Field(alias="dateHeureDebut")
    fin: Moment = Field(alias="dateHeureFin")
    publication: Moment | None = Field(None, alias="dateHeurePublication")
    statut: Text = Field(alias="statutDeReservation")
    groupe: Text = Field("", alias="groupePermis")
    epreuve: Text | None = Field(None, alias="typeEpreuvePratique")


class PlanningItem(RdvPermisModel):
    """An item of POST /planning/recherche; of it only the slot is read, never who sits in it."""

    slot: Slot = Field(alias="creneauDuPlanning")


class Threshold(RdvPermisModel):
    """informations-seuil-departement: every name [default]."""

    limit: int | None = Field(None, validation_alias=AliasChoices("seuil", "plafond"))
    taken: int | None = Field(None, validation_alias=AliasChoices("placesReservees", "nombreDeReservations"))
    rate: float | None = Field(None, validation_alias=AliasChoices("tauxParFormateur", "taux"))
    trainers: float | None = Field(None, validation_alias=AliasChoices("nombreDeFormateurs", "etp"))


class Mandate(RdvPermisModel):
    """The answer to POST /mandats: ids of mandate and candidate, licence group, and `statut` or `etat` [default]."""

    id: Id
    candidat: Id = Field(alias="candidatId")
    groupe: Text = Field("", alias="groupePermis")
    etat: Text | None = Field(None, validation_alias=AliasChoices("statut", "etat"))


class CandidateMandate(RdvPermisModel):
    """An item of POST /candidats-mandats/recherche: candidate id, dossier number, and the mandate."""

    candidat: Id = Field(validation_alias=AliasPath("candidat", "id"))
    dossier: Text = Field("", validation_alias=AliasPath("candidat", "numeroDossier"))
    mandat: Id | None = Field(None, validation_alias=AliasPath("mandat", "id"))
    groupe: Text = Field("", validation_alias=AliasPath("mandat", "groupePermis"))
    etat: Text | None = Field(
        None, validation_alias=AliasChoices(AliasPath("mandat", "statut"), AliasPath("mandat", "etat"))
    )


class Paging(RdvPermisModel):
    """Where a page stands; all but pageCourante [default]."""

    pages: int | None = Field(None, validation_alias=AliasChoices("nombreDePages", "nombrePages", "totalPages"))


class MandatePage(RdvPermisModel):
    """A page of POST /candidats-mandats/recherche, read for mandates."""

    data: list[CandidateMandate]
    pagination: Paging | None = None


class Eligibility(RdvPermisModel):
    """Whether RdvPermis lets a candidate take a slot, and `codeMotif` where it does not."""

    candidate: Id | None = Field(None, validation_alias=AliasPath("candidat", "id"))
    eligible: bool = Field(validation_alias=AliasPath("eligibilite", "estEligible"))
    motif: str | None = Field(None, validation_alias=AliasPath("eligibilite", "codeMotif"))
    dossier: str | None = Field(None, validation_alias=AliasPath("candidat", "numeroDossier"))


class BasketLine(RdvPermisModel):
    """An element of a basket; names [default]."""

    slot: Id = Field(
        validation_alias=AliasChoices("creneauId", AliasPath("creneau", "id"), AliasPath("creneauDuPlanning", "id"))
    )
    candidate: Id | None = Field(None, validation_alias=AliasChoices("candidatId", AliasPath("candidat", "id")))


class Basket(RdvPermisModel):
    """A basket; a time without zone is UTC [default]."""

    id: Id
    lines: list[BasketLine] = Field(alias="elementsDuPanier")
    expires: Moment = Field(alias="dateHeureExpiration")


class NotAdded(RdvPermisModel):
    """A slot that creneaux-multiples did not put into the basket, with RdvPermis' code where it gives one."""

    slot: Id = Field(validation_alias=AliasChoices("creneauId", "id"))
    code: str | None = Field(None, validation_alias=AliasChoices("codeMessage", "erreur", "code"))


class Added(RdvPermisModel):
    """Answer 207 of creneaux-multiples; failures are ids, or ids with a code [default]."""

    added: list[Id] = Field(alias="crenauxIdsAjoutesAuPanierAvecSucces")
    failed: list[Id | NotAdded] = Field(alias="crenauxIdsAjoutesAuPanierEnEchec")
    basket: Annotated[Basket | None, WrapValidator(_or_absent)] = Field(None, alias="panier")


class Validated(RdvPermisModel):
    """What valider answers for one slot: `examenId` where it was booked, `codeMessage` where it was not."""

    slot: Id = Field(alias="creneauId")
    exam: Id | None = Field(None, alias="examenId")
    booked: bool = Field(alias="estReserve")
    code: str | None = Field(None, alias="codeMessage")


class Validation(RdvPermisModel):
    """The answer of POST …/valider (200 or 207): one item a line of the basket."""

    data: list[Validated]


class Exam(RdvPermisModel):
    """An item of the list of exams; the slot stands in one of three places [default], hours are local without zone."""

    id: Id
    slot: Id | None = Field(
        None,
        validation_alias=AliasChoices("creneauId", AliasPath("creneau", "id"), AliasPath("creneauDuPlanning", "id")),
    )
    candidate: Id | None = Field(None, validation_alias=AliasChoices(AliasPath("candidat", "id"), "candidatId"))
    changeable: bool = Field(False, alias="estModifiable")
    cancelled: bool = Field(False, alias="estAnnule")
    starts: Moment | None = Field(
        None,
        validation_alias=AliasChoices(
            "dateHeureDebut", AliasPath("creneau", "dateHeureDebut"), AliasPath("creneauDuPlanning", "dateHeureDebut")
        ),
    )

    place: Annotated[Slot | None, WrapValidator(_or_absent)] = Field(
        None, validation_alias=AliasChoices("creneau", "creneauDuPlanning")
    )
    """The slot whole [default]; absent where it is half given."""
    status: Text | None = Field(None, alias="statut")


class ExamPage(RdvPermisModel):
    """A page of the list of exams; without `pagination`, a full page means that there may be more."""

    data: list[Exam]
    pagination: Paging | None = None


class Penalty(RdvPermisModel):
    """One of `penalites` [seen]; its names [default]."""

    until: Moment | None = Field(None, validation_alias=AliasChoices("dateFin", "dateHeureFin"))
    reason: Text | None = Field(None, validation_alias=AliasChoices("motif", "codeMotif"))


class Result(RdvPermisModel):
    """One of `detailsResultats` [seen]; its names [default]."""

    exam: Id | None = Field(None, alias="examenId")
    passed: bool = Field(validation_alias=AliasChoices("estRecu", "estReussi"))
    points: int | None = None
    at: Annotated[Moment | None, WrapValidator(_or_absent)] = Field(
        None, validation_alias=AliasChoices("date", "dateHeure")
    )


class CandidateResults(RdvPermisModel):
    """An item of candidats-mandats, its penalties and results: no dossier, no name is even read."""

    candidate: Id = Field(validation_alias=AliasChoices(AliasPath("candidat", "id"), AliasPath("mandat", "candidatId")))
    group: Text = Field("", validation_alias=AliasPath("mandat", "groupePermis"))
    penalties: list[Penalty] = Field(default_factory=list, alias="penalites")
    results: list[Result] = Field(default_factory=list, alias="detailsResultats")


class CandidateResultsPage(RdvPermisModel):
    """A page of POST /candidats-mandats/recherche, read for penalties and results."""

    data: list[CandidateResults]
    pagination: Paging | None = None


class Employee(RdvPermisModel):
    """One of GET /employes; the id [default], the names [seen]."""

    id: Id
    first_name: Text = Field("", alias="prenom")
    last_name: Text = Field("", alias="nom")


class Favourite(RdvPermisModel):
    """An item of GET /centres-favoris [seen]: licence group, centre, priority (0 first)."""

    group: Text = Field(alias="groupePermis")
    centre: Id = Field(alias="centreId")
    priority: int = Field(0, alias="priorite", ge=0, le=100)


class Replacements(RdvPermisModel):
    """GET /nombre-de-remplacement: replacements of the month, in all and left."""

    per_month: int = Field(alias="remplacementsParMois")
    left: int = Field(alias="remplacementsRestants")


class Refused(RdvPermisModel):
    """The body of a 4xx: RdvPermis' code under `erreur` or `code`."""

    word: str = Field(validation_alias=AliasChoices("erreur", "code"))
