"""Protobuf ↔ domain: parsed once on the way in, written once on the way out."""

from collections.abc import Iterable
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from resapermis.mandate.v1 import mandate_pb2 as pb
from resapermis_kit.errors import malformed
from resapermis_mandate import domain
from resapermis_mandate.domain import Identity, Mandate, SealedCandidate, State
from resapermis_vault.normalisation import normalise_neph

STATES = {state: pb.MandateState.Value(f"MANDATE_STATE_{state.name}") for state in State}
BY_NUMBER = {number: state for state, number in STATES.items()}


def _neph(text: str) -> str:
    found = normalise_neph(text)
    if len(found) > domain.LONGEST_NEPH or not found.isprintable():
        msg = f"at most {domain.LONGEST_NEPH} characters"
        raise ValueError(msg)
    return found


_CLEAN = {"last_name": domain.clean_name, "first_name": domain.clean_name, "neph": _neph, "email": domain.clean_email}


def _cleaned(field: str, text: str) -> str:
    try:
        return _CLEAN[field](text)
    except ValueError as error:
        raise malformed(field, str(error)) from None


def parse_identity(request: pb.CreateCandidateRequest) -> Identity:
    """The candidate's fields; MALFORMED names the first that is wrong, without its value."""
    return Identity(**{field: _cleaned(field, getattr(request, field)) for field in _CLEAN})


def parse_correction(request: pb.UpdateCandidateRequest) -> dict[str, str]:
    """The fields that are given, cleaned; MALFORMED names the first that is wrong, without its value."""
    given = {descriptor.name: value for descriptor, value in request.ListFields()}
    return {field: _cleaned(field, given[field]) for field in _CLEAN if field in given}


def parse_category(text: str) -> str:
    """A licence group as RdvPermis spells it (groupePermis); MALFORMED otherwise."""
    if not domain.CATEGORY.fullmatch(text):
        raise malformed("category", "a licence group such as B, A or CE")
    return text


def parse_gearbox(text: str) -> str:
    """Gearbox "manual" (also for "") or "automatic"; MALFORMED otherwise."""
    if text and text not in domain.GEARBOXES:
        raise malformed("gearbox", "manual or automatic")
    return text or "manual"


def parse_state(number: pb.MandateState.ValueType) -> State | None:
    """pb.MandateState → the state to filter by; None (every state) for any other number."""
    return BY_NUMBER.get(number)


def _at(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    found = Timestamp()
    found.FromDatetime(moment)
    return found


def mandate_message(mandate: Mandate) -> pb.Mandate:
    """A mandate → pb.Mandate."""
    return pb.Mandate(
        id=str(mandate.id),
        candidate_id=str(mandate.candidate_id),
        category=mandate.category,
        gearbox=mandate.gearbox,
        state=STATES[mandate.state],
        since=_at(mandate.since),
        expires_at=_at(mandate.expires_at),
        rdvpermis_code=mandate.rdvpermis_code,
        rdvpermis_candidate_id=mandate.rdvpermis_candidate_id,
        seen_at=_at(mandate.seen_at),
    )


def mandate_answer(question: pb.MandateQuestion, mandate: Mandate | None) -> pb.MandateAnswer:
    """The best mandate found for a question; without one, the question given back and nothing more."""
    answer = pb.MandateAnswer(candidate_id=question.candidate_id, category=question.category)
    if mandate is not None:
        answer.candidate_id = question.candidate_id or str(mandate.candidate_id)
        answer.category, answer.gearbox = mandate.category, mandate.gearbox
        answer.state, answer.active = STATES[mandate.state], mandate.state == State.ACTIVE
        answer.rdvpermis_candidate_id = mandate.rdvpermis_candidate_id
    return answer


def candidate_message(sealed: SealedCandidate, identity: Identity, mandates: Iterable[Mandate]) -> pb.Candidate:
    """A candidate with their opened identity and their mandates → pb.Candidate."""
    return pb.Candidate(
        id=str(sealed.id),
        last_name=identity.last_name,
        first_name=identity.first_name,
        neph=identity.neph,
        email=identity.email,
        created_at=_at(sealed.created_at),
        mandates=[mandate_message(mandate) for mandate in mandates],
        neph_unusual=domain.neph_unusual(identity.neph),
        version=sealed.version,
    )
