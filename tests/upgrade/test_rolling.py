"""What `make upgrade-test` goes by, so that a change of the tree that would break it is told at once."""

import sys
from pathlib import Path

import httpx2
import pytest

sys.path.append(str(Path(__file__).parents[1] / "chaos"))

from rolling import door as doors
from rolling import main, next_release, verdict
from rolling.trees import ROOT
from run.office import ACTS

from devstack.components import SERVICES


def basket(*, change: bool) -> dict[str, str]:
    """Every file of basket's code and SQL, its migrations left out: of this tree, or of the next release."""
    files = [file for file in (ROOT / next_release.BASKET).rglob("*.*") if file.suffix in {".py", ".sql"}]
    code = {
        str(file.relative_to(ROOT)): file.read_text(encoding="utf-8")
        for file in files
        if "migrations" not in file.parts
    }
    for one in next_release.CHANGES if change else ():
        if one.file in code:
            code[one.file] = one.applied(code[one.file])
    return code


@pytest.mark.parametrize("change", next_release.CHANGES, ids=lambda change: change.file)
def test_what_the_next_release_changes_stands_in_this_one(change: next_release.Change) -> None:
    text = (ROOT / change.file).read_text(encoding="utf-8")
    assert change.old not in change.applied(text) or change.old in change.new
    with pytest.raises(AssertionError, match="has not"):
        change.applied(text + change.old)


def test_what_the_release_after_drops_this_one_declares_and_the_next_names_nowhere() -> None:
    assert f'sa.Column("{next_release.UNUSED}"' in basket(change=False)[f"{next_release.BASKET}/tables.py"]
    assert [file for file, text in basket(change=True).items() if next_release.UNUSED in text] == []
    assert f"DROP COLUMN {next_release.UNUSED}" in next_release.CONTRACTS


def test_every_process_is_replaced_once() -> None:
    assert sorted(main.ORDER) == sorted(service.name for service in SERVICES)


AS_EVER = {
    "hold 201": 5,
    "hold SLOT_TAKEN": 1,
    "hold UNKNOWN_OUTCOME": 1,
    "name HOLD_EXPIRED": 2,
    "validate IN_PROGRESS": 1,
    "validate 207": 4,
    "hold line held": 9,
    "hold line held RDVPERMIS_CANDIDATE_ALREADY CANDIDAT_DEJA_DANS_PANIER": 1,
    "hold line refused RULE_REFUSED R-PUBLISHED R-API-PACE": 6,
    "hold line refused RDVPERMIS_SLOT_GONE CRENEAU_DEJA_RESERVE": 2,
    "search 200": 7,
    "sign-in led home": 1,
    "rpc basket OK": 3,
}


@pytest.mark.parametrize(
    "what",
    [
        "hold UNAVAILABLE",
        "hold RDVPERMIS_DOWN",
        "name RDVPERMIS_BUDGET",
        "validate lost",
        "read NO_ANSWER",
        "read HTTP_502",
        "read UNSPECIFIED",
        "read NOT_FOUND",
        "cancel MALFORMED",
        "cancel A_CODE_OF_NO_RELEASE",
        "search 500",
        "search 503",
        "search 401",
        "search 429",
        "sign-in FAILED",
        "rpc basket DEADLINE",
        "rpc basket UNAUTHENTICATED",
        "name INTERNAL",
        "hold line refused RDVPERMIS_DOWN",
        "hold line refused INTERNAL R-PUBLISHED",
    ],
)
def test_an_answer_is_trouble_by_its_status(what: str) -> None:
    assert verdict.troubles({what: 3, **AS_EVER}) == {what: 3}


def test_an_act_that_was_hardly_ever_acknowledged_is_told() -> None:
    enough = dict(verdict.FLOOR)
    assert verdict.missed(enough) == {}
    assert verdict.missed({**enough, "validate 200": enough["validate 200"] - 1}) == {
        "validate 200": enough["validate 200"] - 1
    }
    assert verdict.missed({"hold SLOT_TAKEN": 9000}) == dict.fromkeys(verdict.FLOOR, 0)


def test_the_floor_has_every_act_and_every_source() -> None:
    acts = {what.split()[0] for what in verdict.FLOOR}
    assert acts == {*ACTS, "search", "sign-in", "rpc"}
    asked = {what.split()[1] for what in verdict.FLOOR if what.startswith("rpc ")}
    assert asked == {service.name for service in SERVICES} - {"egress"}


def test_the_door_hands_a_request_whose_face_is_gone_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Faces(httpx2.BaseTransport):
        def __init__(self, **_: object) -> None:
            pass

        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            asked.append(request.url.port or 0)
            if request.url.port == 81:
                raise httpx2.ConnectError("refused")
            return httpx2.Response(200, text=f"{request.headers['host']} {request.read().decode()}")

    monkeypatch.setattr(doors.httpx2, "HTTPTransport", Faces)
    door = doors.Door(8080, [81, 82])
    with httpx2.Client(base_url="http://localhost:8080", transport=doors.ThroughTheDoor(door)) as web:
        assert web.post("/", content=b"body").text == "localhost:8080 body"
        assert asked == [81, 82]
        assert door.again == {"ConnectError": 1}
        door.out(81)
        web.get("/")
        web.get("http://localhost:90/")
    assert asked[2:] == [82, 90]
