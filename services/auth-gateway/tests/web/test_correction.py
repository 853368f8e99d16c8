"""A candidate whom RdvPermis does not know as written is corrected: what a REST client meets."""

from typing import Any

import pytest

from resapermis_testing.known_fault import KnownFault, known_fault_if

KEY = {"Idempotency-Key": "act-1"}


@pytest.mark.xfail(strict=True, raises=KnownFault, reason="fault tried-1: a candidate cannot be corrected")
async def test_a_candidate_has_a_way_to_be_corrected(over: Any) -> None:
    _, browser, _ = await over(mandate={})
    async with browser:
        answers = [
            await getattr(browser, method)("/api/v1/candidates/c-1", json={"lastName": "Martin"}, headers=KEY)
            for method in ("patch", "put")
        ]
    codes = [one.status_code for one in answers]
    known_fault_if(codes == [405, 405], codes)
    assert any(code not in {404, 405} for code in codes), "there is a way, whatever the stand-in of mandate answers"
