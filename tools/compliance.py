"""`make compliance`: write docs/compliance.md from the requirements, the states written by hand and the tests that name an id."""

import sys
from pathlib import Path

from evidence.judgement import Evidence, evidence, problems
from evidence.page import PAGE, counts, page
from evidence.python_marks import UnreadableMark
from evidence.states import OPEN, PARTLY, SHOWN, WrongStates

ROOT = Path(__file__).resolve().parents[1]


def read(root: Path) -> Evidence | str:
    """Everything, or what cannot be read."""
    try:
        return evidence(root)
    except (UnreadableMark, WrongStates, ValueError) as wrong:
        return str(wrong)


def complaints(root: Path) -> list[str]:
    """What `make lint` holds against marks, states, controls and the page."""
    found = read(root)
    if isinstance(found, str):
        return [found]
    wrong = problems(found, root)
    written = root / PAGE
    if not wrong and (not written.is_file() or written.read_text(encoding="utf-8") != page(found)):
        wrong.append(f"{PAGE} is stale: run `make compliance` and commit")
    return wrong


def main(root: Path = ROOT) -> int:
    """Write the page, say how many are in which state; 1 when marks, states or controls do not hold together."""
    found = read(root)
    if isinstance(found, str):
        print(found)
        return 1
    (root / PAGE).write_text(page(found), encoding="utf-8")
    many, behind = counts(found), found.supporting
    print(
        f"{PAGE}: {many[SHOWN]} shown, {many[PARTLY]} partly, {many[OPEN]} open, of {len(found.requirements)} requirements"
    )
    bare = [id_ for id_, state in found.states.items() if state.word == PARTLY and id_ not in behind]
    print(f"partly, and no test names it: {', '.join(bare) or 'none'}")
    unshown = [f"{id_} ({words})" for id_, words in found.cases.items() if id_ not in behind]
    print(f"cases of docs/catalogue.md without a test: {', '.join(unshown) or 'none'}")
    wrong = problems(found, root)
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
