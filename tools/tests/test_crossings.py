"""How `make crossings` tells a request's files from what ran beside it."""

import pytest

from crossings import HTTP, NO_TRACE, PAGE, ROWS, crossed, says, shown_as, sorted_by_place

WEB = "services/auth-gateway/src/resapermis_auth_gateway/web/app.py"
ROUTE = "services/auth-gateway/src/resapermis_auth_gateway/web/routes/basket.py"
EGRESS = "services/auth-gateway/src/resapermis_auth_gateway/egress/http.py"
TOKENS = "services/auth-gateway/src/resapermis_auth_gateway/tokens.py"
SERVICER = "services/basket/src/resapermis_basket/servicer.py"
JOURNAL = "services/audit/src/resapermis_audit/journal.py"
RULE = "services/scheduling-rules/src/resapermis_scheduling_rules/rules/basket.py"
VALUES = "services/mandate/src/resapermis_mandate/domain.py"
PLACES = "libs/places/src/resapermis_places/days.py"
SHARED_RULES = "libs/rules/src/resapermis_rules/statements.py"
KIT = "libs/kit/src/resapermis_kit/clock.py"


def test_a_request_is_followed_through_every_process_by_its_trace() -> None:
    run = {
        f"aa {HTTP}": frozenset({WEB, ROUTE}),
        "aa _handle_exceptions": frozenset({SERVICER, KIT}),
        "aa -": frozenset({EGRESS}),
    }

    assert crossed(run) == {WEB, ROUTE, SERVICER, KIT, EGRESS}


def test_what_ran_beside_it_and_what_came_of_its_events_is_left_out() -> None:
    run = {
        f"aa {HTTP}": frozenset({WEB}),
        "aa run_forever": frozenset({JOURNAL}),
        "bb _handle_exceptions": frozenset({SERVICER}),
        f"{NO_TRACE} run_forever": frozenset({KIT}),
        f"{NO_TRACE} {HTTP}": frozenset({ROUTE}),
    }

    assert crossed(run) == {WEB}


@pytest.mark.parametrize("traces", [(), ("aa", "bb")])
def test_none_or_two_requests_cannot_be_counted_as_one(traces: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=f"{len(traces)} requests"):
        crossed({f"{trace} {HTTP}": frozenset({WEB}) for trace in traces})


def test_files_are_sorted_by_what_they_belong_to() -> None:
    places = sorted_by_place(
        frozenset({WEB, ROUTE, SERVICER, RULE, PLACES, SHARED_RULES, VALUES, KIT, EGRESS, TOKENS}),
        edge=frozenset({WEB, KIT}),
    )

    assert places == {
        "own": [ROUTE, SERVICER],
        "pure": [PLACES, SHARED_RULES, VALUES, RULE],
        "edge": [WEB],
        "egress": [EGRESS, TOKENS],
        "library": [KIT],
    }


def test_a_row_of_the_page_says_what_was_counted_but_for_what_is_sometimes_remembered() -> None:
    places = {"own": ["a", "b"], "pure": [], "edge": ["c"], "egress": [], "library": ["d"]}
    row = "| search slots (already polled) | **2** | 20 | – | 1 | – | 1 |"
    assert shown_as("search", places) == row
    assert says(f"before\n{row}\nafter", "search", places)
    assert says(row, "search", places | {"own": ["a"]})
    assert not says(row, "search", places | {"own": []})
    assert not says(row.replace("20", "21"), "search", places), "a limit is what it is"
    assert says(row, "search", places | {"library": ["d", "e", "f"]})
    assert not says(row, "search", places | {"library": ["d", "e", "f", "g"]})
    assert not says("another page", "search", places)
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"| {row} | **" in page for row in ROWS.values())
