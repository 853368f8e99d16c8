"""Every code of RdvPermis has a code of ours."""

import pytest

from resapermis_auth_gateway.egress.refusals import TABLE, code_of, verbatim
from resapermis_kit.errors import Code


def test_a_code_we_do_not_know_is_kept_and_unexpected():
    assert code_of("CRENEAU_EN_GREVE") == Code.CODE_RDVPERMIS_UNEXPECTED
    assert verbatim("CRENEAU_EN_GREVE") == "CRENEAU_EN_GREVE"


@pytest.mark.parametrize("word", [None, 7, "", "Mme Dupont est inconnue", "a" * 200, "A" * 200, ["X"], "É_X"])
def test_what_is_no_code_is_not_repeated(word):
    assert verbatim(word) == ""


@pytest.mark.parametrize("word", sorted(TABLE))
def test_each_known_word_is_a_code_and_says_something(word):
    assert verbatim(word) == word
    assert code_of(word) != Code.CODE_UNSPECIFIED
