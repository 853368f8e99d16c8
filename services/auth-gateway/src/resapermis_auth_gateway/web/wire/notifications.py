"""Notices."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from resapermis.notification.v1 import notification_pb2
from resapermis_auth_gateway.web.wire.base import CandidateNameView, Names, View, optional_instant

Level = Annotated[str, Field(json_schema_extra={"enum": ["info", "success", "warning", "danger"]})]


class BothLanguages(View):
    """The same sentence in French and in English."""

    fr: str
    en: str


class NoticeView(View):
    """A notice of the school's inbox: what happened, and when this account read it (null: not yet)."""

    id: str
    kind: str
    level: Level
    occurred_at: datetime | None = None
    read_at: datetime | None = None
    text: BothLanguages
    facts: dict[str, str]
    candidate: CandidateNameView | None = None
    object_id: str | None = None

    @classmethod
    def of(cls, notice: notification_pb2.Notice, names: Names) -> "NoticeView":
        """From notification.v1.Notice, with the candidate's name from `names`."""
        return cls(
            id=notice.id,
            kind=notice.kind,
            level=notice.level or "info",
            occurred_at=optional_instant(notice, "occurred_at"),
            read_at=optional_instant(notice, "read_at"),
            text=BothLanguages(fr=notice.text_fr, en=notice.text_en),
            facts=dict(notice.facts),
            candidate=CandidateNameView.of(notice.candidate_id, names),
            object_id=notice.object_id or None,
        )


class NoticePage(View):
    """One page of notices, newest first; `unread` counts those that the account has not read."""

    items: list[NoticeView]
    next_cursor: str | None = None
    unread: int
    server_time: datetime
