"""The catalogue of hard cases and the tests that show them stay together."""

from compliance import by_mark, cases

ELSEWHERE = {"E14", "B2", "B4", "B7"}
"""Shown by a drill, by tests that name no case, or nobody's: docs/catalogue.md says which."""


def test_every_case_of_the_catalogue_is_shown_by_a_test_or_said_not_to_be():
    assert set(cases()) - set(by_mark()) <= ELSEWHERE


def test_no_test_names_a_case_that_the_catalogue_does_not_know():
    known = cases()
    named = {mark for mark in by_mark() if mark[0] in "CEB" and mark[1:].isdecimal()}
    assert named <= set(known)
