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


def _page(failure: Failure, language: str) -> str:
    request = Request({"type": "http", "headers": [(b"accept-language", language.encode())]})
    return bytes(page.render(failure, request, datetime(2026, 12, 1, tzinfo=UTC)).body).decode()


@pytest.mark.req("S-01")
@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("missing", page.MISSING)
def test_who_is_let_in_by_no_further_sign_in_reads_what_is_missing_and_is_sent_in_no_circle(
    missing: str, language: Any
) -> None:
    shown = _page(Failure(Code.CODE_SIGN_IN_INCOMPLETE, "x", violations=[(missing, "not stated")]), language)
    assert page.MISSING[missing][language] in shown
    assert [text for other, text in page.MISSING.items() if other != missing and text[language] in shown] == []
    assert "/auth/login" not in shown
    assert "/auth/login" in _page(Failure(Code.CODE_SIGN_IN_FAILED, "x"), language)


@pytest.mark.req("S-01")
def test_a_reference_that_is_asked_for_is_shown() -> None:
    assert "Référence : 0199-a" in _page(Failure(Code.CODE_INTERNAL, "x", error_id="0199-a"), "fr")
    assert "Reference: JAMAIS_VU" in _page(
        Failure(Code.CODE_RDVPERMIS_UNEXPECTED, "x", rdvpermis_code="JAMAIS_VU"), "en"
    )
