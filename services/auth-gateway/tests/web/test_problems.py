"""Every refusal becomes a problem that names what to do, in the reader's language."""

from datetime import timedelta
from typing import Any

import pytest

from resapermis.errors.v1 import errors_pb2
from resapermis.verdict.v1.verdict_pb2 import Verdict
from resapermis_auth_gateway.web.texts.sentences import CATALOGUE, language_of
from resapermis_auth_gateway.web.wire.problem import body_of, headers_of, status_of
from resapermis_kit.errors import Code, Failure

pytestmark = pytest.mark.req("S-05")
NAMES = [name.removeprefix("CODE_") for name in errors_pb2.Code.keys()]  # noqa: SIM118 - a protobuf enum is no mapping


@pytest.mark.parametrize("name", NAMES)
def test_each_code_has_a_status_and_a_sentence_in_both_languages(name: str) -> None:
    failure = Failure(errors_pb2.Code.Value(f"CODE_{name}"), "for the logs")
    assert status_of(failure) == 202 or 400 <= status_of(failure) < 600
    texts = {body_of(failure, "fr").detail, body_of(failure, "en").detail}
    assert len(texts) == 2
    for text in texts:
        assert text.endswith(".")
        assert len(text.split()) <= 25
        assert name not in text
    assert body_of(failure, "fr").type == f"urn:resapermis:problem:{name}"


def test_the_catalogue_has_nothing_else() -> None:
    assert set(CATALOGUE["fr"]) == set(CATALOGUE["en"]) == set(NAMES)


def test_the_detail_for_logs_stays_in_the_logs() -> None:
    failure = Failure(Code.CODE_NOT_FOUND, "row 12 of table x")
    assert "row 12" not in body_of(failure, "en").model_dump_json()


def test_a_refusal_by_a_rule_says_which_and_when(clock: Any) -> None:
    verdict = Verdict(
        rule="R-TERRITORY", allowed=False, facts={"slot_department": "91"}, source="charter 3.2", remedy="wait"
    )
    verdict.opens_at.FromDatetime(clock() + timedelta(hours=1))
    failure = Failure(
        Code.CODE_RULE_REFUSED,
        "",
        verdicts=[verdict],
        violations=[("items[0]", "x")],
        retry_at=clock() + timedelta(seconds=90.2),
    )
    body = body_of(failure, "fr").model_dump(mode="json", by_alias=True)
    assert body["status"] == 409
    assert body["verdicts"][0]["opensAt"] == (clock() + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    assert body["verdicts"][0] | {"opensAt": ""} == {
        "rule": "R-TERRITORY",
        "allowed": False,
        "facts": {"slot_department": "91"},
        "source": "charter 3.2",
        "opensAt": "",
        "remedy": "wait",
    }
    assert headers_of(failure, "fr", clock())["Retry-After"] == "91"


def test_retry_after_is_never_in_the_past(clock: Any) -> None:
    failure = Failure(Code.CODE_RDVPERMIS_BUDGET, "", retry_at=clock() - timedelta(hours=1))
    assert headers_of(failure, "fr", clock())["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "fr"),
        ("fr-FR,fr;q=0.9,en;q=0.8", "fr"),
        ("en-GB,en;q=0.9,fr;q=0.8", "en"),
        ("en", "en"),
        ("de,en;q=0.5", "en"),
        ("de", "fr"),
        ("en;q=0.5,fr;q=0.5", "fr"),
        ("en;q=nan", "fr"),
        ("en;q=9,fr", "fr"),
        ("," * 10_000, "fr"),
    ],
)
def test_french_unless_english_is_preferred(header: str, language: str) -> None:
    assert language_of(header) == language


async def test_a_problem_says_its_language(world: Any) -> None:
    async with world.browser(headers={"Accept-Language": "en"}) as browser:
        answer = await browser.get("/auth/session")
    assert answer.headers["content-language"] == "en"
    assert answer.json()["detail"] == "Your session is over. Sign in again: your work is kept."


async def test_a_dependency_that_is_away_is_a_503_that_says_so(world: Any) -> None:
    async with world.browser(await world.session()) as browser:
        answer = await browser.get("/api/v1/basket")
    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
    assert int(answer.headers["retry-after"]) >= 1
