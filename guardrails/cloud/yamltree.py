"""YAML and JSON as nodes with places: any tag is taken, nothing is built, anchors are not unfolded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeGuard

from guardrails.cloud.lifecycle import UNKNOWN, Value
from guardrails.operations import Comment, Place

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

_COMMENT = re.compile(r"(?:^|(?<=\s))#[^\n]*safety-exception[^\n]*", re.MULTILINE)
_DEEPEST = 60
_LONGEST_NUMBER = 100
"""Digits; longer ones, which Python may refuse to convert, mean nothing here."""
_MOST = 10_000
"""Nodes of one value: aliases of aliases must not unfold without end."""


class YamlError(ValueError):
    """A text that is no YAML; the message says why."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def documents(text: str) -> list[Node]:
    """Give the documents of a text; raises YamlError."""
    import yaml  # noqa: PLC0415 (loaded with the first file that needs it)

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return [node for node in yaml.compose_all(text, Loader=loader) if node is not None]
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise YamlError(str(error.problem or "no YAML"), line) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise YamlError(str(error).split("\n", 1)[0] or type(error).__name__, 1) from error


def is_mapping(node: Node | None) -> TypeGuard[MappingNode]:
    """Say whether a node is a mapping; asked by name, so that YAML's parser is loaded only to parse."""
    return getattr(node, "id", "") == "mapping"


def is_sequence(node: Node | None) -> TypeGuard[SequenceNode]:
    """Say whether a node is a sequence."""
    return getattr(node, "id", "") == "sequence"


def is_scalar(node: Node | None) -> TypeGuard[ScalarNode]:
    """Say whether a node is a scalar."""
    return getattr(node, "id", "") == "scalar"


def entries(node: Node | None) -> Iterator[tuple[str, Node]]:
    """Give the keys and values of a mapping; nothing for other nodes."""
    if is_mapping(node):
        for key, value in node.value:
            if is_scalar(key):
                yield str(key.value), value


def items(node: Node | None) -> list[Node]:
    """Give the items of a sequence; nothing for other nodes."""
    return list(node.value) if is_sequence(node) else []


def entry(node: Node | None, key: str) -> Node | None:
    """Give the value under a key; None: no mapping, or no such key."""
    return next((value for name, value in entries(node) if name == key), None)


def value_of(node: Node | None) -> Value:
    """Give what a node holds; UNKNOWN for functions such as ``!Ref`` and ``Fn::Sub``, and for too much."""
    return _value(node, 0, iter(range(_MOST)))


def place(node: Node) -> Place:
    """Give a node's place."""
    start, end = node.start_mark, node.end_mark
    last = end.line if end.column == 0 and end.line > start.line else end.line + 1
    return Place(start.line + 1, start.column + 1, last)


def marks(text: str) -> tuple[Comment, ...]:
    """Give the comments with an exemption's mark, and no text in a string that looks like one."""
    if "safety-exception" not in text:
        return ()
    found = []
    quoted = _lines_of_strings(text)
    for match in _COMMENT.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        before = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        if not any(first <= (line, len(before)) < last for first, last in quoted):
            found.append(Comment(line, match.group(), not before.strip()))
    return tuple(found)


def _value(node: Node | None, depth: int, left: Iterator[int]) -> Value:  # noqa: PLR0911 (one line a kind)
    if node is None or depth > _DEEPEST or not node.tag.startswith("tag:yaml.org,2002:"):
        return UNKNOWN
    if next(left, None) is None:
        return UNKNOWN
    if is_mapping(node):
        found = {key: _value(value, depth + 1, left) for key, value in entries(node)}
        return UNKNOWN if any(key.startswith("Fn::") or key == "Ref" for key in found) else found
    if is_sequence(node):
        return [_value(item, depth + 1, left) for item in items(node)]
    text = str(node.value)
    if node.tag.endswith(":bool"):
        return text.lower() in {"true", "yes", "on"}
    if node.tag.endswith(":int"):
        return int(text) if text.isdecimal() and len(text) < _LONGEST_NUMBER else UNKNOWN
    return None if node.tag.endswith(":null") else text


def _lines_of_strings(text: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    import yaml  # noqa: PLC0415

    found = []
    try:
        for token in yaml.scan(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if isinstance(token, yaml.ScalarToken):
                start, end = token.start_mark, token.end_mark
                found.append(((start.line + 1, start.column), (end.line + 1, end.column)))
    except (yaml.YAMLError, RecursionError):
        pass  # what is no YAML is reported by whoever reads it
    return found
