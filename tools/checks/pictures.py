"""Pictures of the READMEs show the interface as it is: each sentence that one shows is still said, and none was made by hand."""

import hashlib
import json
import re
from pathlib import Path

FOLDER = Path("docs", "images")
SHOWN = "shown.json"
"""Written with the pictures (web/screens/readme.spec.ts): of each its language, its digest and sentences that it shows."""
AGAIN = "make screenshots ARGS=--readme"


def old_pictures(root: Path) -> list[str]:
    """Pictures that show what is said no longer, that were changed since, or of which nothing is known."""
    folder = root / FOLDER
    shown = json.loads((folder / SHOWN).read_text(encoding="utf-8"))
    there = {file.name for file in folder.iterdir()} - {SHOWN}
    wrong = [f"{FOLDER / name}: not one of {SHOWN}; {AGAIN}" for name in sorted(there - shown.keys())]
    wrong += [f"{FOLDER / name}: missing; {AGAIN}" for name in sorted(shown.keys() - there)]
    for name in sorted(there & shown.keys()):
        about = shown[name]
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != about["sha256"]:
            wrong.append(f"{FOLDER / name}: not the picture that {SHOWN} tells of; {AGAIN}")
        said = _sentences(root, about["locale"])
        gone = [sentence for sentence in about["sentences"] if sentence not in said]
        if gone:
            wrong.append(f"{FOLDER / name} shows what the interface no longer says ({' | '.join(gone)}); {AGAIN}")
    return wrong


def _sentences(root: Path, locale: str) -> frozenset[str]:
    texts = (root / "web" / "src" / "locales" / f"{locale}.po").read_text(encoding="utf-8")
    return frozenset(json.loads(text) for text in re.findall(r'^msgstr (".+")$', texts, re.MULTILINE))
