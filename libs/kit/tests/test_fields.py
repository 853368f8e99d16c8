"""How many rows of a list are answered at once."""

import pytest

from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.fields import page_limit


@pytest.mark.parametrize(
    ("asked", "rows"), [(0, 50), (1, 1), (50, 50), (199, 199), (200, 200), (201, 200), (2**31 - 1, 200)]
)
def test_a_page_has_what_was_asked_up_to_the_largest(asked: int, rows: int) -> None:
    assert page_limit(asked) == rows


@pytest.mark.parametrize("asked", [-1, -50, -(2**31)])
def test_no_page_has_fewer_than_no_rows(asked: int) -> None:
    with pytest.raises(Failure) as refused:
        page_limit(asked)
    assert refused.value.code == Code.CODE_MALFORMED
    assert [field for field, _ in refused.value.violations] == ["limit"]
