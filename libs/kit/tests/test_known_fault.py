"""A known fault is told from every other failure."""

import pytest

from resapermis_kit.errors import Code, Failure
from resapermis_testing.known_fault import KnownFault, known_fault_if, wrongly_refused


def test_todays_wrong_value_is_the_known_fault_and_no_other_is() -> None:
    known_fault_if(shows=False)
    with pytest.raises(KnownFault, match="held"):
        known_fault_if(shows=True, what="held")


def test_only_the_named_codes_are_the_known_fault() -> None:
    with pytest.raises(KnownFault), wrongly_refused(Code.CODE_IN_PROGRESS, Code.CODE_MALFORMED):
        raise Failure(Code.CODE_MALFORMED, "")
    with pytest.raises(Failure), wrongly_refused(Code.CODE_IN_PROGRESS):
        raise Failure(Code.CODE_MALFORMED, "")
    with pytest.raises(ZeroDivisionError), wrongly_refused(Code.CODE_IN_PROGRESS):
        raise ZeroDivisionError
