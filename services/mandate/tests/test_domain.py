"""States and values of mandate, with nothing stored."""

from hypothesis import given
from hypothesis import strategies as st

from resapermis_mandate import domain
from resapermis_mandate.domain import State


@given(st.sampled_from(State), st.sampled_from(State))
def test_what_has_ended_never_opens_again(old: State, new: State) -> None:
    if domain.may_follow(old, new):
        assert old in domain.OPEN
        assert new != State.DRAFT


@given(st.text())
def test_a_name_is_cleaned_once_for_all_or_refused(text: str) -> None:
    try:
        found = domain.clean_name(text)
    except ValueError:
        return
    assert found == domain.clean_name(found)
    assert 1 <= len(found) <= domain.LONGEST_NAME
