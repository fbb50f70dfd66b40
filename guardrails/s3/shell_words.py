"""Gives the words of shell commands, with quotes taken off and variables filled in where they are known."""

from __future__ import annotations

import re
from itertools import islice, product
from typing import TYPE_CHECKING

from guardrails.s3.awscli import PROGRAM_WORDS, mentions
from guardrails.s3.trees import Source, inside

if TYPE_CHECKING:
    from tree_sitter import Node

_MOST = 16
"""Alternatives of one command that are looked at."""
_WORDS = 256
"""Words of a list that are kept."""
_LONGEST = 4096
"""Characters of a value that are kept: a doubling variable must not fill the memory."""
_ARGUMENTS = frozenset(
    {"word", "number", "string", "raw_string", "ansi_c_string", "translated_string", "concatenation"}
    | {"simple_expansion", "expansion", "command_substitution", "process_substitution", "brace_expression"}
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED_IN_QUOTES = re.compile(r"\\([$`\"\\\n])")

Text = tuple[str, bool]
"""A word, and whether white space in it parts it into several."""


class Variables:
    """What variables hold where the source tells it; several values where it is one of them."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.held: dict[str, tuple[str, ...]] = {}
        self.lists: dict[str, tuple[str, ...]] = {}
        self.aliases: dict[str, str] = {}

    def learn(self, node: Node) -> None:
        """Read an assignment, a loop over words or an alias."""
        if node.type == "variable_assignment":
            self._assignment(node)
        elif node.type == "for_statement":
            name = node.child_by_field_name("variable")
            values = [v for child in node.children_by_field_name("value") for v in self._one(child)]
            if name is not None and values:
                self.held[self.source.text(name)] = tuple(values[:_MOST])
        elif node.type == "command" and self._name(node) == "alias":
            for word in self.commands(node)[0][1:]:
                name_of, _, value = word.partition("=")
                if value:
                    self.aliases[name_of] = value

    def worth_a_look(self) -> set[str]:
        """Give the names by which a command may run a program that deletes in S3."""
        return {
            *(name for name, values in self.held.items() if mentions("\n".join(values), PROGRAM_WORDS)),
            *(name for name, values in self.lists.items() if mentions("\n".join(values), PROGRAM_WORDS)),
            *(name for name, value in self.aliases.items() if mentions(value, PROGRAM_WORDS)),
        }

    def commands(self, node: Node) -> list[list[str]]:
        """Give the words of a command, once for each set of values that its variables may have."""
        words: list[tuple[Text, ...]] = []
        for child in _arguments(node):
            inner = child.named_children[0] if child.type == "command_name" else child
            words.append(self._of(inner))
        found: list[list[str]] = []
        for choice in islice(product(*words), _MOST):
            line = [part for text, parts in choice for part in (text.split() if parts else [text])]
            expanded = self.aliases.get(line[0]) if line else None
            found.append([*expanded.split(), *line[1:]] if expanded else line)
        return found

    def text(self, node: Node) -> str:
        """Give the text of one word, its first value where it may have several."""
        return next(iter(self._one(node)), "")

    def _one(self, node: Node) -> tuple[str, ...]:
        return tuple(text for text, _ in self._of(node))

    def _of(self, node: Node) -> tuple[Text, ...]:  # noqa: PLR0911 (one line a kind)
        kind = node.type
        text = self.source.text(node)
        if kind in {"word", "number"}:
            return ((_ESCAPED.sub(lambda m: "" if m[1] == "\n" else m[1], text), False),)
        if kind == "raw_string":
            return ((text[1:-1], False),)
        if kind == "ansi_c_string":
            return ((_ESCAPED.sub(r"\1", text[2:-1]), False),)
        if kind in {"simple_expansion", "expansion"}:
            return self._expansion(node)
        if kind in {"string", "translated_string"}:
            if node.named_child_count == 1 and node.named_children[0].type == "expansion":
                held = self._expansion(node.named_children[0])
                return held if self._is_list(node.named_children[0]) else tuple((t, False) for t, _ in held)
            return self._joined(node)
        if kind == "concatenation":
            return self._joined(node)
        if kind == "string_content":
            return ((_ESCAPED_IN_QUOTES.sub(lambda m: "" if m[1] == "\n" else m[1], text), False),)
        return ((text if kind == "brace_expression" else "X", False),)

    def _joined(self, node: Node) -> tuple[Text, ...]:
        parts = [self._of(child) for child in node.named_children]
        if not parts:
            return (("", False),)
        whole = node.type != "concatenation"
        return tuple(
            ("".join(text for text, _ in choice)[:_LONGEST], not whole and any(split for _, split in choice))
            for choice in islice(product(*parts), _MOST)
        )

    def _expansion(self, node: Node) -> tuple[Text, ...]:
        name = next((n for n in node.named_children if n.type in {"variable_name", "subscript"}), None)
        if name is None:
            return ((self.source.text(node), False),)
        called = self.source.text(name.named_children[0] if name.type == "subscript" else name)
        if called in self.lists and (name.type == "subscript"):
            return ((" ".join(self.lists[called])[:_LONGEST], True),)
        if called in self.held:
            return tuple((value, True) for value in self.held[called])
        if node.type == "expansion" and node.named_child_count == 2 and name.type == "variable_name":
            operator = node.children[2].type if node.child_count > 2 else ""
            if operator in {":-", "-", ":=", "="}:
                return tuple((text, True) for text, _ in self._of(node.named_children[1]))
        return ((f"${called}", False),)

    def _is_list(self, node: Node) -> bool:
        return any(child.type == "subscript" for child in node.named_children)

    def _assignment(self, node: Node) -> None:
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if name is None:
            return
        called = self.source.text(name)
        adds = any(child.type == "+=" for child in node.children)
        if value is not None and value.type == "array":
            items = tuple(text[:_LONGEST] for child in value.named_children for text in self._one(child)[:1])
            self.lists[called] = ((*self.lists.get(called, ()), *items) if adds else items)[:_WORDS]
            return
        texts = self._one(value) if value is not None else ("",)
        if adds:
            texts = tuple(f"{old}{new}" for old in self.held.get(called, ("",)) for new in texts)[:_MOST]
        earlier = self.held.get(called, ()) if not adds and _in_a_branch(node) else ()
        self.held[called] = tuple(dict.fromkeys(text[:_LONGEST] for text in (*earlier, *texts)))[:_MOST]

    def _name(self, node: Node) -> str:
        name = node.child_by_field_name("name")
        return self.source.text(name) if name is not None else ""


def _arguments(node: Node) -> list[Node]:
    found = [c for c in node.named_children if c.type == "command_name" or c.type in _ARGUMENTS]
    parent = node.parent
    if parent is not None and parent.type == "redirected_statement":
        for redirect in parent.named_children:
            if redirect.type == "heredoc_redirect":  # words behind <<EOF belong to the command
                found += [c for c in redirect.named_children if c.type in _ARGUMENTS]
    return found


def _in_a_branch(node: Node) -> bool:
    return any(
        outer.type in {"if_statement", "elif_clause", "else_clause", "case_item", "list"}
        for outer in inside(node)
    )
