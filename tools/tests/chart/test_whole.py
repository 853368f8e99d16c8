"""`make chart` judges whatever it renders: sizes, upgrades and choices alike."""

import sys
from pathlib import Path
from typing import Any

import pytest

from chart import generated, whole
from chart.helm import SIZES, Object, rendered
from chart.objects import pods
from chart.others import operators, scan, schemas

pytestmark = pytest.mark.req("P-02")
CHOICE = "the first steps"


@pytest.fixture
def first_steps() -> list[Object]:
    """With the one pod that has a token of the API server."""
    return rendered("department", given=whole.VARIANTS[CHOICE])


def test_a_fault_of_a_choice_alone_is_told_and_checkov_is_given_every_rendering(
    department: list[Object],
    first_steps: list[Object],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    all_of = {f"values-{name}": department for name in SIZES} | {CHOICE: first_steps}
    scanned: list[Any] = []
    monkeypatch.setattr(whole, "renderings", lambda: all_of)
    monkeypatch.setattr(whole, "lint", list)
    monkeypatch.setattr(generated, "stale_page", lambda _: [])
    for other in (schemas, operators):
        monkeypatch.setattr(other, "complaints", lambda _: [])
    monkeypatch.setattr(scan, "complaints", lambda given: scanned.append(given) or [])
    assert whole.main([]) == 0
    assert scanned == [all_of]
    (one,) = (one for one in pods(first_steps) if one.component == "first-steps")
    one.spec["containers"][0].pop("securityContext")
    assert whole.main([]) == 1
    assert f"{CHOICE}: restricted Pod Security: Job resapermis-first-steps" in capsys.readouterr().out


CHECKOV = """\
import json, sys, yaml
from pathlib import Path
failed, passed = [], 0
for file in sorted(Path(sys.argv[sys.argv.index("--directory") + 1]).glob("*.yaml")):
    for one in yaml.safe_load_all(file.read_text()):
        where = f"{one['kind']}.{one['metadata']['name']}"
        passed += 1
        if one["metadata"]["name"].endswith("-first-steps") and one["kind"] == "Job":
            failed.append({"check_id": "CKV_1", "check_name": "a check", "resource": where, "file_path": f"/{file.name}"})
print(json.dumps({"results": {"failed_checks": failed}, "summary": {"passed": passed}}))
"""


def test_what_checkov_finds_of_a_choice_is_told_with_its_name_and_what_it_finds_no_more_too(
    department: list[Object], first_steps: list[Object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "checkov"
    program.write_text(f"#!{sys.executable}\n{CHECKOV}", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(scan, "program", lambda _: str(program))
    monkeypatch.setattr(scan, "EXCEPTIONS", {("CKV_2", "Job.gone"): "why"})
    assert scan.complaints({"values-department": department, CHOICE: first_steps}) == [
        f"CKV_1 (a check): Job.resapermis-first-steps of {CHOICE}",
        "CKV_2: Job.gone is an exception that is not needed",
    ]
