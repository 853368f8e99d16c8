"""Theirs to ours: each function reads one answer; ValueError for one that does not fit."""

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import TypeAdapter

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as pb
from resapermis_auth_gateway.egress.refusals import code_of, verbatim
from resapermis_auth_gateway.egress.wire.calls import (
    EXAMS_A_PAGE,
    STANDINGS_A_PAGE,
    department_from_wire,
    mandates_a_page,
)
from resapermis_auth_gateway.egress.wire.models import (
    Added,
    Basket,
    CandidateResultsPage,
    Centre,
    Eligibility,
    Employee,
    Exam,
    ExamPage,
    Favourite,
    Mandate,
    MandatePage,
    NotAdded,
    Paging,
    PlanningItem,
    Refused,
    Replacements,
    School,
    Slot,
    Threshold,
    Validation,
)
from resapermis_kit.errors import Code

_CENTRES = TypeAdapter(list[Centre])
_PLANNING = TypeAdapter(list[PlanningItem])
_ELIGIBLE = TypeAdapter(list[Eligibility])
_BASKETS = TypeAdapter(list[Basket])
_EXAMS = TypeAdapter(list[Exam])
_EMPLOYEES = TypeAdapter(list[Employee])
_FAVOURITES = TypeAdapter(list[Favourite])


def _stamp(moment: datetime, where: ZoneInfo | None = None) -> Timestamp:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=where or UTC)
    stamp = Timestamp()
    stamp.FromDatetime(aware.astimezone(UTC))
    return stamp


def read_refusal(answer: object) -> str:
    """RdvPermis' word of a 4xx, verbatim; empty when it gives none."""
    try:
        return verbatim(Refused.model_validate(answer).word)
    except ValueError:
        return ""


def read_school(answer: object) -> pb.GetSchoolResponse:
    """The school of GET /moi → GetSchoolResponse; ValidationError for another shape."""
    school = School.model_validate(answer)
    return pb.GetSchoolResponse(
        school_id=school.id,
        name=school.name,
        licence_number=school.licence or "",
        department=department_from_wire(school.department or ""),
        latitude_degrees=school.latitude,
        longitude_degrees=school.longitude,
        declared_fte=school.trainers,
    )


def read_centres(answer: object) -> pb.SearchCentresResponse:
    """The list of exam centres → SearchCentresResponse, closed ones included."""
    centres = [
        pb.RdvCentre(
            id=centre.id,
            name=centre.nom,
            closed=centre.est_ferme,
            latitude_degrees=centre.latitude,
            longitude_degrees=centre.longitude,
        )
        for centre in _CENTRES.validate_python(answer)
    ]
    return pb.SearchCentresResponse(centres=centres)


def read_planning(answer: object, where: ZoneInfo, seen_at: datetime) -> pb.SearchPlanningResponse:
    """Slots of a centre and a day; who sits in them is not ours to know here."""
    response = pb.SearchPlanningResponse(seen_at=_stamp(seen_at))
    response.slots.extend(_slot(item.slot, where) for item in _PLANNING.validate_python(answer))
    return response


def _slot(slot: Slot, where: ZoneInfo) -> pb.RdvSlot:
    return pb.RdvSlot(
        id=slot.id,
        centre_id=slot.centre.id,
        centre_name=slot.centre.nom,
        starts_at=_stamp(slot.debut, where),
        ends_at=_stamp(slot.fin, where),
        published_at=_stamp(slot.publication) if slot.publication else None,
        status=slot.statut,
        category=slot.groupe,
        kind=slot.epreuve or "",
    )


def read_threshold(answer: object) -> pb.GetThresholdResponse:
    """A threshold of the department → GetThresholdResponse; figures that RdvPermis leaves out are absent."""
    found = Threshold.model_validate(answer)
    return pb.GetThresholdResponse(limit=found.limit, taken=found.taken, rate_per_fte=found.rate, fte=found.trainers)


def read_mandate(answer: object, neph: str) -> pb.CreateMandateResponse:
    """The answer to POST /mandats → CreateMandateResponse, with the dossier number that was sent."""
    made = Mandate.model_validate(answer)
    return pb.CreateMandateResponse(
        mandate=pb.RdvMandate(
            id=made.id,
            rdvpermis_candidate_id=made.candidat,
            category=made.groupe,
            state=made.etat or "",
            neph=neph,
        )
    )


