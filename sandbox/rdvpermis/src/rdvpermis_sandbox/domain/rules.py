"""What RdvPermis allows and refuses, and what its acts change. Pure over State; `now` is an argument.

Each function is one act or one judgement; a refusal is `Refused(code)`.
"""

from datetime import datetime, timedelta
from math import floor

from rdvpermis_sandbox.domain.model import (
    Basket,
    Candidate,
    Employee,
    Exam,
    Mandate,
    Penalty,
    Refused,
    Result,
    School,
    Slot,
)
from rdvpermis_sandbox.domain.seed import PARIS
from rdvpermis_sandbox.domain.state import State

BASKET_LIFE = timedelta(minutes=15)
BASKET_SIZE = 36
TERRITORY = timedelta(hours=48)
RATE_PER_FTE = 4.5
API_SHARE_FIRST, API_FULL_DAY = 0.6, 15
REPLACEMENTS = 5
LATE, LATE_PENALTY, ABSENCE_PENALTY = timedelta(days=6), timedelta(days=30), timedelta(days=40)
FAILURE_DAYS = ((17, 7), (14, 14), (10, 21), (5, 28), (0, 35))
"""Points from → days of penalty; the monthly numbers above are [default], penalties [fact], their scale [default]."""


def limit(state: State, school_id: str) -> int:
    """Slots a month and group: floor(rate × declared trainers)."""
    return floor(RATE_PER_FTE * (state.fte(school_id) or 0))


def api_limit(state: State, school_id: str, month: tuple[int, int], now: datetime) -> int:
    """The part of the threshold open to programs: 60 % on the 1st, all from the 15th; for later months as on the 1st [default]."""
    today = now.astimezone(PARIS)
    if month < (today.year, today.month):
        return limit(state, school_id)
    day = today.day if month == (today.year, today.month) else 1
    grown = (1 - API_SHARE_FIRST) * min(day - 1, API_FULL_DAY - 1) / (API_FULL_DAY - 1)
    return floor(limit(state, school_id) * (API_SHARE_FIRST + grown) + 1e-9)


def status(state: State, slot: Slot, school: School) -> str:
    """`statutDeReservation` as this school sees it. A basket of one's own counts as one's own [default]."""
    if slot.id in state.truth.withdrawn:
        return "ANNULÉ"
    exam = state.booked.get(slot.id)
    if exam is not None:
        mine = state.truth.exams[exam].school == school.id
        return "RÉSERVÉ_PAR_MON_AUTO_ÉCOLE" if mine else "RÉSERVÉ_PAR_AUTRE_AUTO_ÉCOLE"
    basket = state.held.get(slot.id)
    if basket is not None:
        return "RÉSERVÉ_PAR_MON_AUTO_ÉCOLE" if state.truth.baskets[basket].school == school.id else "RÉSERVÉ"
    if state.taken_elsewhere(slot):
        return "RÉSERVÉ_PAR_AUTRE_AUTO_ÉCOLE"
    month = (slot.starts.year, slot.starts.month)
    if state.month_count(school.id, slot.group, month) >= limit(state, school.id):
        return "SEUIL_ATTEINT"
    return "DISPONIBLE"


def judge_slot(state: State, slot: Slot, school: School, now: datetime) -> None:
    """May this school take this slot now? Published is checked by whoever found the slot."""
    if slot.id in state.truth.withdrawn or slot.starts_utc <= now:
        raise Refused("CRENEAU_NON_DISPONIBLE")
    if state.taken(slot):
        raise Refused("CRENEAU_DEJA_RESERVE")
    if slot.department != school.department and now < slot.published + TERRITORY:
        raise Refused("CRENEAU_NON_DISPONIBLE")
    if not state.fte(school.id):
        raise Refused("AUTO_ECOLE_NA_AUCUNE_DECLARATION")
    month = (slot.starts.year, slot.starts.month)
    count = state.month_count(school.id, slot.group, month)
    if count >= limit(state, school.id):
        raise Refused("CRENEAU_NON_RESERVABLE_SEUIL_ATTEINT")
    if count >= api_limit(state, school.id, month, now):
        raise Refused("CRENEAU_NON_RESERVABLE_PLAFOND_ATTEINT")


