"""Where `make demo` runs."""

import pytest

from demo import Broken, chosen_base


def test_the_port_that_is_asked_for_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESAPERMIS_PORT", "9080")
    assert chosen_base() == 9080


@pytest.mark.parametrize("text", ["0", "-1", "eighty", "65501"])
def test_a_port_that_cannot_be_is_said(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("RESAPERMIS_PORT", text)
    with pytest.raises(Broken, match=f"RESAPERMIS_PORT={text} is no port number"):
        chosen_base()


def test_without_one_a_free_range_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RESAPERMIS_PORT", raising=False)
    assert chosen_base() >= 18_080
