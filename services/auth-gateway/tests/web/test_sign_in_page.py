"""The page for who is between two sites: whatever it is given to say is text, never markup."""

from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.requests import Request

from resapermis_auth_gateway.web.sign_in import page
from resapermis_auth_gateway.web.wire.problem import ProblemView, body_of
from resapermis_kit.errors import Code, Failure

HOSTILE = '<img src=x onerror="alert(1)">&\'<script>alert(2)</script>'


@pytest.mark.req("S-05")
def test_a_sentence_with_markup_is_shown_as_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    def hostile(failure: Failure, language: Any) -> ProblemView:
        return body_of(failure, language).model_copy(update={"title": HOSTILE, "detail": HOSTILE})

    monkeypatch.setattr(f"{page.__name__}.body_of", hostile)
    request = Request({"type": "http", "headers": []})
    answer = page.render(Failure(Code.CODE_SIGN_IN_FAILED, "x"), request, datetime(2026, 12, 1, tzinfo=UTC))
    shown = bytes(answer.body).decode()
    assert "<img" not in shown
    assert "<script" not in shown
    assert shown.count("&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&amp;&#x27;") == 3
