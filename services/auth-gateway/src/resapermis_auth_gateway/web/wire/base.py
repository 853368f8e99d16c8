"""What the resources share: fields, ids and words, times, verdicts, reasons, candidates' names."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Path, Query
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict
from pydantic.alias_generators import to_camel

from resapermis.errors.v1 import errors_pb2
from resapermis.verdict.v1.verdict_pb2 import Verdict
from resapermis_auth_gateway.web.texts.remedies import remedy_of
from resapermis_auth_gateway.web.texts.sentences import Language, sentence
from resapermis_persons.addresses import clean_address
from resapermis_persons.names import written_line, written_name
from resapermis_places.table import CODE_PATTERN, PARIS

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$"
Id = Annotated[str, Field(pattern=ID_PATTERN, description="An id of ours or of RdvPermis, opaque.")]
Category = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{0,3}$", description="Licence group of RdvPermis: B, A, CE.")]
Department = Annotated[str, Field(pattern=CODE_PATTERN, description="94, 2A, 971.")]


def _no_control(value: str) -> str:
    if any(ord(char) < 32 or 0xD800 <= ord(char) <= 0xDFFF for char in value):
        raise ValueError("no control characters")
    return value


def _one_of_two(value: object) -> object:
    if value not in {"true", "false"}:
        raise ValueError("true or false")
    return value


Flag = Annotated[bool, Strict()]
"""Of a body: true or false, and no number or word that pydantic would take for one of them."""
QueryFlag = Annotated[bool, BeforeValidator(_one_of_two)]
"""Of an address: the words true and false."""
Text = Annotated[str, AfterValidator(_no_control), AfterValidator(written_line)]
"""One line as somebody typed it, in its one written form."""
PersonName = Annotated[Text, AfterValidator(written_name)]
Email = Annotated[Text, AfterValidator(clean_address)]
Clock = Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", description="08:30, at the centre.")]
Month = Annotated[str, Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$", description="2026-12.")]
Kind = Literal["CIRCULATION", "PLATEAU"]
Weekday = Annotated[int, Field(ge=1, le=7, description="Monday is 1.")]
Label = Annotated[Text, Field(min_length=1, max_length=80)]
LocalMoment = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]$", description="2026-12-09T08:32, there."
    ),
]
_CURSOR = {"max_length": 500, "pattern": r"^[\x21-\x7e]*$", "description": "`nextCursor` of the page before."}
Cursor = Annotated[str, Query(**_CURSOR)]
CursorText = Annotated[str, Field(**_CURSOR)]
Limit = Annotated[int, Query(ge=1, le=100, description="Items a page.")]
PathId = Annotated[str, Path(pattern=ID_PATTERN)]
Names = Mapping[str, str]
"""candidate_id → "Léa Martin", for those whom the asker may see."""


class Body(BaseModel):
    """A question's body: camelCase outside, nothing that we do not know."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class View(BaseModel):
    """An answer: camelCase outside; an absent value is null and never left out."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, json_schema_serialization_defaults_required=True
    )


def instant(moment: Timestamp) -> datetime:
    """UTC-aware, to the microsecond; a third of the time that protobuf's own ToDatetime takes, twice a slot of a search."""
    return datetime.fromtimestamp(moment.seconds, UTC).replace(microsecond=moment.nanos // 1000)


def optional_instant(message: Message, field: str) -> datetime | None:
    """The instant of a Timestamp field; None where the message does not have it."""
    return instant(getattr(message, field)) if message.HasField(field) else None


def optional_figure(message: Message, field: str) -> Any:
    """The value of an `optional` field; None where the message does not have it."""
    return getattr(message, field) if message.HasField(field) else None


def local_time(moment: Timestamp, zone: str) -> str:
    """Hours on the clock of `zone`, "2026-12-09T08:32"; Paris' clock for an empty or unknown zone."""
    try:
        place = ZoneInfo(zone or PARIS)
    except (ZoneInfoNotFoundError, ValueError):
        place = ZoneInfo(PARIS)
    return instant(moment).astimezone(place).replace(tzinfo=None).isoformat(timespec="minutes")


def enum_field(kind: Any, prefix: str) -> Any:
    """A pydantic Field whose schema lists a protobuf enum's values as lower-case names: LINE_STATE_HELD is "held"."""
    return Field(json_schema_extra={"enum": [enum_word(kind, number, prefix) for number in kind.values()]})


def enum_word(kind: Any, number: int, prefix: str) -> str:
    """An enum value as its lower-case name without `prefix`; "unspecified" for one that only a newer service knows."""
    try:
        return str(kind.Name(number)).removeprefix(prefix).lower()
    except ValueError:
        return "unspecified"


class VerdictView(View):
    """What one rule decides: its id, whether it allows, the facts it looked at, its legal source."""

    rule: str
    allowed: bool
    facts: dict[str, str]
    source: str
    opens_at: datetime | None = None
    remedy: str | None = None

    @classmethod
    def of(cls, verdict: Verdict) -> "VerdictView":
        """From verdict.v1.Verdict; an empty remedy is null."""
        return cls(
            rule=verdict.rule,
            allowed=verdict.allowed,
            facts=dict(verdict.facts),
            source=verdict.source,
            opens_at=optional_instant(verdict, "opens_at"),
            remedy=verdict.remedy or None,
        )


class ReasonView(View):
    """Why a line is refused, with a sentence in the reader's language."""

    code: str
    detail: str
    remedy: str | None = None
    rdvpermis_code: str | None = None
    verdicts: list[VerdictView]
    retry_at: datetime | None = None
    error_id: str | None = None

    @classmethod
    def of(cls, refusal: errors_pb2.Refusal, language: Language) -> "ReasonView":
        """From errors.v1.Refusal, with the code's sentence and the first remedy; empty texts are null."""
        code = enum_word(errors_pb2.Code, refusal.code, "CODE_").upper()
        return cls(
            code=code,
            detail=sentence(code, language).detail,
            remedy=remedy_of(code, refusal.verdicts),
            rdvpermis_code=refusal.rdvpermis_code or None,
            verdicts=[VerdictView.of(verdict) for verdict in refusal.verdicts],
            retry_at=optional_instant(refusal, "retry_at"),
            error_id=refusal.error_id or None,
        )


class CandidateNameView(View):
    """A candidate as a list shows them; "…3f9a" where the name was not read, or cannot be now."""

    id: str
    display_name: str

    @classmethod
    def of(cls, candidate_id: str, names: Names) -> "CandidateNameView | None":
        """The candidate with their name of `names`, or the end of the id; None for an empty id."""
        if not candidate_id:
            return None
        return cls(id=candidate_id, display_name=names.get(candidate_id) or f"…{candidate_id[-4:]}")
