"""What is said of a running stack: each kind of breach is seen; and what a machine lacks is said in words."""

from pathlib import Path

import pytest

from containers import engine
from containers.engine import Engine, Failed, Missing, addresses, find
from containers.tried import ELSEWHERE, Reached, breaches, silent, spans
from devstack.components import SERVICES


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