def read_mandates(answer: object, request: pb.SearchMandatesRequest) -> pb.SearchMandatesResponse:
    """A page of mandates; without a page count, a full page means that there may be more."""
    page = MandatePage.model_validate(answer)
    response = pb.SearchMandatesResponse(
        has_more=_has_more(page.pagination, request.page, len(page.data), mandates_a_page(request))
    )
    for item in page.data:
        response.mandates.add(
            id=item.mandat or "",
            rdvpermis_candidate_id=item.candidat,
            category=item.groupe,
            state=item.etat or "",
            neph=item.dossier,
        )
    return response


def _has_more(paging: Paging | None, page: int, got: int, asked: int) -> bool:
    if paging is not None and paging.pages is not None:
        return page + 1 < paging.pages
    return got >= asked


def read_eligibility(answer: object, neph: str) -> pb.CheckEligibilityResponse:
    """RdvPermis' word on one candidate; not found is `known` false."""
    for found in _ELIGIBLE.validate_python(answer):
        if found.dossier in {None, neph}:
            word = "" if found.eligible else verbatim(found.motif)
            return pb.CheckEligibilityResponse(
                known=True,
                eligible=found.eligible,
                rdvpermis_code=word,
                code=Code.CODE_UNSPECIFIED if found.eligible else code_of(word),
            )
    return pb.CheckEligibilityResponse()


def read_eligibilities(answer: object) -> pb.CheckEligibilityResponse:
    """RdvPermis' word on everybody under mandate for a slot."""
    response = pb.CheckEligibilityResponse()
    for found in _ELIGIBLE.validate_python(answer):
        if found.candidate is None:
            msg = "an eligibility of nobody"
            raise ValueError(msg)
        word = "" if found.eligible else verbatim(found.motif)
        response.candidates.add(
            rdvpermis_candidate_id=found.candidate,
            eligible=found.eligible,
            rdvpermis_code=word,
            code=Code.CODE_UNSPECIFIED if found.eligible else code_of(word),
        )
    return response


def read_standings(answer: object, page: int, seen_at: datetime) -> pb.ListStandingsResponse:
    """A page of penalties and results. A penalty without an end is left out: nothing could be stated of it."""
    found = CandidateResultsPage.model_validate(answer)
    response = pb.ListStandingsResponse(
        has_more=_has_more(found.pagination, page, len(found.data), STANDINGS_A_PAGE), seen_at=_stamp(seen_at)
    )
    for item in found.data:
        standing = response.standings.add(rdvpermis_candidate_id=item.candidate, category=item.group)
        for penalty in item.penalties:
            if penalty.until is not None:
                standing.penalties.add(reason=verbatim(penalty.reason), until=_stamp(penalty.until))
        for result in item.results:
            standing.results.add(
                exam_id=result.exam or "",
                passed=result.passed,
                points=result.points,
                at=_stamp(result.at) if result.at else None,
            )
    return response


def read_employees(answer: object) -> pb.ListEmployeesResponse:
    """The list of employees [seen] → ListEmployeesResponse, in RdvPermis' order."""
    rows = _EMPLOYEES.validate_python(answer)
    employees = [pb.RdvEmployee(id=one.id, first_name=one.first_name, last_name=one.last_name) for one in rows]
    return pb.ListEmployeesResponse(employees=employees)


def read_favourites(answer: object) -> pb.ListFavouritesResponse:
    """Favourite centres of all licence groups [seen] → ListFavouritesResponse, each with its priority."""
    rows = _FAVOURITES.validate_python(answer)
    favourites = [pb.RdvFavourite(category=one.group, centre_id=one.centre, priority=one.priority) for one in rows]
    return pb.ListFavouritesResponse(favourites=favourites)


def read_basket(answer: object) -> pb.RdvBasket:
    """A basket (GET or POST /paniers) → RdvBasket; an unnamed line has an empty candidate."""
    return _basket(Basket.model_validate(answer))


