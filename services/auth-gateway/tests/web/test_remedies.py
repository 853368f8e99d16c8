"""Every refusal names what to do: each code of RdvPermis and each remedy of a rule, in both languages."""

import pytest

from resapermis.verdict.v1.verdict_pb2 import Verdict
from resapermis_auth_gateway.egress.refusals import TABLE
from resapermis_auth_gateway.web.texts.remedies import OF_CODE, REMEDIES, remedy_of, remedy_sentence
from resapermis_auth_gateway.web.texts.rule_sentences import RESTRICTIONS, SENTENCES, VARIANTS, restriction_reason
from resapermis_auth_gateway.web.texts.sentences import sentence
from resapermis_auth_gateway.web.wire.problem import body_of
from resapermis_kit.errors import Code, Failure
from resapermis_rules import words


@pytest.mark.parametrize("word", sorted(TABLE))
def test_each_code_of_rdvpermis_has_its_sentence_and_its_remedy(word: str) -> None:
    failure = Failure(TABLE[word], "refused", rdvpermis_code=word)
    for language in ("fr", "en"):
        body = body_of(failure, language)
        assert body.rdvpermis_code == word
        assert body.detail not in {sentence("UNSPECIFIED", language).detail, ""}
        assert body.remedy in REMEDIES
        assert remedy_sentence(body.remedy or "", language)


def test_each_rule_remedy_and_reason_of_the_closed_lists_has_its_sentence() -> None:
    assert len(words.RULE_IDS) > 10
    assert set(words.RULE_IDS) <= set(SENTENCES)
    assert set(REMEDIES) >= words.REMEDIES
    assert set(VARIANTS["R-CATEGORY"][1]) == set(words.CATEGORY_FIELDS)


def test_a_remedy_is_an_advice_in_two_languages() -> None:
    for french, english in REMEDIES.values():
        assert french != english
        assert french.endswith(".")
        assert english.endswith(".")
        assert len(french.split()) < 20
    assert set(OF_CODE.values()) <= set(REMEDIES)
    assert remedy_sentence("consult_the_oracle", "fr") is None


def test_what_a_rule_advises_goes_before_what_the_code_does() -> None:
    against = Verdict(rule="R-TERRITORY", allowed=False, remedy="wait")
    assert remedy_of("SLOT_TAKEN", [Verdict(rule="R-GROUP", allowed=True), against]) == "wait"
    assert remedy_of("SLOT_TAKEN") == "choose_another_slot"
    assert remedy_of("INTERNAL") is None
    assert Code.Name(Code.CODE_SLOT_TAKEN) == "CODE_SLOT_TAKEN"


def test_each_restriction_has_a_reason_in_words() -> None:
    for word in RESTRICTIONS:
        assert restriction_reason(word, "fr") != restriction_reason(word, "en")
    assert restriction_reason("NEVER_SEEN", "en") == "penalty, by RdvPermis' word"
