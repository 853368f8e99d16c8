"""What browsers may ask: each body parsed once, unknown fields refused."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$"
Id = Annotated[str, Field(pattern=ID_PATTERN, description="An id of ours or of RdvPermis, opaque.")]
Category = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{0,3}$", description="Licence group of RdvPermis: B, A, CE.")]
Department = Annotated[str, Field(pattern=r"^([0-9]{2}|2A|2B|97[1-6])$", description="94, 2A, 971.")]


def _no_control(value: str) -> str:
    if any(ord(char) < 32 or 0xD800 <= ord(char) <= 0xDFFF for char in value):
        raise ValueError("no control characters")
    return value


Text = Annotated[str, AfterValidator(_no_control)]


class Body(BaseModel):
    """A question's body: camelCase outside, nothing that we do not know."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class NewCandidate(Body):
    """A candidate to write down."""

    last_name: Annotated[Text, Field(min_length=1, max_length=200)]
    first_name: Annotated[Text, Field(min_length=1, max_length=200)]
    neph: Annotated[Text, Field(min_length=1, max_length=40, description="NEPH as printed; leading zeros count.")]
    email: Annotated[Text, Field(min_length=3, max_length=254)] | None = None


class CandidateQuery(Body):
    """Whole words of a name, or a NEPH: never in an address."""

    query: Annotated[Text, Field(min_length=1, max_length=200)]


class NewMandate(Body):
    """A mandate to ask RdvPermis for."""

    candidate_id: Id
    category: Category
    gearbox: Literal["manual", "automatic"] | None = None


class Item(Body):
    """A slot to hold, and for whom if that is known."""

    slot_id: Id
    candidate_id: Id | None = None


class Hold(Body):
    """One action. How many slots it may have, R-GROUP says; the limit here only bounds the work of saying so."""

    items: Annotated[list[Item], Field(min_length=1, max_length=50)]
    together: bool = False


class Naming(Body):
    """Who takes the exam; null takes the name off."""

    candidate_id: Id | None


class Validation(Body):
    """Which group to validate."""

    group_id: Id


class Cancellation(Body):
    """Why a booking is given up."""

    reason: Literal["candidate_ill", "not_ready", "school", "other"]


class Replacement(Body):
    """Who takes the exam instead."""

    candidate_id: Id