def read_baskets(answer: object) -> pb.ListBasketsResponse:
    """The list of GET /paniers → ListBasketsResponse; empty when the school has none."""
    return pb.ListBasketsResponse(baskets=[_basket(basket) for basket in _BASKETS.validate_python(answer)])


def _basket(found: Basket) -> pb.RdvBasket:
    lines = [pb.RdvBasketLine(slot_id=line.slot, rdvpermis_candidate_id=line.candidate or "") for line in found.lines]
    return pb.RdvBasket(id=found.id, expires_at=_stamp(found.expires), lines=lines)


def read_added(answer: object, status: int, asked: Sequence[str]) -> tuple[list[pb.HoldResult], Timestamp | None]:
    """What became of each slot asked, and when the basket ends: 201 is a basket, 207 two lists and a basket.

    A slot that neither names is unknown; an end that a 207 does not give is absent.
    """
    if status == 207:
        both = Added.model_validate(answer)
        held = set(both.added)
        refused = {(f.slot if isinstance(f, NotAdded) else f): _word(f) for f in both.failed}
        basket = both.basket
    else:
        basket = Basket.model_validate(answer)
        held, refused = {line.slot for line in basket.lines}, {}
    results = []
    for slot_id in asked:
        if slot_id in held:
            results.append(pb.HoldResult(slot_id=slot_id, outcome=pb.HoldResult.OUTCOME_HELD))
        elif slot_id in refused:
            results.append(refused_line(slot_id, refused[slot_id]))
        else:
            results.append(pb.HoldResult(slot_id=slot_id, outcome=pb.HoldResult.OUTCOME_UNKNOWN))
    return results, _stamp(basket.expires) if basket is not None else None


def _word(failed: "str | NotAdded") -> str:
    """Why a slot did not enter, where RdvPermis states it."""
    return verbatim(failed.code) if isinstance(failed, NotAdded) else ""


def refused_line(slot_id: str, word: str) -> pb.HoldResult:
    """A line that RdvPermis refused; without a word, that the slot is not to be had is all we know."""
    outcome = pb.HoldResult.OUTCOME_REFUSED
    code = code_of(word) if word else Code.CODE_RDVPERMIS_SLOT_GONE
    return pb.HoldResult(slot_id=slot_id, outcome=outcome, rdvpermis_code=word, code=code)


def read_validation(answer: object) -> pb.ValidateBasketResponse:
    """The answer of valider → a result a line: the exam's id, or RdvPermis' code and ours."""
    response = pb.ValidateBasketResponse()
    for line in Validation.model_validate(answer).data:
        word = "" if line.booked else verbatim(line.code)
        response.results.add(
            slot_id=line.slot,
            booked=line.booked,
            exam_id=line.exam or "",
            rdvpermis_code=word,
            code=Code.CODE_UNSPECIFIED if line.booked else code_of(word),
        )
    return response


def read_exams(answer: object, where: ZoneInfo, page: int) -> tuple[list[pb.RdvExam], bool]:
    """A page of exams, and whether more follow."""
    found = ExamPage.model_validate(answer)
    exams = [_exam(exam, where) for exam in found.data]
    return exams, _has_more(found.pagination, page, len(exams), EXAMS_A_PAGE)


def read_swappable(answer: object, where: ZoneInfo) -> pb.ListSwappableResponse:
    """Exams that one may change places with: a plain list [default]."""
    return pb.ListSwappableResponse(exams=[_exam(exam, where) for exam in _EXAMS.validate_python(answer)])


def _exam(exam: Exam, where: ZoneInfo) -> pb.RdvExam:
    return pb.RdvExam(
        id=exam.id,
        slot_id=exam.slot or "",
        rdvpermis_candidate_id=exam.candidate or "",
        changeable=exam.changeable,
        cancelled=exam.cancelled,
        starts_at=_stamp(exam.starts, where) if exam.starts else None,
        slot=_slot(exam.place, where) if exam.place else None,
        status=exam.status or "",
    )


def read_replacements(answer: object) -> pb.GetReplacementsResponse:
    """Replacements of the month asked about → how many a month has, and how many are left."""
    found = Replacements.model_validate(answer)
    return pb.GetReplacementsResponse(per_month=found.per_month, left=found.left)
