"""`python -m resapermis_vault new-keyset FILE | rotate FILE [--index] | check FILE`."""

import json
import sys
from pathlib import Path

from resapermis_vault import keyset

USAGE = "usage: python -m resapermis_vault new-keyset FILE | rotate FILE [--index] | check FILE"


def main(arguments: list[str]) -> int:
    """Run one command; exit status 2 for a wrong call."""
    if len(arguments) < 2 or arguments[0] not in {"new-keyset", "rotate", "check"}:  # noqa: PLR2004 - command and file
        print(USAGE, file=sys.stderr)  # noqa: T201
        return 2
    path = Path(arguments[1])
    if arguments[0] == "new-keyset":
        if not path.exists():
            keyset.write(path, keyset.new_document())
    elif arguments[0] == "rotate":
        keyset.Keyset.load(path)
        document = json.loads(path.read_text(encoding="utf-8"))
        keyset.write(path, keyset.rotated(document, index="--index" in arguments))
    keyset.Keyset.load(path)
    print(f"{path.name}: good")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
