"""The catalogue of hard cases and the tests that show them stay together."""

from pathlib import Path

from evidence.python_marks import python_tests
from evidence.requirements import cases
from evidence.tests_named import supporting

ROOT = Path(__file__).resolve().parents[3]

ELSEWHERE = {"E14", "B4"}
"""Shown by a drill, by tests that name no case, or nobody's: see docs/catalogue.md."""


def test_every_case_of_the_catalogue_is_shown_by_a_test_or_said_not_to_be():
    assert set(cases(ROOT)) - set(supporting(python_tests(ROOT))) <= ELSEWHERE