def judge_candidate(state: State, person: Candidate, slot: Slot, school: School, now: datetime) -> None:
    """May this school name this candidate for this slot now? Baskets are judged by `name`."""
    if state.mandate(person.id, school.id, slot.group) is None:
        raise Refused("CANDIDAT_PAS_SOUS_MANDAT")
    results = state.truth.results.get(person.id, [])
    if slot.group in person.obtained or any(each.passed and each.group == slot.group for each in results):
        raise Refused("CANDIDAT_AYANT_DEJA_OBTENU_SON_EXAMEN")
    if any(penalty.until > now for penalty in penalties(state, person, slot.group)):
        raise Refused("CANDIDAT_SOUS_PENALITE")
    for exam_id in state.exams_by_candidate.get(person.id, []):
        exam = state.truth.exams[exam_id]
        other = state.world.slots[exam.slot]
        if exam.state != "PROGRAMME" or exam.candidate != person.id or other.group != slot.group:
            continue
        if other.starts_utc <= now:
            raise Refused("CANDIDAT_EN_ATTENTE_DE_RESULTAT")
        if other.kind == slot.kind:
            raise Refused("CANDIDAT_DEJA_INSCRIT")


def penalties(state: State, person: Candidate, group: str) -> list[Penalty]:
    """A candidate's penalties in a group, past ones too."""
    seeded = []
    if person.penalty_days and person.group:
        began = datetime.combine(state.truth.seeded_on, datetime.min.time(), PARIS)
        seeded = [Penalty(began + timedelta(days=person.penalty_days), "ABSENCE", person.group)]
    return [each for each in seeded + state.truth.penalties.get(person.id, []) if each.group == group]


def open_basket(state: State, employee: Employee, owner: str | None, now: datetime) -> Basket:
    """A new basket for 15 minutes, in one's own name or a colleague's."""
    chosen = state.world.employees.get(owner) if owner else employee
    if chosen is None:
        raise Refused("EMPLOYE_AUTO_ECOLE_INEXISTANT")
    if chosen.school != employee.school:
        raise Refused("EMPLOYE_N_APPARTIENT_PAS_A_AUTO_ECOLE")
    basket = Basket(state.new_id("pa"), employee.school, chosen.id, now, now + BASKET_LIFE)
    state.truth.baskets[basket.id] = basket
    state.dirty = True
    return basket


def basket_of(state: State, basket_id: str, employee: Employee) -> Basket:
    """An open basket of the asking school."""
    basket = state.truth.baskets.get(basket_id)
    if basket is None:
        raise Refused("PANIER_INCONNU")
    if basket.school != employee.school:
        raise Refused("ACTION_INTERDITE")
    return basket


def add_slot(state: State, basket: Basket, slot_id: str, now: datetime) -> None:
    """Hold a slot in a basket."""
    slot = state.slot(slot_id, now)
    if len(basket.lines) >= BASKET_SIZE:
        raise Refused("PANIER_PLEIN")
    if basket.lines and state.world.slots[next(iter(basket.lines))].group != slot.group:
        raise Refused("CRENEAU_DE_GROUPE_DIFFERENT")
    judge_slot(state, slot, state.school(basket.school), now)
    basket.lines[slot.id] = None
    state.held[slot.id] = basket.id
    state.dirty = True


def remove_slot(state: State, basket: Basket, slot_id: str) -> None:
    """Take one slot out of a basket and free it; Refused where the basket does not have it."""
    if slot_id not in basket.lines:
        raise Refused("CRENEAU_PAS_DANS_LE_PANIER")
    state.unhold(basket, slot_id)
    state.dirty = True


def name(state: State, basket: Basket, slot_id: str, candidate_id: str | None, now: datetime) -> None:
    """Name a line's candidate, or nobody."""
    if slot_id not in basket.lines:
        raise Refused("CRENEAU_PAS_DANS_LE_PANIER")
    before = basket.lines[slot_id]
    if candidate_id is not None and candidate_id != before:
        person = state.candidate(candidate_id)
        judge_candidate(state, person, state.world.slots[slot_id], state.school(basket.school), now)
        if candidate_id in state.in_basket:
            raise Refused("CANDIDAT_DEJA_DANS_PANIER")
    if before:
        state.in_basket.pop(before, None)
    basket.lines[slot_id] = candidate_id
    if candidate_id:
        state.in_basket[candidate_id] = basket.id
    state.dirty = True


def must_name(state: State, school_id: str) -> bool:
    """`estCandidatObligatoire`: all schools but those set free through control."""
    return school_id not in state.truth.nameless_schools


