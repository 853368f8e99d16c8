"""docs/compliance.md, written from the requirements, the states and the tests."""

from collections import Counter
from collections.abc import Iterable, Iterator

from evidence.judgement import Evidence
from evidence.requirements import Requirement
from evidence.states import OPEN, PARTLY, SHOWN, State
from evidence.tests_named import Named

PAGE = "docs/compliance.md"
_HEAD = """\
# Requirements and what shows them

Written by `make compliance` from [requirements.md](requirements.md), the states in [compliance.yaml](compliance.yaml) and the
tests that name an id; `make lint` fails when this page is stale.

- **shown**: tests that name it show all of it, and a control (a line of the product that, taken away, makes the named test
  fail) is tried by `make controls`.
- **partly**: something of it stands; what is missing is named. **open**: nothing that counts.

A test that is skipped, expected to fail (be it one of its cases), or left out in CI supports nothing and is not listed.
"""


def page(found: Evidence) -> str:
    """docs/compliance.md as text."""
    behind = found.supporting
    lines = [_HEAD, *_summary(found)]
    chapter = ""
    for id_, requirement in found.requirements.items():
        if requirement.chapter != chapter:
            chapter = requirement.chapter
            lines += [f"## {chapter}", ""]
        lines += _entry(requirement, found.states.get(id_, State(OPEN)), behind.get(id_, []))
    lines += ["## Hard cases", "", "The ids of [catalogue.md](catalogue.md).", ""]
    for id_, words in found.cases.items():
        lines += [f"### {id_}", "", words, "", *_tests(behind.get(id_, [])), ""]
    return "\n".join(lines).rstrip() + "\n"


def counts(found: Evidence) -> Counter[str]:
    """How many requirements are in each state."""
    return Counter(state.word for state in found.states.values())


def _summary(found: Evidence) -> Iterator[str]:
    many = counts(found)
    yield f"{many[SHOWN]} shown, {many[PARTLY]} partly, {many[OPEN]} open, of {len(found.requirements)}."
    yield ""
    yield "| | shown | partly | open |"
    yield "|---|---|---|---|"
    by_chapter: dict[str, Counter[str]] = {}
    for id_, requirement in found.requirements.items():
        by_chapter.setdefault(requirement.chapter, Counter())[found.states.get(id_, State(OPEN)).word] += 1
    for chapter, words in by_chapter.items():
        yield f"| {chapter} | {words[SHOWN]} | {words[PARTLY]} | {words[OPEN]} |"
    yield ""


def _entry(requirement: Requirement, state: State, tests: list[Named]) -> Iterator[str]:
    yield f"### {requirement.id} · {state.word}"
    yield ""
    yield requirement.text
    yield ""
    if state.missing:
        yield f"- missing: {state.missing}"
    if state.note:
        yield f"- note: {state.note}"
    if (control := state.control) is not None:
        yield f"- control: in [{control.file}](../{control.file}), `{control.line}` becomes `{control.instead or ' '}`;"
        yield f"  then `{control.test.partition('::')[2]}` fails"
    yield from _tests(tests)
    yield ""


def _tests(tests: Iterable[Named]) -> Iterator[str]:
    by_file: dict[str, list[str]] = {}
    for test in tests:
        by_file.setdefault(test.file, []).append(test.name)
    if not by_file:
        yield "- no test"
    for file in sorted(by_file):
        yield f"- [{file}](../{file}): {' · '.join(f'`{name}`' for name in sorted(by_file[file]))}"
