"""Syntax trees of JavaScript, TypeScript, shell and Terraform, made by tree-sitter's grammars.

A grammar is loaded when the first file wants it. A tree is walked only where a pattern matched its
text, so that a bundle of many megabytes costs little more than its parsing.
"""

from __future__ import annotations

import re
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from guardrails.operations import Place

if TYPE_CHECKING:
    from tree_sitter import Language, Node

LONGEST_SECONDS = 30.0
"""After so long a parser gives up on the largest of sources."""
AT_LEAST_SECONDS = 5.0
SECONDS_A_MEGABYTE = 5.0
"""What a smaller source gets; no source that people wrote takes a tenth of it."""


class Grammar(StrEnum):
    """The grammars: module and function that give them."""

    JAVASCRIPT = "tree_sitter_javascript:language"
    TYPESCRIPT = "tree_sitter_typescript:language_typescript"
    TSX = "tree_sitter_typescript:language_tsx"
    BASH = "tree_sitter_bash:language"
    HCL = "tree_sitter_hcl:language"


class TreeError(ValueError):
    """A source that its parser gave up on; the message says why."""


class Source:
    """A text with its syntax tree."""

    def __init__(self, text: str, grammar: Grammar, longest: float | None = None) -> None:
        """Parse *text*; raises TreeError after *longest* seconds. Default: by its length."""
        from tree_sitter import Parser  # noqa: PLC0415 (loaded with the first grammar)

        self.data = text.encode("utf-8", "replace")
        if longest is None:
            longest = min(LONGEST_SECONDS, AT_LEAST_SECONDS + SECONDS_A_MEGABYTE * len(self.data) / 1_000_000)
        parser = Parser(_language(grammar))
        until = time.monotonic() + longest
        data = _plain(self.data) if grammar is Grammar.BASH else self.data
        try:
            tree = parser.parse(
                lambda offset, _point: data[offset : offset + 65536],
                progress_callback=lambda _offset, _error: time.monotonic() > until,
            )
        except ValueError as error:
            raise TreeError(f"it could not be parsed within {longest:g} seconds") from error
        self.root: Node = tree.root_node

    def text(self, node: Node) -> str:
        """Give a node's source."""
        return self.data[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def place(self, node: Node, whole: Node | None = None) -> Place:
        """Give the place of a node; *whole* is the statement or call that it stands for."""
        whole = whole or node
        line, column = self.at(node)
        return Place(line, column, _last_line(whole), whole.start_point[0] + 1)

    def at(self, node: Node) -> tuple[int, int]:
        """Give a node's line and column, from 1."""
        row, column = node.start_point
        before = self.data[node.start_byte - column : node.start_byte]
        return row + 1, len(before.decode("utf-8", "replace")) + 1

    def alone(self, node: Node) -> bool:
        """Say whether nothing stands on a node's line before it."""
        return not self.data[node.start_byte - node.start_point[1] : node.start_byte].strip()

    def walk(self, hints: re.Pattern[bytes] | None = None) -> Iterator[Node]:
        """Give the nodes in the order of the source, or only those that hold a match of *hints*."""
        if hints is None:
            yield from _all(self.root)
        else:
            yield from _holding(self.root, [found.start() for found in hints.finditer(self.data)])

    def faults(self, hints: re.Pattern[bytes]) -> Iterator[tuple[int, str]]:
        """Give line and kind of each stretch that did not parse and in which *hints* match."""
        if not self.root.has_error:
            return
        for node in _broken(self.root):
            if hints.search(self.data, node.start_byte, self._line_end(node)):
                yield (
                    node.start_point[0] + 1,
                    f"{node.type} is missing" if node.is_missing else "syntax error",
                )

    def errors(self) -> int:
        """Give how many bytes did not parse."""
        if not self.root.has_error:
            return 0
        return sum(max(1, node.end_byte - node.start_byte) for node in _broken(self.root))

    def _line_end(self, node: Node) -> int:
        end = self.data.find(b"\n", node.end_byte)
        return len(self.data) if end < 0 else end


def inside(node: Node) -> Iterator[Node]:
    """Give what a node stands in, from the inside out."""
    parent = node.parent
    while parent is not None:
        yield parent
        parent = parent.parent


def _plain(data: bytes) -> bytes:
    """Put letters where other than ASCII stands, byte for byte, so that every place stays where it is.

    The scanner of tree-sitter-bash looks code points up in a table of 256 and dies of larger ones
    (tree-sitter-bash#337). To a shell such characters are parts of words, as letters are.
    """
    return data if data.isascii() else _NOT_ASCII.sub(lambda found: b"x" * len(found[0]), data)


_NOT_ASCII = re.compile(rb"[\x80-\xff]+")


@cache
def _language(grammar: Grammar) -> Language:
    from tree_sitter import Language  # noqa: PLC0415

    module, function = grammar.split(":")
    return Language(getattr(import_module(module), function)())


def _last_line(node: Node) -> int:
    row, column = node.end_point
    return row if column == 0 and row > node.start_point[0] else row + 1


def _all(root: Node) -> Iterator[Node]:
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack += reversed(node.children)


def _holding(root: Node, offsets: Sequence[int]) -> Iterator[Node]:
    stack = [root]
    while stack:
        node = stack.pop()
        first = bisect_left(offsets, node.start_byte)
        if node is root or (first < len(offsets) and offsets[first] < node.end_byte):
            yield node
            stack += reversed(node.children)


def _broken(root: Node) -> Iterator[Node]:
    stack = [root]
    while stack:
        node = stack.pop()
        if node.is_error or node.is_missing:
            yield node
        elif node.has_error:
            stack += reversed(node.children)
