"""What `make upgrade-test` goes by, so that a change of the tree that would break it is told at once."""

import sys
from pathlib import Path

import httpx2
import pytest

sys.path.append(str(Path(__file__).parents[1] / "chaos"))

from rolling import door as doors
from rolling import main, next_release
from rolling.trees import ROOT

from devstack.components import SERVICES


@pytest.mark.parametrize("change", next_release.CHANGES, ids=lambda change: change.file)
def test_what_the_next_release_changes_stands_once_in_this_one(change: next_release.Change) -> None:
    assert (ROOT / change.file).read_text(encoding="utf-8").count(change.old) == 1


def test_every_process_is_replaced_once() -> None:
    assert sorted(main.ORDER) == sorted(service.name for service in SERVICES)


@pytest.mark.parametrize(
    "what", ["hold UNAVAILABLE", "validate lost", "read HTTP_502", "search 500", "rpc basket DEADLINE", "name INTERNAL"]
)
def test_an_error_of_ours_is_trouble(what: str) -> None:
    assert main.troubles({what: 3, "hold 201": 5, "hold SLOT_TAKEN": 1}) == {what: 3}


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
