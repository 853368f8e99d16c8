"""A picture of the READMEs is old when a sentence that it shows is said no longer, and when nobody knows what it shows."""

import hashlib
import json
from pathlib import Path

import pytest

from checks.pictures import old_pictures

PICTURE = b"as a browser drew it"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """One picture of a page that says two sentences."""
    images, locales = tmp_path / "docs" / "images", tmp_path / "web" / "src" / "locales"
    images.mkdir(parents=True)
    locales.mkdir(parents=True)
    (locales / "fr.po").write_text(
        'msgid "Panier"\nmsgstr "Panier"\n\nmsgid "Vide."\nmsgstr "Vide."\n', encoding="utf-8"
    )
    (images / "basket.fr.webp").write_bytes(PICTURE)
    about = {"locale": "fr", "sha256": hashlib.sha256(PICTURE).hexdigest(), "sentences": ["Panier", "Vide."]}
    (images / "shown.json").write_text(json.dumps({"basket.fr.webp": about}), encoding="utf-8")
    return tmp_path


def test_a_picture_of_what_is_said_is_current(repository: Path) -> None:
    assert old_pictures(repository) == []


def test_a_sentence_that_is_said_no_longer_makes_it_old(repository: Path) -> None:
    texts = repository / "web" / "src" / "locales" / "fr.po"
    texts.write_text(
        texts.read_text(encoding="utf-8").replace('msgstr "Vide."', 'msgstr "Votre panier est vide."'), encoding="utf-8"
    )
    [wrong] = old_pictures(repository)
    assert "basket.fr.webp shows what the interface no longer says (Vide.)" in wrong


def test_a_picture_changed_by_hand_is_seen(repository: Path) -> None:
    (repository / "docs" / "images" / "basket.fr.webp").write_bytes(b"drawn over")
    [wrong] = old_pictures(repository)
    assert "not the picture" in wrong


@pytest.mark.parametrize(("lost", "said"), [("basket.fr.webp", "missing"), (None, "not one of")])
def test_pictures_and_what_is_known_of_them_go_together(repository: Path, lost: str | None, said: str) -> None:
    images = repository / "docs" / "images"
    if lost:
        (images / lost).unlink()
    else:
        (images / "another.webp").write_bytes(PICTURE)
    [wrong] = old_pictures(repository)
    assert said in wrong
