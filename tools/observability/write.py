"""`make dashboards`: writes docs/metrics.md and the dashboards; with `--check` says what it would change, exit status 1."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from observability.boards import BOARDS
from observability.grafana import files
from observability.metrics import metrics
from observability.page import metrics_page

ROOT = Path(__file__).resolve().parents[2]
PAGE = Path("docs", "metrics.md")


def made(root: Path) -> Iterator[tuple[Path, str]]:
    """(path, content) of each file that is made."""
    yield PAGE, metrics_page(metrics(root))
    yield from files(BOARDS)


def outdated(root: Path) -> list[str]:
    """Files that are not what they would be made now."""
    return [
        f"{path}: run `make dashboards`"
        for path, content in made(root)
        if not (root / path).is_file() or (root / path).read_text(encoding="utf-8") != content
    ]


def main(arguments: Sequence[str]) -> int:
    """Write the files, or say which are outdated."""
    if arguments == ["--check"]:
        wrong = outdated(ROOT)
        sys.stdout.writelines(f"{line}\n" for line in wrong)
        return 1 if wrong else 0
    for path, content in made(ROOT):
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(content, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
