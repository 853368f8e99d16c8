"""The seeded world under the truth that changes, with the questions that both answer. No HTTP, no clock of its own."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime

from rdvpermis_sandbox.domain import seed
from rdvpermis_sandbox.domain.model import Basket, Candidate, Exam, Mandate, Refused, School, Slot, Truth
from rdvpermis_sandbox.domain.seed import PARIS, World


class State:
    """World and truth, with the indexes that make each question cheap. Every change happens in one call, unbroken."""

    def __init__(self, number: int, schools: int, now: datetime, truth: Truth | None = None) -> None:
        self.number, self.school_count = number, schools
        self.world: World = seed.world(number, schools)
        self.truth = truth or Truth(seeded_on=now.astimezone(PARIS).date())
        self.calls: Counter[str] = Counter()
        """`employee|operation` → API calls since the start."""
        self.dirty = False
        self._index(now)

    def reset(self, now: datetime) -> None:
        """Back to the seed as of now; sign-ins and keys stay."""
        old = self.truth
        fresh = Truth(
            seeded_on=now.astimezone(PARIS).date(),
            grants=old.grants,
            refreshes=old.refreshes,
            accesses=old.accesses,
            sessions=old.sessions,
            keys=old.keys,
            clock_offset_seconds=old.clock_offset_seconds,
            clock_frozen_at=old.clock_frozen_at,
        )
        fresh.counter = old.counter
        self.truth = fresh
        self.world = seed.world(self.number, self.school_count)
        self.calls.clear()
        self.dirty = True
        self._index(now)

    def _index(self, now: datetime) -> None:
        world, truth = self.world, self.truth
        world.grow(truth.seeded_on, now)
        for slot in truth.extra_slots.values():
            world.add(slot)
        for person in truth.extra_candidates.values():
            self.know(person)
        self.email_owner = {p.email: p.id for p in world.candidates.values() if p.email}
        self.email_owner.update({email: candidate for candidate, email in truth.emails.items()})
        self.held: dict[str, str] = {}
        self.in_basket: dict[str, str] = {}
        for basket in truth.baskets.values():
            for slot_id, candidate in basket.lines.items():
                self.held[slot_id] = basket.id
                if candidate:
                    self.in_basket[candidate] = basket.id
        self.booked: dict[str, str] = {}
        self.exams_of: defaultdict[str, list[str]] = defaultdict(list)
        self.exams_by_candidate: defaultdict[str, list[str]] = defaultdict(list)
        for exam in truth.exams.values():
            self.note_exam(exam)
        self.mandates_of: defaultdict[str, list[Mandate]] = defaultdict(list)
        self.by_school: defaultdict[str, list[Mandate]] = defaultdict(list)
        began = datetime.combine(truth.seeded_on, datetime.min.time(), UTC)
        for candidate, (school, group) in world.mandated.items():
            name = f"ma-{candidate.removeprefix('ca-')}"
            self.note_mandate(truth.mandates.get(name) or Mandate(name, candidate, school, group, "ACCEPTE", began))
        for mandate in truth.mandates.values():
            if mandate.candidate not in world.mandated or mandate.id != f"ma-{mandate.candidate.removeprefix('ca-')}":
                self.note_mandate(mandate)

    def know(self, person: Candidate) -> None:
        """Add a candidate who was not seeded."""
        self.world.candidates[person.id] = self.world.by_neph[person.neph] = person

    def new_id(self, kind: str) -> str:
        """The next id of a kind, as `ex-17`."""
        self.truth.counter += 1
        return f"{kind}-{self.truth.counter}"

    def note_mandate(self, mandate: Mandate) -> None:
        """Index a mandate by candidate and school."""
        self.mandates_of[mandate.candidate].append(mandate)
        self.by_school[mandate.school].append(mandate)

    def note_exam(self, exam: Exam) -> None:
        """Index a booking by slot, school and candidate."""
        if exam.state != "ANNULE":
            self.booked[exam.slot] = exam.id
        self.exams_of[exam.school].append(exam.id)
        if exam.candidate:
            self.exams_by_candidate[exam.candidate].append(exam.id)

    def touch(self, now: datetime) -> None:
        """Let time pass: baskets that ran out give their slots back, the horizon moves."""
        for basket in [each for each in self.truth.baskets.values() if each.expires <= now]:
            self.drop(basket)
        if self.world.until is None or self.world.until < now.astimezone(PARIS).date() + seed.HORIZON:
            self.world.grow(self.truth.seeded_on, now)

    def drop(self, basket: Basket) -> None:
        """Forget a basket and free what it held."""
        for slot_id in list(basket.lines):
            self.unhold(basket, slot_id)
        self.truth.baskets.pop(basket.id, None)
        self.dirty = True

    def unhold(self, basket: Basket, slot_id: str) -> None:
        """Take one line out of a basket."""
        candidate = basket.lines.pop(slot_id)
        self.held.pop(slot_id, None)
        if candidate:
            self.in_basket.pop(candidate, None)

    def school(self, school_id: str) -> School:
        """A school by id; KeyError for control's mistakes."""
        return self.world.schools[school_id]

    def fte(self, school_id: str) -> float | None:
        """Full-time trainers as last declared, else as seeded; None where nothing was ever declared."""
        return self.truth.declared.get(school_id, self.world.schools[school_id].fte)

    def slot(self, slot_id: str, now: datetime) -> Slot:
        """A published slot; Refused CRENEAU_INCONNU otherwise."""
        found = self.world.slots.get(slot_id)
        if found is None or found.published > now:
            raise Refused("CRENEAU_INCONNU")
        return found

    def candidate(self, candidate_id: str) -> Candidate:
        """A candidate by id; Refused CANDIDAT_INCONNU otherwise."""
        found = self.world.candidates.get(candidate_id)
        if found is None:
            raise Refused("CANDIDAT_INCONNU")
        return found

    def email(self, person: Candidate) -> str | None:
        """The address to write to, given since or seeded."""
        return self.truth.emails.get(person.id, person.email)

    def taken(self, slot: Slot) -> bool:
        """Booked or held by anyone, here or in the seed."""
        return slot.id in self.booked or slot.id in self.held or self.taken_elsewhere(slot)

    def taken_elsewhere(self, slot: Slot) -> bool:
        """Whether the seed has it taken; never one that was published through control."""
        if slot.id in self.truth.extra_slots:
            return False
        return seed.seeded_taken(slot, self.number)

    def slots_on(self, group: str, centre: str, day: date, now: datetime) -> list[Slot]:
        """What is published for a group at a centre on a day, in order of hour."""
        found = self.world.index.get((group, centre, day), [])
        return sorted((slot for slot in found if slot.published <= now), key=lambda slot: (slot.starts, slot.id))

    def school_exams(self, school_id: str) -> Iterator[tuple[Exam, Slot]]:
        """A school's bookings with their slots."""
        for exam_id in self.exams_of.get(school_id, []):
            exam = self.truth.exams[exam_id]
            yield exam, self.world.slots[exam.slot]

    def baskets(self, school_id: str) -> list[Basket]:
        """The school's baskets that have not run out."""
        return [basket for basket in self.truth.baskets.values() if basket.school == school_id]

    def month_count(self, school_id: str, group: str, month: tuple[int, int]) -> int:
        """Slots of a group that a school has booked or holds in a month."""
        slots = [slot for exam, slot in self.school_exams(school_id) if exam.state != "ANNULE"]
        slots += [self.world.slots[slot_id] for basket in self.baskets(school_id) for slot_id in basket.lines]
        return sum(slot.group == group and (slot.starts.year, slot.starts.month) == month for slot in slots)

    def mandate(self, candidate_id: str, school_id: str, group: str) -> Mandate | None:
        """The accepted mandate of a school for a candidate's category."""
        for mandate in self.mandates_of.get(candidate_id, []):
            if (mandate.school, mandate.group, mandate.state) == (school_id, group, "ACCEPTE"):
                return mandate
        return None
