"""`resapermisctl compliance-check` and `rule-preview` ask basket, as basket."""

import subprocess
import sys

import pytest

import resapermisctl
from ctl import compliance
from ctl.addresses import UnknownAddress

pytestmark = [pytest.mark.req("P-05"), pytest.mark.req("R-23")]
BESIDE = dict.fromkeys(compliance.NEEDED, "x")


class Done:
    returncode = 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["compliance-check"], ["compliance-check"]),
        (["rule-preview", "basket", "8", "94", "B"], ["preview", "basket", "8", "94", "B"]),
    ],
)
def test_the_words_and_the_exit_status_are_baskets(monkeypatch, given, words):
    asked = []

    def run(command, env, check):
        asked.append((command, env, check))
        return Done

    monkeypatch.setattr(subprocess, "run", run)
    for name, value in BESIDE.items():
        monkeypatch.setenv(name, value)
    assert resapermisctl.main(given) == 1
    ((command, env, _),) = asked
    assert command == [sys.executable, "-m", "resapermis_basket", *words]
    assert env["RESAPERMIS_TLS_DIR"] == "x"


def test_what_is_not_said_is_named(monkeypatch, capsys):
    for name in BESIDE:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UnknownAddress, match="RESAPERMIS_TLS_DIR"):
        compliance.environment(None, 8080, {})
    assert resapermisctl.main(["compliance-check"]) == 2
    assert "not set" in capsys.readouterr().err


def test_a_local_stack_needs_data(tmp_path):
    with pytest.raises(UnknownAddress):
        compliance.environment(tmp_path, 8080, {})
