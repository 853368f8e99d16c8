"""Statements kept as SQL: a file beside the module that runs them, which a person can read and try."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*\n?", re.MULTILINE)


@cache
def sql_file(package: str, file: str) -> Mapping[str, str]:
    """Statements by name, of a file of a package, read once: each under its line `-- name: word`, with :parameters.

    Lines that are comments are left out: SQLAlchemy would look for parameters in them.
    """
    _, *parts = _NAME.split(files(package).joinpath(file).read_text(encoding="utf-8"))
    return {
        name: _COMMENT.sub("", body).strip().removesuffix(";")
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }
