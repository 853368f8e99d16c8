"""What the rules keep is there under its new names, and counts.

Each test was seen to fail in a copy of the tree where scheduling-rules' migration empties `bar`, or forgets the parameter of a
department: no restriction is found, and only the default of the two values.
"""

import pytest
from journey import until
from upgraded import Upgraded

pytestmark = [pytest.mark.timeout(600), pytest.mark.long_only]  # a machine's first run installs the old release


def test_what_the_rules_keep_is_there_under_its_new_names(upgraded: Upgraded) -> None:
    rules, school = upgraded.was["rules"], upgraded.school
    assert school.get("/api/v1/school/trainers")["items"] == rules["trainers"]
    assert len(rules["trainers"]) == 1
    absence = rules["absence"]
    assert school.get("/api/v1/unavailabilities", **absence["asked"])["items"] == absence["items"]
    assert len(absence["items"]) == 1
    (search,), (old_search,) = school.get("/api/v1/saved-searches")["items"], rules["searches"]
    question = {"consecutive" if name == "inARow" else name: value for name, value in old_search["search"].items()}
    assert search | {"matchedAt": None} == old_search | {"search": question, "matchedAt": None}  # slots go on matching
    assert [one["centreId"] for one in school.get("/api/v1/favourite-centres")["items"]] == rules["favourites"]
    assert len(rules["favourites"]) == 1

    (old,) = rules["bars"]["items"]
    standing = school.get(f"/api/v1/candidates/{rules['bars']['candidate']}/standing")["restrictions"]
    (restriction,) = [one for one in standing if one["id"] == old["id"]]
    renamed = {"lifted": "waived", "liftProposed": "waiverProposed", "liftProposedByMe": "waiverProposedByMe"}
    assert restriction == {renamed.get(name, name): value for name, value in old.items()}
    assert (restriction["waived"], restriction["waiverProposed"], restriction["waiverProposedByMe"]) == (
        False,
        True,
        True,
    )
    rows = "SELECT id::text, waiver_reason, proposed_by FROM restriction"
    kept = {row["id"]: [row["waiver_reason"], row["proposed_by"]] for row in upgraded.ask("scheduling_rules", rows)}
    for identity, *proposal in rules["rows"]:
        assert kept[identity] == proposal


def test_a_parameter_that_two_people_approved_counts_under_its_new_name(upgraded: Upgraded) -> None:
    rules, school = upgraded.was["rules"], upgraded.school
    shown = school.get("/api/v1/rules/parameters")["items"]
    assert [one for one in shown if one["name"] == "late_cancel_bar_days"] == []
    addresses = {(one["department"], one["value"], one["validFrom"]) for one in rules["parameters"]}
    assert len(addresses) == 2, "the default and the department's own"
    now_named = [one for one in shown if one["name"] == "late_cancel_restriction_days"]
    assert {(one["department"], one["value"], one["validFrom"]) for one in now_named} == addresses

    def days() -> bool:
        preview = school.get(f"/api/v1/bookings/{rules['late']}/cancellation")
        return bool(preview["restrictedDays"] == 25)

    # Each preview asks RdvPermis, who counts them: without a pause the other tests would find the call budget used up.
    until(days, "the department's own penalty to count", seconds=90, pause_seconds=2)
