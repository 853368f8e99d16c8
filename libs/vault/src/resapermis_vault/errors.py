"""What can go wrong, without a byte of what was protected."""


class Unreadable(Exception):
    """What was sealed cannot be opened here: wrong key, moved row, changed bytes or destroyed key.

    One error for every cause, so that whoever provokes it learns nothing. It is final: a key service that does not
    answer raises its own error instead, never this one, lest data be taken for erased.
    """

    def __init__(self) -> None:
        super().__init__("sealed data cannot be opened")


class KeysetProblem(ValueError):
    """A keyset file that cannot be used; the message names the fault, never the content."""
