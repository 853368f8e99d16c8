"""`make controls`: take away, in a copy of the tree, the line behind each shown requirement, and see its test fail.

Arguments: ids (all when none), `--random N` for some of them, `--seed S` for the same some again.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from evidence.controls import Copy, NoControl, failing
from evidence.states import Control, states

ROOT = Path(__file__).resolve().parents[1]


def chosen(controls: dict[str, Control], ids: Sequence[str], many: int, seed: int) -> dict[str, Control]:
    """The controls asked for. KeyError when an id has none."""
    picked = list(ids) or sorted(controls)
    if 0 < many < len(picked):
        picked = sorted(random.Random(seed).sample(picked, many))  # noqa: S311 - the same again on purpose
    return {id_: controls[id_] for id_ in picked}


def main(arguments: Sequence[str]) -> int:
    """Say of each control whether it holds; 1 when one does not."""
    parser = argparse.ArgumentParser(prog="make controls", description=__doc__)
    parser.add_argument("ids", nargs="*")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="try N of them")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="which N")
    asked = parser.parse_args(arguments)
    controls = {id_: state.control for id_, state in states(ROOT).items() if state.control is not None}
    try:
        picked = chosen(controls, asked.ids, asked.random, asked.seed)
    except KeyError as missing:
        sys.exit(f"make controls: {missing.args[0]} has no control in docs/compliance.yaml")
    if asked.random:
        print(f"controls: --random {asked.random} --seed {asked.seed}", flush=True)
    failed = 0
    with tempfile.TemporaryDirectory(prefix="resapermis-controls-") as folder:
        try:
            copy = Copy(ROOT, Path(folder))
            copy.require_own_sources()
        except NoControl as reason:
            sys.exit(f"make controls: {reason}")
        print(f"controls: first the tests of {len(picked)} with nothing changed", flush=True)
        since = time.monotonic()
        broken = failing(copy, picked)
        print(f"controls: {len(broken)} fail ({time.monotonic() - since:.0f} s); now each without its line", flush=True)
        for number, (id_, control) in enumerate(picked.items(), 1):
            since = time.monotonic()
            wrong = broken.get(control.test) or copy.controlled(control)
            failed += bool(wrong)
            place = f"{number:>{len(str(len(picked)))}}/{len(picked)}"
            print(
                f"  {'✗' if wrong else '✓'} {place} {id_} {time.monotonic() - since:4.0f} s  {control.test}", flush=True
            )
            if wrong:
                print("\n".join("      " + line for line in wrong.splitlines()[-40:]), flush=True)
    print(f"\ncontrols: {failed} of {len(picked)} do not hold" if failed else f"\ncontrols: {len(picked)} hold")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
