"""What is wrong with the marks, the states and the controls, line by line; nothing when all hold together."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence.controls import coarse, occurrences
from evidence.python_marks import python_tests
from evidence.requirements import CATALOGUE, REQUIREMENTS, Requirement, cases, requirements
from evidence.states import PARTLY, SHOWN, STATES, Control, State, states
from evidence.tests_named import Named, supporting
from evidence.web_tags import web_tests

_PRODUCT = re.compile(
    r"(libs/(?!testing/)|services/|sandbox/)[\w-]+/src/.+|web/src/(?!.*\.test\.).+|policies/(?!.*_test\.).+|protos/.+"
)
"""Where the product lies."""


@dataclass(frozen=True)
class Evidence:
    """Requirements, hard cases, states and tests, as read from one tree."""

    requirements: Mapping[str, Requirement]
    cases: Mapping[str, str]
    states: Mapping[str, State]
    tests: Sequence[Named]

    @property
    def supporting(self) -> dict[str, list[Named]]:
        """Tests by each id that they support."""
        return supporting(self.tests)


def evidence(root: Path) -> Evidence:
    """Read everything. UnreadableMark, WrongStates or ValueError when something cannot be read."""
    tests = [test for test in (*python_tests(root), *web_tests(root)) if test.ids]
    return Evidence(requirements(root), cases(root), states(root), tests)


def problems(found: Evidence, root: Path) -> list[str]:
    """What a reader of the page would be told wrongly."""
    known = set(found.requirements) | set(found.cases)
    wrong = [
        f"{test.node} names {id_}, which neither {REQUIREMENTS} nor {CATALOGUE} knows"
        for test in found.tests
        for id_ in sorted(test.ids - known)
    ]
    wrong += [f"{STATES}: {id_} has no state" for id_ in found.requirements if id_ not in found.states]
    wrong += [f"{STATES}: {id_} is no requirement" for id_ in found.states if id_ not in found.requirements]
    nodes = {test.node: test for test in found.tests}
    behind = found.supporting
    for id_, state in found.states.items():
        wrong += [f"{STATES}: {id_}: {text}" for text in _of_state(state, behind.get(id_, []))]
        if state.control is not None:
            wrong += [f"{STATES}: {id_}: {text}" for text in _of_control(state.control, id_, nodes, root)]
    return wrong


def _of_state(state: State, tests: Sequence[Named]) -> Iterator[str]:
    if state.word == SHOWN and not tests:
        yield "no test that runs and must pass names it, so nothing shows it"
    if state.word == SHOWN and state.control is None:
        yield "shown wants a control"
    if state.word not in {SHOWN, PARTLY} and state.control is not None:
        yield "an open requirement has nothing to control"


def _of_control(control: Control, id_: str, nodes: Mapping[str, Named], root: Path) -> Iterator[str]:
    file = root / control.file
    if not file.is_file():
        yield f"its control's file {control.file} is not there{_elsewhere(control, root)}"
    elif (many := len(occurrences(file.read_text(encoding="utf-8"), control.line))) != 1:
        where = _elsewhere(control, root)
        yield f"its control's line stands {many} times in {control.file}, not once: {control.line}{where}"
    elif wrong := coarse(file.read_text(encoding="utf-8"), control):
        yield f"its control is too coarse: {wrong}"
    if _PRODUCT.fullmatch(control.file) is None:
        yield "a control changes the product, not a test nor a tool"
    if control.test.startswith("web/e2e/"):
        yield f"its control's test {control.test} wants a browser: name one of pytest or of Vitest"
    if control.line == control.instead:
        yield "its control changes nothing"
    test = nodes.get(control.test)
    if test is None or id_ not in test.ids:
        yield f"its control's test {control.test} does not name it"
    elif test.idle:
        yield f"its control's test {control.test} supports nothing: {test.idle}"


def _elsewhere(control: Control, root: Path) -> str:
    """Where the line stands now, for who has moved it."""
    places = [
        file.relative_to(root).as_posix()
        for file in sorted(root.glob(f"*/*/src/**/*{Path(control.file).suffix}"))
        if occurrences(file.read_text(encoding="utf-8"), control.line)
    ]
    return f" (it stands in {', '.join(places)})" if places else ""
