"""charts/resapermis/README.md: every value with its default and what it does, from the comments of values.yaml; the sums of each size."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

COMMENT = re.compile(r"^\s*#( -- )?\s?(.*)$")
LONGEST_DEFAULT = 70
HEAD = """\
# Chart resapermis

ResaPermis in Kubernetes: one chart, no sub-charts ([ADR {adr}](../../docs/adr/{adr_file})). How to go from an empty cluster to a school
that is signed in: [docs/deploy.md](../../docs/deploy.md). This page is written by `make chart ARGS=write` from the comments of
[values.yaml](values.yaml); [values.schema.json](values.schema.json) refuses what is not in it. **Rendered and checked, never run in a cluster.**

"""
ADR, ADR_FILE = "39", "0039-one-chart.md"


@dataclass(frozen=True)
class Row:
    """A value: its dotted name, its default, what it does."""

    name: str
    default: str
    text: str


class Undocumented(Exception):
    """Values without a word; the message names them."""


def rows(text: str) -> list[Row]:
    """Each commented value of values.yaml; Undocumented where one has no comment, nor anything that it is part of."""
    found: list[Row] = []
    silent: list[str] = []
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    _walk(root, (), text.splitlines(), found, silent, told=False)
    if silent:
        raise Undocumented(f"values.yaml says nothing of {', '.join(silent)}")
    return found


def _walk(
    node: yaml.MappingNode,
    path: tuple[str, ...],
    lines: Sequence[str],
    found: list[Row],
    silent: list[str],
    *,
    told: bool,
) -> None:
    for key, value in node.value:
        name = (*path, str(key.value))
        words = _comment_above(lines, key.start_mark.line)
        if words:
            found.append(Row(".".join(name), _default(value), words))
        if isinstance(value, yaml.MappingNode) and value.value:
            _walk(value, name, lines, found, silent, told=told or bool(words))
        elif not (words or told or name[-1] in {"cpu", "memory"}):
            silent.append(".".join(name))


def _comment_above(lines: Sequence[str], line: int) -> str:
    """The comment that ends above a line, from its `--` on; "" where there is none."""
    words: list[str] = []
    for above in reversed(lines[:line]):
        comment = COMMENT.match(above)
        if comment is None:
            return ""
        words.insert(0, comment[2].strip())
        if comment[1]:
            return " ".join(words)
    return ""


def _default(node: yaml.Node) -> str:
    text = json.dumps(yaml.SafeLoader("").construct_document(node), ensure_ascii=False)
    return f"`{text}`" if len(text) <= LONGEST_DEFAULT else "see values.yaml"


def page(values: str, sums: Mapping[str, Mapping[str, str]]) -> str:
    """The whole page."""
    return "".join(_lines(values, sums))


def _lines(values: str, sums: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    yield HEAD.format(adr=ADR, adr_file=ADR_FILE)
    yield "## Sizes\n\nWhat is asked of the nodes (requests, and limits in brackets), summed over what each file renders; the reasons are in docs/deploy.md.\n\n"
    titles: list[Any] = [*next(iter(sums.values()))]
    yield f"| | {' | '.join(titles)} |\n|---|{'---|' * len(titles)}\n"
    for size, amounts in sums.items():
        yield f"| `values-{size}.yaml` | {' | '.join(amounts.values())} |\n"
    yield "\n## Values\n\n| value | default | what it does |\n|---|---|---|\n"
    for row in rows(values):
        text = row.text.replace("|", "\\|")
        yield f"| `{row.name}` | {row.default.replace('|', chr(92) + '|')} | {text} |\n"
