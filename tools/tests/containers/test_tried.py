"""What is said of a running stack: each kind of breach is seen; and what a machine lacks is said in words."""

from pathlib import Path
from typing import Any

import pytest

from containers import engine
from containers.engine import SETTING, Engine, Failed, Missing, Project, addresses, find
from containers.scan import Port
from containers.tried import ELSEWHERE, Reached, breaches, careless, not_renewed, silent, spans, started_again
from devstack.components import OPERATOR, SERVICES


@pytest.mark.parametrize(
    ("source", "target", "reached", "words"),
    [
        ("basket", "mandate", True, ""),
        ("basket", "mandate", False, "basket → mandate:9000 should be reached, and is not"),
        ("mandate", "basket", True, ""),  # a network has no direction
        ("mandate", "notification", True, ""),  # notification asks mandate, in the same network
        ("basket", "rdvpermis", False, ""),
        ("basket", "rdvpermis", True, "basket → rdvpermis:9000 is reached, and may not be"),
        ("egress", "rdvpermis", False, "egress → rdvpermis:9000 should be reached, and is not"),
        ("egress", "mail", True, "egress → mail:9000 is reached, and may not be"),
        ("notification", "mail", False, "notification → mail:9000 should be reached, and is not"),
        ("audit", "otel", False, "audit → otel:9000 should be reached, and is not"),
        ("auth-gateway", ELSEWHERE, True, "auth-gateway → elsewhere:9000 is reached"),
        ("auth-gateway", ELSEWHERE, False, ""),
        ("egress", ELSEWHERE, True, ""),
    ],
)
def test_what_differs_from_the_tables_is_said(source: str, target: str, words: str, *, reached: bool) -> None:
    assert breaches([Reached(source, target, 9000, reached)]) == ([words] if words else [])


def test_who_sent_no_trace_is_said() -> None:
    taken = spans('started\n{"basket": 2, "egress": 1}\n{"basket": 3}\n')
    assert taken == {"basket": 5, "egress": 1}
    assert len(silent(taken)) == len(SERVICES) - 2
    assert "audit sent no trace to otel" in silent(taken)


def test_a_container_has_an_address_for_each_network_that_it_is_in() -> None:
    networks = {"one": {"IPAddress": "10.89.1.2"}, "two": {"IPAddress": "10.89.0.2"}, "left": {"IPAddress": ""}}
    assert addresses({"NetworkSettings": {"Networks": networks}}) == ["10.89.0.2", "10.89.1.2"]


def serial(number: str, *, verified: bool = True) -> dict[str, Any]:
    return {"verified": verified, **({"serial": number} if verified else {"why": "expired"})}


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (serial("02"), []),
        (serial("01"), ["basket:9000 shows the certificate of before"]),
        (serial("02", verified=False), ["basket:9000 shows expired"]),
    ],
)
def test_who_shows_the_certificate_of_before_is_said(tmp_path: Path, now: dict[str, Any], words: list[str]) -> None:
    for file in ("tls/ca.pem", *(f"tls/{OPERATOR}/tls.{kind}" for kind in ("pem", "key"))):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()

    class Asked(Project):
        def __init__(self) -> None:
            pass

        def probe(self, container: Any, order: Any, seconds: float = 0) -> Any:
            assert (order["name"], order["ports"], order["begins"]) == ("basket", [9000], {"9000": "tls"})
            return [now]

    before = {"port": 9000, "begins": "tls", "certificate": serial("01")}
    scan = [
        Port("basket", before),
        Port("basket", {"port": 9100, "begins": ""}),
        Port("mail", {**before, "port": 8025}),  # of the world: renewed by nobody of ours
    ]
    containers = {"basket": {"NetworkSettings": {"Networks": {"one": {"IPAddress": "10.89.1.2"}}}}}
    assert not_renewed(Asked(), containers, scan, tmp_path) == words


@pytest.mark.parametrize(("answer", "words"), [("", []), ("fsync is off\n", ["postgres: fsync is off"])])
def test_a_database_that_could_lose_what_it_acknowledged_is_said(answer: str, words: list[str]) -> None:
    class Answering(Engine):
        def run(self, *words: str, seconds: float = 0) -> str:
            assert words[:3] == ("exec", "7", "psql")
            assert all(f"'{name}'" in words[-1] for name in ("fsync", "full_page_writes", "synchronous_commit", "ssl"))
            return answer

    class Asked(Project):
        def __init__(self) -> None:
            self.engine = Answering("podman", ())

    assert careless(Asked(), {"postgres": {"Id": "7"}}) == words


def test_who_was_started_again_is_said() -> None:
    before, after = ({"basket": {"State": {"Pid": 7}}, "audit": {"State": {"Pid": pid}}} for pid in (8, 9))
    assert started_again(before, before) == []
    assert started_again(before, after) == ["audit was started again"]


@pytest.mark.parametrize(
    ("here", "asked", "words"),
    [
        ({"podman": "/bin/false"}, "docker", f"{SETTING} is docker, which is not here"),
        ({"buildah": "/bin/true"}, "buildah", "compose is run by podman or docker"),
        (
            {"podman": "/bin/true", "podman-compose": "/bin/true", "docker": "/bin/false"},
            "docker",
            "docker does not answer",
        ),
    ],
)
def test_another_engine_than_the_first_is_taken_where_a_setting_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, here: dict[str, str], asked: str, words: str
) -> None:
    monkeypatch.setenv(SETTING, asked)
    monkeypatch.setattr(engine.shutil, "which", here.get)
    monkeypatch.setattr(engine.sys, "executable", str(tmp_path / "python"))
    with pytest.raises(Missing, match=words):
        find()


@pytest.mark.parametrize(
    ("here", "words"),
    [
        ({}, "no container engine is here: apt install podman"),
        ({"podman": "/bin/false"}, "podman-compose is not: make setup"),
        ({"podman": "/bin/false", "podman-compose": "/bin/true"}, "podman info fails"),
        ({"docker": "/bin/false"}, "docker does not answer"),
    ],
)
def test_what_is_missing_is_said_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, here: dict[str, str], words: str
) -> None:
    monkeypatch.setattr(engine.shutil, "which", here.get)
    monkeypatch.setattr(engine.sys, "executable", str(tmp_path / "python"))
    with pytest.raises(Missing, match=words):
        find()


def test_a_command_that_fails_says_its_words_and_one_that_lasts_says_so() -> None:
    with pytest.raises(Failed, match="no such"):
        Engine("/bin/sh", ()).run("-c", "echo no such >&2; exit 3")
    with pytest.raises(Failed, match="not done within 0 s"):
        Engine("/bin/sh", ()).run("-c", "exec sleep 9", seconds=0.05)
    with pytest.raises(Failed, match="cannot be started"):
        Engine("/nowhere/podman", ()).run("info")
