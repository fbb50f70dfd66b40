"""What names stand for in a JavaScript or TypeScript source: commands, methods, strings, own definitions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from guardrails.cloud.lifecycle import UNKNOWN, Value
from guardrails.operations import Thing
from guardrails.s3.trees import Source, inside

if TYPE_CHECKING:
    from tree_sitter import Node

COMMANDS = {
    "DeleteBucketCommand": Thing.BUCKET,
    "DeleteObjectsCommand": Thing.OBJECTS,
    "DeleteObjectCommand": Thing.OBJECT,
}
METHODS = {"deleteBucket": Thing.BUCKET, "deleteObjects": Thing.OBJECTS, "deleteObject": Thing.OBJECT}

_LONGEST = 4096
"""Characters of a string that are kept: a doubling constant must not fill the memory."""
_WRAPPERS = frozenset(
    {
        "parenthesized_expression",
        "as_expression",
        "satisfies_expression",
        "non_null_expression",
        "await_expression",
    }
)
_FUNCTIONS = frozenset({"function_declaration", "function_signature", "generator_function_declaration"})
_CLASSES = frozenset({"class_declaration", "abstract_class_declaration", "class"})


class Names:
    """The names that a source gives to what matters here."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.commands = dict(COMMANDS)
        self.methods: dict[str, Thing] = {}
        """Names under which methods were taken out of a client."""
        self.strings: dict[str, str] = {}
        self.own: set[str] = set()
        """Classes with the name of a command, and methods of classes, that the source defines itself."""
        self.made: dict[str, str] = {}
        """Variables that hold an instance of a class of the source: variable to class."""

    def learn(self, hints: re.Pattern[bytes]) -> set[str]:
        """Read the definitions where *hints* match; gives all names that are known now."""
        for node in self.source.walk(hints):
            self._definition(node)
        classes = {name.partition(".")[0] for name in self.own}
        return {*self.commands, *self.methods, *self.strings, *classes} - {*COMMANDS}

    def is_own(self, receiver: Node, method: str) -> bool:
        """Say whether ``receiver.method`` is a method that the source itself defines."""
        receiver = bare(receiver)
        if receiver.type == "this":
            return any(
                f"{self._name(node)}.{method}" in self.own
                for node in inside(receiver)
                if node.type in _CLASSES
            )
        if receiver.type == "new_expression":
            made = receiver.child_by_field_name("constructor")
            return made is not None and f"{self.source.text(made)}.{method}" in self.own
        return f"{self.made.get(self.source.text(receiver), '')}.{method}" in self.own

    def command(self, node: Node) -> Thing | None:
        """Say which command a class expression names."""
        node = bare(node)
        if node.type in {"identifier", "type_identifier"}:
            name = self.source.text(node)
            return None if name in self.own else self.commands.get(name)
        return COMMANDS.get(self.member(node))

    def member(self, node: Node) -> str:
        """Give the name of the member that ``a.b`` or ``a['b']`` takes; empty: none that can be told."""
        node = bare(node)
        if node.type == "member_expression":
            name = node.child_by_field_name("property")
            return self.source.text(name) if name is not None else ""
        if node.type == "subscript_expression":
            index = node.child_by_field_name("index")
            return self.string(index) if index is not None else ""
        return ""

    def string(self, node: Node | None, depth: int = 0) -> str:
        """Give the text of a string expression, ``X`` for the parts that cannot be told; empty: no string."""
        if node is None or depth > 20:
            return ""
        node = bare(node)
        if node.type in {"string", "template_string"}:
            return "".join(self._part(child, depth) for child in node.named_children)[:_LONGEST]
        if node.type == "identifier":
            return self.strings.get(self.source.text(node), "")
        if node.type == "binary_expression":
            left, right = (self.string(node.child_by_field_name(f), depth + 1) for f in ("left", "right"))
            return f"{left or 'X'}{right or 'X'}"[:_LONGEST] if left or right else ""
        return ""

    def value(self, node: Node | None, depth: int = 0) -> Value:  # noqa: PLR0911 (one line a kind)
        """Give a literal as a value."""
        if node is None or depth > 20:
            return UNKNOWN
        node = bare(node)
        if node.type == "object":
            return {
                key: self.value(pair.child_by_field_name("value"), depth + 1)
                for pair in node.named_children
                if pair.type == "pair" and (key := self.key(pair))
            } | ({"...": UNKNOWN} if any(c.type == "spread_element" for c in node.named_children) else {})
        if node.type == "array":
            return [self.value(item, depth + 1) for item in node.named_children if item.type != "comment"]
        if node.type in {"true", "false"}:
            return node.type == "true"
        if node.type == "number":
            text = self.source.text(node)
            return int(text) if text.isdigit() else UNKNOWN
        if node.type in {"string", "template_string"}:
            return UNKNOWN if "${" in self.source.text(node) else self.string(node)
        return UNKNOWN

    def key(self, pair: Node) -> str:
        """Give the key of a pair of an object."""
        key = pair.child_by_field_name("key")
        if key is None or key.type == "computed_property_name":
            return ""
        return self.string(key) if key.type == "string" else self.source.text(key)

    def _part(self, node: Node, depth: int) -> str:
        if node.type == "template_substitution":
            return self.string(node.named_children[0] if node.named_children else None, depth + 1) or "X"
        if node.type == "escape_sequence":
            escaped = self.source.text(node)[1:]
            return {"n": "\n", "t": "\t"}.get(escaped, "" if escaped == "\n" else escaped)
        return self.source.text(node)

    def _definition(self, node: Node) -> None:
        if node.type == "import_specifier":
            self._renamed(node.child_by_field_name("name"), node.child_by_field_name("alias"))
        elif node.type == "pair_pattern":
            self._renamed(node.child_by_field_name("key"), node.child_by_field_name("value"))
        elif node.type == "shorthand_property_identifier_pattern":
            self._renamed(node, node)
        elif node.type in {"variable_declarator", "assignment_expression", "public_field_definition"}:
            name = node.child_by_field_name("name") or node.child_by_field_name("left")
            value = node.child_by_field_name("value") or node.child_by_field_name("right")
            if name is not None and value is not None:
                self._assigned(self.source.text(name), bare(value))
        elif node.type in _CLASSES and self._name(node) in COMMANDS:
            self.own.add(self._name(node))
        elif node.type == "method_definition" and self._name(node) in METHODS:
            holder = next((n for n in inside(node) if n.type in _CLASSES), None)
            if holder is not None:
                self.own.add(f"{self._name(holder)}.{self._name(node)}")
        elif node.type in _FUNCTIONS:
            self.methods.pop(self._name(node), None)

    def _renamed(self, name: Node | None, alias: Node | None) -> None:
        if name is None or alias is None or alias.type not in {"identifier", name.type}:
            return
        old, new = self.source.text(name), self.source.text(alias)
        if old in COMMANDS:
            self.commands[new] = COMMANDS[old]
        elif old in METHODS and name.type != "identifier" and self._taken_from_a_client(name):
            self.methods[new] = METHODS[old]

    def _taken_from_a_client(self, node: Node) -> bool:
        """Say whether a pattern takes a method out of an object, rather than a function out of a module."""
        holder = next((n for n in inside(node) if not n.type.endswith(("pattern",))), None)
        if holder is None or holder.type != "variable_declarator":
            return False
        value = self.source.text(bare(holder.child_by_field_name("value") or holder))
        return "require(" not in value and "import(" not in value

    def _assigned(self, name: str, value: Node) -> None:
        thing = self.command(value)
        if thing is not None and value.type != "new_expression":
            self.commands[name] = thing
        text = self.string(value)
        if text and (text in METHODS or name.isidentifier()):
            self.strings[name] = text
        if value.type == "new_expression":
            made = value.child_by_field_name("constructor")
            if made is not None:
                self.made[name] = self.source.text(made)

    def _name(self, node: Node) -> str:
        name = node.child_by_field_name("name")
        return self.source.text(name) if name is not None else ""


def bare(node: Node) -> Node:
    """Take off parentheses, type assertions and ``await``."""
    while node.type in _WRAPPERS and node.named_children:
        node = node.named_children[0]
    return node
