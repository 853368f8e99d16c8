"""Roles are named in one place, and policies know no other."""

import re
from pathlib import Path

import pytest

from resapermis_persons.roles import MANAGERS, OF_A_SCHOOL, OF_NO_SCHOOL, Role

pytestmark = pytest.mark.req("S-07")
POLICIES = Path(__file__).parents[3] / "policies"
_ASKED = re.compile(r"roles\.contains(?:Any|All)?\(([^)]*)\)")


def test_policies_ask_for_roles_that_there_are_and_let_each_in() -> None:
    text = "\n".join(file.read_text(encoding="utf-8") for file in POLICIES.glob("*.cedar"))
    asked = {word for group in _ASKED.findall(text) for word in re.findall(r'"([^"]*)"', group)}
    assert asked == {role.value for role in Role}


def test_there_are_nine_and_each_is_of_a_school_or_of_none() -> None:
    assert len(Role) == 9
    assert set(Role) == OF_A_SCHOOL | OF_NO_SCHOOL
    assert not OF_A_SCHOOL & OF_NO_SCHOOL
    assert MANAGERS < OF_A_SCHOOL