def validate(state: State, basket: Basket, now: datetime) -> list[tuple[str, Exam | None, str | None]]:
    """Book each line that may be; the others stay in the basket with their code."""
    if not basket.lines:
        raise Refused("PARAMETRE_INVALIDE")
    school = state.school(basket.school)
    answers: list[tuple[str, Exam | None, str | None]] = []
    for slot_id, candidate_id in list(basket.lines.items()):
        slot = state.world.slots[slot_id]
        try:
            _judge_line(state, slot, candidate_id, school, now)
        except Refused as refusal:
            answers.append((slot_id, None, refusal.code))
            continue
        state.unhold(basket, slot_id)
        answers.append((slot_id, book(state, slot, school.id, candidate_id, now), None))
    state.dirty = True
    return answers


def _judge_line(state: State, slot: Slot, candidate_id: str | None, school: School, now: datetime) -> None:
    if slot.id in state.truth.withdrawn or slot.starts_utc <= now:
        raise Refused("CRENEAU_NON_DISPONIBLE")
    if candidate_id is not None:
        judge_candidate(state, state.candidate(candidate_id), slot, school, now)
    elif must_name(state, school.id):
        raise Refused("EXAMEN_NON_NOMINATIF")


def book(state: State, slot: Slot, school_id: str, candidate_id: str | None, now: datetime) -> Exam:
    """Store a booking that was judged before, and return it."""
    exam = Exam(state.new_id("ex"), slot.id, school_id, candidate_id, "PROGRAMME", now)
    state.truth.exams[exam.id] = exam
    state.note_exam(exam)
    state.dirty = True
    return exam


def exam_of(state: State, exam_id: str, employee: Employee) -> tuple[Exam, Slot]:
    """A booking of the employee's school with its slot; Refused EXAMEN_INCONNU, ACTION_INTERDITE (another school's)."""
    exam = state.truth.exams.get(exam_id)
    if exam is None:
        raise Refused("EXAMEN_INCONNU")
    if exam.school != employee.school:
        raise Refused("ACTION_INTERDITE")
    return exam, state.world.slots[exam.slot]


def modifiable(exam: Exam, slot: Slot, now: datetime) -> bool:
    """`estModifiable`: booked, not begun, not locked through control [default]."""
    return exam.state == "PROGRAMME" and slot.starts_utc > now and not exam.locked


def _change(exam: Exam, slot: Slot, now: datetime) -> None:
    if exam.state == "ANNULE":
        raise Refused("EXAMEN_DEJA_ANNULE")
    if not modifiable(exam, slot, now):
        raise Refused("EXAMEN_NON_MODIFIABLE")


def cancel(state: State, exam: Exam, slot: Slot, now: datetime) -> None:
    """Give a booking back; six days or less before, the candidate has a penalty of 30 days."""
    _change(exam, slot, now)
    exam.state = "ANNULE"
    state.booked.pop(slot.id, None)
    if exam.candidate and slot.starts_utc - now <= LATE:
        penalty = Penalty(now + LATE_PENALTY, "ANNULATION_TARDIVE", slot.group)
        state.truth.penalties.setdefault(exam.candidate, []).append(penalty)
    state.dirty = True


def replacements_left(state: State, school_id: str, group: str, month: str) -> int:
    """What is left of the month's replacements; `month` as `2026-12`, of the exam."""
    return REPLACEMENTS - state.truth.replacements.get(f"{school_id}|{group}|{month}", 0)


def replace(state: State, exam: Exam, slot: Slot, candidate_id: str, now: datetime) -> None:
    """Give the booking to another candidate of the school."""
    _change(exam, slot, now)
    if exam.candidate is None:
        raise Refused("EXAMEN_NON_NOMINATIF")
    month = f"{slot.starts:%Y-%m}"
    if replacements_left(state, exam.school, slot.group, month) <= 0:
        raise Refused("NOMBRE_DE_REMPLACEMENTS_AUTORISES_ATTEINT")
    person = state.candidate(candidate_id)
    judge_candidate(state, person, slot, state.school(exam.school), now)
    if candidate_id in state.in_basket:
        raise Refused("CANDIDAT_DEJA_DANS_PANIER")
    key = f"{exam.school}|{slot.group}|{month}"
    state.truth.replacements[key] = state.truth.replacements.get(key, 0) + 1
    exam.candidate = candidate_id
    state.exams_by_candidate[candidate_id].append(exam.id)
    state.dirty = True


