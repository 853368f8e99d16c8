"""What stands behind a requirement is read as it is, and whatever claims more than that is refused."""

from pathlib import Path

import pytest

import compliance
from evidence import python_marks, web_tags
from evidence.judgement import evidence, problems
from evidence.page import PAGE
from evidence.states import STATES

MARKS = """
import pytest

NEEDED = pytest.mark.req("R-01")
pytestmark = [pytest.mark.timeout(9), pytest.mark.req("D-01"), NEEDED]

@pytest.mark.req("R-02", "C1")
@pytest.mark.parametrize("one", [1])
async def test_of_a_function(one): ...

class TestOfAClass:
    pytestmark = pytest.mark.req("R-03")

    @pytest.mark.req("R-04")
    def test_inside(self): ...

@pytest.mark.req("R-05")
class TestDecorated:
    def test_also_inside(self): ...

@pytest.mark.xfail(strict=True, reason="fault 5")
@pytest.mark.req("R-06")
def test_expected_to_fail(): ...

@pytest.mark.root
def test_that_mounts(): ...

@pytest.mark.long_only
def test_that_takes_long(): ...

def test_that_leaves():
    pytest.skip("not here")
"""
TAGS = """
import { test } from "vitest";

describe("the journal [T-03]", () => {
  test("proves [R-01] [D-01]", () => {
    expect(1).toBe(1);
  });

  describe.skip("once", () => {
    test("never runs [R-02]", () => {});
  });
});

test("outside of it", async ({
  page,
}) => {});

test.fails(
  "expected to fail [R-03]",
  () => {},
);

test(`made ${"any"} times [N-07]`, () => {});
"""
REQUIREMENTS = "# R\n\nThere are 3 of them.\n\n## 1 First\n- R-01 [G,M] One thing.\n- R-02 [P] Another.\n\n## 2 Second\n- P-01 A third, of nobody.\n"
STATES_TEXT = """
R-01:
  state: shown
  control: {file: libs/one/src/one.py, line: "return True", instead: "return False", test: "libs/one/tests/test_one.py::test_it"}
R-02: {state: partly, missing: the rest}
P-01: {state: open}
"""
TEST = 'import pytest\nfrom one import one\n\n@pytest.mark.req("R-01")\ndef test_it():\n    assert one()\n'


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository in which everything holds together."""
    for name, text in {
        "docs/requirements.md": REQUIREMENTS,
        "docs/catalogue.md": "| id | do | see |\n|---|---|---|\n| C1 | many at once | one |\n",
        STATES: STATES_TEXT,
        "libs/one/src/one.py": "def one():\n    return True\n",
        "libs/one/tests/test_one.py": TEST,
    }.items():
        write(tmp_path, name, text)
    assert compliance.main(tmp_path) == 0
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")


def change(root: Path, name: str, old: str, new: str) -> None:
    text = (root / name).read_text(encoding="utf-8")
    assert old in text
    write(root, name, text.replace(old, new))


def test_marks_of_functions_classes_and_modules_are_read() -> None:
    found = {test.name: (set(test.ids), test.idle) for test in python_marks.tests_of(MARKS, "t.py")}
    everywhere = {"D-01", "R-01"}
    assert found == {
        "test_of_a_function": (everywhere | {"R-02", "C1"}, ""),
        "TestOfAClass::test_inside": (everywhere | {"R-03", "R-04"}, ""),
        "TestDecorated::test_also_inside": (everywhere | {"R-05"}, ""),
        "test_expected_to_fail": (everywhere | {"R-06"}, "expected to fail"),
        "test_that_mounts": (everywhere, "left out without root"),
        "test_that_takes_long": (everywhere, ""),
        "test_that_leaves": (everywhere, "calls pytest.skip"),
    }


def test_a_mark_whose_ids_are_computed_is_refused() -> None:
    for mark in ("pytest.mark.req(WHICH)", "pytest.mark.req()", "pytest.mark.req"):
        with pytest.raises(python_marks.UnreadableMark, match=r"t\.py:"):
            python_marks.tests_of(f"@{mark}\ndef test_x(): ...\n", "t.py")


XFAIL = 'pytest.mark.xfail(strict=True, reason="fault 5")'
FACTORY = f"def _fault(why):\n    mark = {XFAIL}\n    return mark\n"


@pytest.mark.parametrize(
    "source",
    [
        f"{FACTORY}@_fault('it')\ndef test_x(): ...",
        f"{FACTORY}ALIAS = _fault('it')\n@ALIAS\ndef test_x(): ...",
        f"{FACTORY}def _deeper(): return _fault('it')\npytestmark = pytest.mark.timeout(9)\n@_deeper()\ndef test_x(): ...",
        f"@pytest.mark.parametrize('one', [1, pytest.param(2, marks={XFAIL})])\ndef test_x(one): ...",
        f"{FACTORY}CASES = [pytest.param(2, marks=_fault('it'))]\n@pytest.mark.parametrize('one', CASES)\ndef test_x(one): ...",
        f"@pytest.mark.parametrize('one', CASES)\ndef test_x(one): ...\nCASES = []\nfor n in range(2):\n    CASES.append(pytest.param(n, marks=[{XFAIL}]))",
        f"LATER = [{XFAIL}]\npytestmark = LATER\ndef test_x(): ...",
        f"@{XFAIL}\nclass TestX:\n    def test_x(self): ...",
        "import sys\ndef test_x():\n    sys.modules['pytest'].skip('no')",
        "def test_x():\n    pytest.importorskip('here')",
        "gone = pytest.importorskip('here')\ndef test_x(): ...",
        "if gone:\n    pytest.skip('no', allow_module_level=True)\ndef test_x(): ...",
        "import unittest\ndef test_x():\n    raise unittest.SkipTest",
        "from unittest import SkipTest\ndef test_x():\n    raise SkipTest('no')",
        "def _needed():\n    pytest.skip('no')\ndef test_x():\n    _needed()",
        "@pytest.fixture\ndef browser():\n    pytest.skip('no')\ndef test_x(browser): ...",
        "@pytest.fixture\ndef browser():\n    pytest.skip('no')\n@pytest.mark.usefixtures('browser')\ndef test_x(): ...",
        "@pytest.fixture(autouse=True)\ndef browser():\n    pytest.skip('no')\ndef test_x(): ...",
    ],
)
def test_a_test_that_need_not_pass_supports_nothing_however_it_says_so(source: str) -> None:
    (found,) = python_marks.tests_of(f"import pytest\n{source}\n", "t.py")
    assert found.idle


@pytest.mark.parametrize(
    "source",
    [
        f"{FACTORY}@_fault('it')\ndef test_y(): ...\ndef test_x(): ...",
        f"{FACTORY}CASES = [pytest.param(2, marks=_fault('it'))]\nSURE = [1]\n@pytest.mark.parametrize('one', SURE)\ndef test_x(one): ...",
        "def test_y():\n    pytest.skip('no')\ndef test_x(): ...",
    ],
)
def test_its_neighbours_support_all_the_same(source: str) -> None:
    found = {test.name: test.idle for test in python_marks.tests_of(f"import pytest\n{source}\n", "t.py")}
    assert found["test_x"] == ""


REQ = 'pytest.mark.req("R-99")'


@pytest.mark.parametrize(
    "source",
    [
        f"@pytest.mark.parametrize('one', [pytest.param(1, marks={REQ})])\ndef test_x(one): ...",
        f"NEEDED = {REQ}\n@pytest.mark.parametrize('one', [pytest.param(1, marks=NEEDED)])\ndef test_x(one): ...",
        f"def _req(): return {REQ}\n@_req()\ndef test_x(): ...",
        "def _make(): ...\npytestmark = _make()\ndef test_x(): ...",
        f"pytestmark = []\npytestmark.append({REQ})\ndef test_x(): ...",
        f"pytestmark = []\npytestmark += [{REQ}]\ndef test_x(): ...",
        f"if True:\n    pytestmark = {REQ}\ndef test_x(): ...",
        f"if True:\n    @{REQ}\n    def test_x(): ...",
        "try:\n    class TestX:\n        def test_x(self): ...\nfinally:\n    pass",
        f"def _outer():\n    @{REQ}\n    def test_x(): ...",
        f"def _x(): ...\ntest_x = {REQ}(_x)",
        'from pytest import mark\n@mark.req("R-99")\ndef test_x(): ...',
        'import pytest as pt\n@pt.mark.req("R-99")\ndef test_x(): ...',
        'mark = pytest.mark\n@mark.req("R-99")\ndef test_x(): ...',
        "from unittest import skip\n@skip\ndef test_x(): ...",
        f"def test_x(request):\n    request.applymarker({XFAIL})",
        f"def test_x(request):\n    request.node.add_marker({XFAIL})",
        "from _pytest.outcomes import skip\ndef test_x():\n    skip('no')",
        "import _pytest.outcomes\ndef test_x(): ...",
        "from unittest.case import SkipTest as Gone\ndef test_x():\n    raise Gone",
        "from unittest import case\ndef test_x(): ...",
        "import unittest\n@unittest.skip('no')\ndef test_x(): ...",
        "import unittest\ndef test_x():\n    raise unittest.case.SkipTest",
        'p = pytest\n@p.mark.req("R-99")\ndef test_x(): ...',
        "def test_x():\n    getattr(pytest, 'skip')('no')",
        "import unittest\nclass Some(unittest.TestCase):\n    def test_x(self): ...",
    ],
)
def test_a_form_that_is_not_understood_is_refused(source: str) -> None:
    with pytest.raises(python_marks.UnreadableMark, match=r"t\.py:\d+: "):
        python_marks.tests_of(f"import pytest\n{source}\n", "t.py")


def test_a_list_of_marks_by_its_name_is_read() -> None:
    source = f"import pytest\nM = [pytest.mark.timeout(9), {REQ}]\npytestmark = M\ndef test_x(): ...\n"
    assert [set(test.ids) for test in python_marks.tests_of(source, "t.py")] == [{"R-99"}]


def test_tags_of_web_tests_and_of_what_is_around_them_are_read() -> None:
    found = {test.name: (set(test.ids), test.idle) for test in web_tags.tests_of(TAGS, "t.ts")}
    assert found == {
        "proves [R-01] [D-01]": ({"T-03", "R-01", "D-01"}, ""),
        "never runs [R-02]": ({"T-03", "R-02"}, "skipped"),
        "outside of it": (set(), ""),
        "expected to fail [R-03]": ({"R-03"}, "expected to fail"),
        'made ${"any"} times [N-07]': ({"N-07"}, ""),
    }


@pytest.mark.parametrize(
    "source",
    [
        'test.each([1, 2])("of %s [R-01]", () => {});',
        'describe.each([1])("of %s [R-01]", () => {\n  test("it", () => {});\n});',
        'test(TITLE + " [R-01]", () => {});',
        '// test("once [R-01]", () => {});',
        'test("it [R-01]", async () => {\n  test.fail();\n});',
        'test("it [R-01]", async ({ page }) => {\n  test.fixme(true, "later");\n});',
        'test("it [R-01]", { fails: true }, () => {});',
        'test("it [R-01]", { skip: !process.env.CI }, () => {});',
        'test("it [R-01]", async ({ page }, testInfo) => {\n  testInfo.skip();\n});',
        'test("it [R-01]", async ({ skip }) => {\n  skip();\n});',
        'test("it [R-01]", async (ctx) => {\n  ctx.skip("later");\n});',
        'test("it [R-01]", async (ctx) => {\n  ctx["skip"]();\n});',
        'beforeEach((ctx) => ctx.skip());\ntest("it [R-01]", () => {});',
        'const later = test.skip;\ntest("it [R-01]", () => {});',
        'test.only("that", () => {});\ntest("it [R-01]", () => {});',
        'it("it [R-01]");',
        'it(\n  "it [R-01]",\n);',
        'if (process.env.CI) {\n  test("it [R-01]", () => {});\n}',
        'for (const one of []) {\n  test("it [R-01]", () => {});\n}',
        'describe("all [R-01]", () => {\n  if (never) {\n    test("it", () => {});\n  }\n});',
        'if (never) {\n  describe("all", () => {\n    test("it [R-01]", () => {});\n  });\n}',
    ],
)
def test_a_web_test_in_a_form_that_is_not_understood_is_refused(source: str) -> None:
    with pytest.raises(web_tags.UnreadableTag, match=r"t\.ts:(\d+:)? "):
        list(web_tags.tests_of(f"{source}\n", "t.ts"))


def test_playwrights_describe_is_one_and_a_comment_is_no_test() -> None:
    source = (
        '/*\ntest("once [R-09]", () => {});\n*/\ntest.describe("all [R-01]", () => {\n  test("it", () => {});\n});\n'
        'test.describe.fixme("later [R-02]", () => {\n  test("that", () => {});\n});\n'
    )
    found = {test.name: (set(test.ids), test.idle) for test in web_tags.tests_of(source, "t.ts")}
    assert found == {"it": ({"R-01"}, ""), "that": ({"R-02"}, "skipped")}


def test_what_holds_together_has_no_complaint(tree: Path) -> None:
    assert compliance.complaints(tree) == []
    page = (tree / PAGE).read_text(encoding="utf-8")
    assert "1 shown, 1 partly, 1 open, of 3." in page
    assert "### R-02 · partly" in page
    assert "- missing: the rest" in page
    assert "`test_it`" in page


@pytest.mark.parametrize(
    ("name", "old", "new", "complaint"),
    [
        ("libs/one/tests/test_one.py", '"R-01"', '"R-01", "R-99"', "names R-99"),
        ("libs/one/tests/test_one.py", '("R-01")', '("C2", "R-01")', "names C2"),
        ("libs/one/tests/test_one.py", "@pytest.mark.req", "@pytest.mark.xfail\n@pytest.mark.req", "nothing shows it"),
        ("libs/one/tests/test_one.py", '@pytest.mark.req("R-01")', "", "does not name it"),
        ("libs/one/src/one.py", "return True", "return 1", "stands 0 times"),
        (
            "libs/one/src/one.py",
            "    return True",
            "    if one:\n        return True\n    return True",
            "stands 2 times",
        ),
        (STATES, "file: libs/one/src/one.py", "file: libs/gone.py", "is not there (it stands in libs/one/src/one.py)"),
        (STATES, "file: libs/one/src/one.py", "file: libs/one/tests/test_one.py", "changes the product"),
        (STATES, "file: libs/one/src/one.py", "file: libs/testing/src/one.py", "changes the product"),
        (STATES, "file: libs/one/src/one.py", "file: tools/one.py", "changes the product"),
        (STATES, "file: libs/one/src/one.py", "file: conftest.py", "changes the product"),
        (STATES, "file: libs/one/src/one.py", "file: web/src/one.test.ts", "changes the product"),
        (STATES, "libs/one/tests/test_one.py::test_it", "web/e2e/one.spec.ts::it", "wants a browser"),
        (STATES, "return False", "return True", "changes nothing"),
        (STATES, "return False", "raise AssertionError", "too coarse"),
        (STATES, "return False", "return gone", "too coarse"),
        (STATES, "::test_it", "::test_that", "does not name it"),
        (STATES, "P-01: {state: open}", "", "P-01 has no state"),
        (STATES, "P-01: {state: open}", "P-01: {state: open}\nP-02: {state: open}", "P-02 is no requirement"),
        (STATES, "P-01: {state: open}", "P-01: {state: shown}", "nothing shows it"),
        (STATES, "P-01: {state: open}", "P-01: {state: nearly}", "not 'nearly'"),
        (STATES, "missing: the rest", "missing: ''", "say what is missing"),
        (STATES, "P-01: {state: open}", "P-01: {state: open, sure: yes}", "are known"),
        (STATES, "P-01: {state: open}", "R-02: {state: open}", "R-02 stands twice"),
        ("docs/requirements.md", "- P-01", "- R-02", "stands twice"),
        ("docs/requirements.md", "are 3 of", "are 4 of", "has 3 requirements and says 4"),
        ("docs/requirements.md", "are 3 of", "are some of", "says not how many"),
        ("docs/requirements.md", "- P-01 A third, of nobody.\n", "", "has 2 requirements and says 3"),
        *(
            ("docs/requirements.md", "- R-02 [P] Another.", malformed, "in one line, not")
            for malformed in (
                "- R-2 [P] Another.",
                "- R-02: [P] Another.",
                "-R-02 [P] Another.",
                "* R-02 [P] Another.",
                "- R-02 [p] Another.",
                "- R-02 [P,] Another.",
                "- R-02 [P]",
                "- R-02 [P] Another.\n  And more of it.",
            )
        ),
        ("docs/requirements.md", "## 1 First\n", "", "in one line, not"),
        (PAGE, "1 shown", "2 shown", "is stale"),
        ("docs/requirements.md", "Another.", "Another one.", "is stale"),
    ],
)
def test_what_claims_more_than_it_shows_is_complained_of(
    tree: Path, name: str, old: str, new: str, complaint: str
) -> None:
    change(tree, name, old, new)
    assert any(complaint in line for line in compliance.complaints(tree)), compliance.complaints(tree)


@pytest.mark.parametrize(
    "file", ["src/one.test.tsx", "tests/one.test.ts", "e2e/deep/one.spec.ts", "e2e/one.test.ts", "scripts/one.spec.js"]
)
def test_a_tag_where_no_runner_looks_is_refused(tree: Path, file: str) -> None:
    write(tree, f"web/{file}", 'test("it", () => {});\n')
    write(tree, "web/node_modules/of/one.test.ts", 'test("it [R-01]", () => {});\n')
    assert compliance.complaints(tree) == []
    write(tree, f"web/{file}", 'test("it [R-01]", () => {});\n')
    (line,) = compliance.complaints(tree)
    assert line.startswith(f"web/{file}: neither Vitest nor Playwright")


def test_a_web_test_supports_and_an_unknown_tag_is_told(tree: Path) -> None:
    write(tree, "web/e2e/one.spec.ts", 'test("does it [P-01] [X-11]", async () => {});\n')
    assert any("names X-11" in line for line in problems(evidence(tree), tree))
    change(tree, "web/e2e/one.spec.ts", " [X-11]", "")
    assert compliance.main(tree) == 0
    assert "[web/e2e/one.spec.ts](../web/e2e/one.spec.ts): `does it [P-01]`" in (tree / PAGE).read_text(
        encoding="utf-8"
    )
