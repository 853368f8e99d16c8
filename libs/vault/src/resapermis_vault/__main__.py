"""The operator's side: `python -m resapermis_vault new-keyset|rotate|promote|retire|check FILE`, and `bench`."""

import argparse
import json
import sys
from functools import partial
from pathlib import Path

from resapermis_vault import keyset
from resapermis_vault.errors import KeysetProblem
from resapermis_vault.operator import benchmark, files


def main(words: list[str]) -> int:
    """Run one command; 0 done, 1 refused (with the reason on stderr), 2 called wrongly. Prints no key."""
    arguments = _parser().parse_args(words)
    if arguments.command == "bench":
        _print(json.dumps(benchmark.figures(arguments.rounds), indent=2))
        return 0
    try:
        _print(f"{arguments.file.name}: {_run(arguments.command, arguments.file, arguments)}")
    except (KeysetProblem, OSError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else problem
        sys.stderr.write(f"{arguments.file.name}: {reason}\n")
        return 1
    return 0


def _run(command: str, file: Path, arguments: argparse.Namespace) -> str:
    if command == "new-keyset":
        written = files.write_new(file)
        keyset.Keyset.load(file)
        return "written" if written else "there already, and good"
    if command == "check":
        keyset.Keyset.load(file)
        document = keyset.read(file)
        return f"good ({len(document['kek']['key'])} KEK, {len(document['index'])} index keys)"
    if command == "rotate":
        step = keyset.staged if arguments.stage else keyset.rotated
        files.change(file, partial(step, index=arguments.index))
        return (
            "a new key reads; promote it when every replica has loaded it"
            if arguments.stage
            else "new primary, old key kept"
        )
    step = keyset.promoted if command == "promote" else keyset.retired
    files.change(file, partial(step, index=arguments.index))
    return "the staged key is primary" if command == "promote" else "only the primary is left"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m resapermis_vault", description="Keyset files of the services that seal."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, purpose in {
        "new-keyset": "write a new keyset unless the file exists",
        "check": "load the keyset as a service would",
        "rotate": "add a new primary key, keep the old",
        "promote": "make the staged key primary",
        "retire": "drop the old key: what is still under it is lost for good",
    }.items():
        command = commands.add_parser(name, help=purpose, description=purpose)
        command.add_argument("file", type=Path)
        if name in {"rotate", "promote", "retire"}:
            command.add_argument("--index", action="store_true", help="the blind index's key instead of the KEK")
        if name == "rotate":
            command.add_argument(
                "--stage", action="store_true", help="only add the key: step one with several replicas"
            )
    measure = commands.add_parser("bench", help="print how long each operation takes, as JSON")
    measure.add_argument("--rounds", type=int, default=2_000, help="times each operation is run")
    return parser


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
