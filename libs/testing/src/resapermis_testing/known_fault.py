"""Expected failures that hold for one reason only.

`xfail(raises=AssertionError)` also covers a precondition that no longer holds, and a mend that is wrong in another way.
A test that says what is wrong today by these raises `KnownFault` for that alone; its mark expects nothing else.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from resapermis_kit.errors import Code, Failure


class KnownFault(Exception):
    """The fault shows, as its test describes it: `xfail(strict=True, raises=KnownFault)`."""


def known_fault_if(shows: object, what: object = "") -> None:
    """Raise KnownFault where today's wrong value is seen; go on where it is not, to the assertion of the right one."""
    if shows:
        raise KnownFault(what)


@contextmanager
def wrongly_refused(*codes: Code.ValueType) -> Iterator[None]:
    """Raise KnownFault for a Failure with one of these codes; any other stays what it is."""
    try:
        yield
    except Failure as failure:
        known_fault_if(failure.code in codes, failure)
        raise
