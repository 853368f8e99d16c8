"""How long a property is tried: briefly in `make test`, at full strength in `make test-long` (HYPOTHESIS_PROFILE=long)."""

import os

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"


def tries(*, briefly: int, long: int) -> int:
    """How many examples a test takes: the property is the same, only the search for a counterexample is longer."""
    return long if LONG else briefly
