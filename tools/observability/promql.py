"""What an expression of PromQL names: enough of its grammar for the expressions of this repository."""

import re
from collections.abc import Iterator

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_DURATION = re.compile(r"\[[^\]]*\]")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)")
_SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*\{([^{}]*)\}")
_LABEL = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)\s*(?:=~|!~|!=|=)")
_LABELS = re.compile(r"\{[^{}]*\}")
_NAME = re.compile(r"(?<![\w$:.])([a-zA-Z_:][a-zA-Z0-9_:]*)(?!\s*\(|[\w:])")
_WORDS = frozenset({"and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring", "inf", "nan"}) | {
    "group_left",
    "group_right",
}


def names_in(expression: str) -> set[str]:
    """The series that it asks for, those of recording rules too."""
    bare = _LABELS.sub("", _STRING.sub('""', expression))
    bare = _GROUPING.sub(" ", _DURATION.sub("", bare))
    return {name for name in _NAME.findall(bare) if name.lower() not in _WORDS}


def selected(expression: str) -> Iterator[tuple[str, str]]:
    """(series, label) of each label that a selector names."""
    for name, labels in _SELECTOR.findall(_STRING.sub('""', expression)):
        for label in _LABEL.findall(labels):
            yield name, label