def swappable(state: State, exam: Exam, other: Exam, now: datetime) -> bool:
    """Two nominative, changeable bookings of one school, group and kind."""
    one, two = state.world.slots[exam.slot], state.world.slots[other.slot]
    same = (one.group, one.kind, exam.school) == (two.group, two.kind, other.school)
    named = exam.candidate is not None and other.candidate is not None
    return exam.id != other.id and same and named and modifiable(exam, one, now) and modifiable(other, two, now)


def permute(state: State, exam: Exam, other: Exam, now: datetime) -> None:
    """Two bookings swap their candidates."""
    if not swappable(state, exam, other, now):
        raise Refused("PERMUTATION_IMPOSSIBLE")
    exam.candidate, other.candidate = other.candidate, exam.candidate
    for each in (exam, other):
        state.exams_by_candidate[each.candidate or ""].append(each.id)
    state.dirty = True


def ask_mandate(
    state: State, school: str, neph: str, last_name: str, email: str | None, group: str, now: datetime
) -> Mandate:
    """A school requests a mandate; it waits for the candidate's answer."""
    person = state.world.by_neph.get("".join(neph.split()))
    if person is None or person.last_name.casefold() != last_name.strip().casefold():
        raise Refused("CANDIDAT_INCONNU")
    if email and state.email_owner.get(email, person.id) != person.id:
        raise Refused("EMAIL_DEJA_ATTRIBUE")
    if not email and state.email(person) is None:
        raise Refused("EMAIL_MANQUANT")
    if person.group != group:
        raise Refused("CANDIDAT_SANS_DEMANDE_ACTIVE")
    for mandate in state.mandates_of.get(person.id, []):
        if mandate.group == group and mandate.school == school and mandate.state in {"ACCEPTE", "EN_ATTENTE"}:
            raise Refused("CANDIDAT_DEJA_SOUS_MON_MANDAT")
        if mandate.group == group and mandate.state == "ACCEPTE":
            raise Refused("CANDIDAT_DEJA_SOUS_MANDAT")
    if email and state.email(person) is None:
        state.truth.emails[person.id] = email
        state.email_owner[email] = person.id
    return new_mandate(state, person.id, school, group, "EN_ATTENTE", now)


def new_mandate(state: State, candidate: str, school: str, group: str, begin: str, now: datetime) -> Mandate:
    """Store a mandate in the state `begin`: EN_ATTENTE, or ACCEPTE at once."""
    made = Mandate(state.new_id("ma"), candidate, school, group, begin, now)
    state.truth.mandates[made.id] = made
    state.note_mandate(made)
    state.dirty = True
    return made


def answer_mandate(state: State, mandate: Mandate, *, accept: bool) -> None:
    """The candidate's answer; accepting ends other schools' requests and mandates of the group [default]."""
    mandate.state = "ACCEPTE" if accept else "REFUSE"
    state.truth.mandates[mandate.id] = mandate
    if accept:
        for other in state.mandates_of[mandate.candidate]:
            if other is not mandate and other.group == mandate.group and other.state in {"ACCEPTE", "EN_ATTENTE"}:
                other.state = "TERMINE"
                state.truth.mandates[other.id] = other
    state.dirty = True


def publish_result(state: State, exam: Exam, points: int | None, now: datetime) -> Result | None:
    """The examiner's points of 31; 20 pass, None is an unjustified absence. A failure is a penalty, an absence a longer one."""
    if exam.candidate is None:
        raise Refused("EXAMEN_NON_NOMINATIF")
    group = state.world.slots[exam.slot].group
    state.dirty = True
    penalties_so_far = state.truth.penalties.setdefault(exam.candidate, [])
    if points is None:
        exam.state = "ABSENT"
        penalties_so_far.append(Penalty(now + ABSENCE_PENALTY, "ABSENCE", group))
        return None
    passed = points >= 20
    exam.state = "REUSSI" if passed else "ECHOUE"
    result = Result(exam.id, group, passed, points, now)
    state.truth.results.setdefault(exam.candidate, []).append(result)
    if not passed:
        days = next(days for least, days in FAILURE_DAYS if points >= least)
        penalties_so_far.append(Penalty(now + timedelta(days=days), "ECHEC", group))
    return result
