"""A refusal by a rule names it, and when it opens, in the reader's language."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from resapermis.verdict.v1.verdict_pb2 import Verdict
from resapermis_auth_gateway.web.texts.remedies import REMEDIES
from resapermis_auth_gateway.web.texts.rule_sentences import RESTRICTIONS, SENTENCES, VARIANTS, rule_sentence
from resapermis_auth_gateway.web.texts.sentences import CATALOGUE
from resapermis_auth_gateway.web.wire.problem import body_of
from resapermis_kit.errors import Code, Failure


def _against(rule: str, **facts: str) -> Verdict:
    return Verdict(rule=rule, allowed=False, facts=facts)


@pytest.mark.req("R-14")
def test_five_slots_are_refused_in_words() -> None:
    failure = Failure(Code.CODE_RULE_REFUSED, "x", verdicts=[_against("R-GROUP", limit="4", asked="5")])
    assert body_of(failure, "fr").detail == "Au plus 4 créneaux par demande : vous en demandez 5."
    assert body_of(failure, "en").detail == "At most 4 slots a request: you ask for 5."


@pytest.mark.req("R-09")
def test_what_opens_by_itself_says_when_in_paris() -> None:
    verdict = _against("R-TERRITORY")
    verdict.opens_at.FromDatetime(datetime(2026, 12, 2, 14, tzinfo=UTC))
    assert rule_sentence([verdict], "fr") == (
        "Réservé aux écoles du département du centre. Possible à partir du 02/12/2026 à 15 h (heure de Paris)."
    )


@pytest.mark.req("R-17", "R-29")
def test_a_rule_with_many_faces_says_which() -> None:
    conflict = _against("R-AVAILABLE", whose="trainer,vehicle")
    assert rule_sentence([conflict], "fr") == "Le formateur n'est pas libre à cette heure."
    wrong = _against("R-CATEGORY", field="category", slot="B", mandate="A")
    assert rule_sentence([wrong], "fr") == "Créneau pour le permis B, mandat pour A."
    assert (
        rule_sentence([_against("R-LICENSED", whose="trainer")], "en") == "This trainer is not authorised on that day."
    )
    newer = rule_sentence([_against("R-AVAILABLE", whose="examiner")], "en")
    assert newer == "A person or vehicle is not free at that hour."


@pytest.mark.req("R-10")
def test_a_threshold_that_counts_nobody_is_not_one_that_is_reached() -> None:
    assert rule_sentence([_against("R-THRESHOLD", taken="13", limit="13")], "fr") == (
        "Seuil du mois atteint : 13 sur 13."
    )
    assert rule_sentence([_against("R-THRESHOLD", taken="0", limit="0", fte="unknown")], "fr") == (
        "Seuil inconnu ou nul : déclarez vos formateurs et leurs heures."
    )


@pytest.mark.req("R-21")
def test_a_restriction_says_why_and_until_when() -> None:
    verdict = _against("R-PENALTY", reason="failure")
    verdict.opens_at.FromDatetime(datetime(2027, 1, 10, 23, tzinfo=UTC))
    assert rule_sentence([verdict], "fr") == (
        "Ce candidat ne peut pas réserver pour le moment (échec à un examen). Possible à partir du 11/01/2027 à 0 h (heure de Paris)."
    )


def test_each_variant_is_of_a_known_rule_and_in_two_languages() -> None:
    for rule, (fact, texts) in VARIANTS.items():
        assert rule in SENTENCES
        assert fact
        for french, english in texts.values():
            assert french != english


def test_no_sentence_shows_a_code() -> None:
    texts = [text for pair in [*SENTENCES.values(), *RESTRICTIONS.values(), *REMEDIES.values()] for text in pair]
    texts += [text for _, words in VARIANTS.values() for pair in words.values() for text in pair]
    texts += [text for one in CATALOGUE.values() for code in one.values() for text in (code.title, code.detail)]
    assert [text for text in texts if re.search(r"\bR-[A-Z]|[A-Z]{2,}_[A-Z]|statutDeReservation", text)] == []


def test_a_missing_fact_breaks_nothing() -> None:
    assert rule_sentence([_against("R-GROUP")], "en") == "At most ? slots a request: you ask for ?."


def test_no_rule_no_sentence() -> None:
    assert rule_sentence([Verdict(rule="R-GROUP", allowed=True)], "fr") is None
    assert rule_sentence([_against("R-UNHEARD-OF")], "fr") is None


def test_every_rule_of_ours_has_a_sentence() -> None:
    rules = Path(__file__).parents[3] / "scheduling-rules/src/resapermis_scheduling_rules/rules"
    named = {word for file in rules.glob("*.py") for word in re.findall(r'Verdict\(\s*"(R-[A-Z-]+)"', file.read_text())}
    assert named
    assert named <= set(SENTENCES)
